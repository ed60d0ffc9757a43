"""Descriptions of services that are made for a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

import pycom
from pycom_plugins.descriptions.description import Description, understand
from pycom_plugins.typed_methods.contracts import typed

NAME = "com.foo.some"


def described(*functions: Callable[..., Any], typed_methods: bool = True, **options: Any) -> Any:
    """Return the description of a service with these methods."""
    body = {function.__name__: pycom.method(**options)(function) for function in functions}
    provider: Any = pycom.interface(NAME)(type("Some", (pycom.Service,), body))
    iface = typed(provider) if typed_methods else provider.__interface__
    return msgspec.to_builtins(iface.introspect())


def description(*functions: Callable[..., Any], **options: Any) -> Description:
    """The same, understood."""
    return understand(described(*functions, **options))


def with_types(argument: Any, result: Any) -> Description:
    """An interface with one method `f`, of these types."""

    def f(self, request, x):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    f.__annotations__.update({"x": argument, "return": result})
    return description(f)
