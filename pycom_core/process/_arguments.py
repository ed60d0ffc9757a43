"""Arguments of a call on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from pycom_core.errors import RemoteError

if TYPE_CHECKING:
    from pycom_core.client._client import Client


def named_values(texts: Iterable[str]) -> dict[str, Any]:
    """Arguments by name, each written as NAME=VALUE. Raises `click.UsageError`."""
    found: dict[str, Any] = {}
    for text in texts:
        name, value = _named_value(text)
        if name in found:
            raise click.UsageError(f"{name!r} is given twice")
        found[name] = value
    return found


def _named_value(text: str) -> tuple[str, Any]:
    import json

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"{text!r} is not an argument; write NAME=VALUE")
    try:
        return name, json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return name, value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def refuse_unknown(component: Client, method: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that a method does not have, as far as its service describes it.

    Raises `click.UsageError`.
    """
    if not arguments or component.context is None:
        return
    try:
        call = component.describe().get(method)
    except RemoteError:  # it describes nothing, or not to this caller
        return
    if call is None:
        return
    described = call.described
    if described.incoming in arguments:
        raise click.UsageError(
            f"{described.incoming!r} is the attachment of {method}, which is no JSON value; "
            "pycom call sends it with --attachment"
        )
    unknown = ", ".join(map(repr, described.unknown(arguments)))
    if unknown:
        raise click.UsageError(f"{method} has no argument {unknown}; it takes {described.takes()}")
