"""The description that a service gives of itself."""

from __future__ import annotations

from typing import Any

from pycom_core import Interface, Method, Request, constants, method
from pycom_plugins.introspection.arguments import takes_additional


class _Introspect(Method):
    """A method that describes its interface; that of an object may have more than its class's."""

    def run(self, iface: Interface, request: Request) -> Any:
        return introspect(iface.instance, iface)


class Service:
    """Base class or mix-in of services that can be introspected.

    `introspection_data`, a dict of JSON values, is passed on to whoever asks.
    """

    __interface__: Interface | None = None
    introspection_data: dict[str, Any] = {}  # noqa: RUF012 - an instance may have its own as well

    @method(
        constants.GENERIC_METHOD_INTROSPECT,
        method_factory=_Introspect,
        results=("name", "methods", "docstring", "data"),
    )
    def introspect(self, request: Request) -> tuple[str, dict[str, Any], str | None, Any]:
        """Provides introspection information for a service."""
        assert self.__interface__ is not None
        return introspect(self, self.__interface__)


METHOD: Method = Service.introspect.__method__  # type: ignore[attr-defined]
METHOD.plugin = "introspection"
METHOD.details["additional_arguments"] = False  # its `run` looks at no arguments


def introspect(instance: Any, iface: Interface) -> tuple[str, dict[str, Any], str | None, Any]:
    """Return name, methods, docstring and data of the interface of an object."""
    methods = {name: describe(info) for name, info in iface.methods.items()}
    return iface.name, methods, type(instance).__doc__, instance.introspection_data


def describe(info: Method) -> dict[str, Any]:
    """Return the description of one method for its callers."""
    incoming, outgoing = info.attachments
    # Stated only if callers would guess otherwise from the declared arguments.
    declares = bool(info.required_arguments or info.optional_arguments)
    additional = takes_additional(info)
    return {
        "required_arguments": list(info.required_arguments),
        "optional_arguments": list(info.optional_arguments),
        "results": list(info.results),
        "docstring": info.wrapped.__doc__,
        "attachments": {"incoming": incoming, "outgoing": outgoing},
        **({} if additional is not declares else {"additional_arguments": additional}),
        **info.details,
    }
