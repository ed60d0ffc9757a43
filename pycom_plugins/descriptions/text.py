"""Methods as text for people."""

from __future__ import annotations

import attrs

from pycom_core import cli
from pycom_plugins.descriptions.description import Method
from pycom_plugins.descriptions.types import ANYTHING, declaration


def signature(name: str, method: Method) -> str:
    """Return the signature of a method on one line, with its known types."""
    if method.schema is None:
        return cli.signature(name, attrs.asdict(method))
    arguments = [
        f"{argument}: attachment"
        if argument == method.attachments.incoming
        else declaration(
            argument, method.types.get(argument, ANYTHING), argument in method.required_arguments
        )
        for argument in method.arguments
    ]
    results = [
        f"{result}: attachment"
        if result == method.attachments.outgoing
        else f"{result}: {method.result.properties.get(result, ANYTHING)}"
        for result in method.results
    ]
    return f"{name}({', '.join(arguments)}) → {', '.join(results) or method.result}"
