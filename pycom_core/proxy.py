"""Proxies: the methods of a remote interface as Python methods."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from pycom_core.components import BaseComponent
from pycom_core.context import Context


class ProxyContext:
    """A `Context` whose components are proxies; takes the arguments of one, or one to wrap."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and isinstance(args[0], Context):
            self._wrapped = args[0]
        else:
            self._wrapped = Context(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    def nameserver(self) -> ProxyComponent:
        """See `Context.nameserver`."""
        return ProxyComponent(self._wrapped.nameserver())

    def locate(self, iface: str, service_name: str | None = None) -> ProxyComponent:
        """See `Context.locate`."""
        return ProxyComponent(self._wrapped.locate(iface, service_name))

    def connect(self, address: str, iface: str) -> ProxyComponent:
        """See `Context.connect`."""
        return ProxyComponent(self._wrapped.connect(address, iface))


class ProxyComponent:
    """Remote methods as Python methods; a context manager that closes the component.

    Required arguments may be positional, all may be keywords, attachments among them. Several
    results come as a named tuple. The names of the component itself (`close`, `invoke`, `name`)
    are there where the interface has no method of that name.
    """

    def __init__(self, wrapped: BaseComponent) -> None:
        self._wrapped = wrapped
        self._methods: Mapping[str, Any] = wrapped.introspect()["methods"]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        description = self._methods.get(name)
        if description is not None:
            call = proxy_method(self._wrapped.name, name, description, self._wrapped.invoke)
            self.__dict__[name] = call  # found without this method from now on
            return call
        if name in ("close", "invoke", "invoke_with_request", "name", "context"):
            return getattr(self._wrapped, name)
        raise AttributeError(f"Interface {self._wrapped.name} has no method {name!r}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._methods]

    def __repr__(self) -> str:
        return f"<Proxy of {self._wrapped!r}>"

    def __enter__(self) -> ProxyComponent:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._wrapped.close()


def proxy_method(
    interface: str, name: str, description: Mapping[str, Any], invoke: Callable[..., Any]
) -> Callable[..., Any]:
    """A function that calls one remote method as its introspection describes it."""
    required = description["required_arguments"]
    shape = ResultShape(description)
    incoming = description["attachments"]["incoming"]

    def call(*args: Any, **kwargs: Any) -> Any:
        attachment = bind(call.__name__, required, args, kwargs, incoming)
        return shape.read(invoke(name, args=kwargs, attachment=attachment))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = description.get("docstring") or f"Remote method {interface}.{name}."
    return call


def bind(
    name: str,
    required: list[str],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    incoming: str | None,
) -> Any:
    """Move positional arguments to `kwargs`, and return the attachment out of them.

    Raises TypeError as a Python call would.
    """
    if len(args) > len(required):
        raise TypeError(
            f"{name}() takes {len(required)} positional arguments, but {len(args)} were given"
        )
    for argument, value in zip(required, args, strict=False):
        if argument in kwargs:
            raise TypeError(f"{name}() got multiple values for argument {argument!r}")
        kwargs[argument] = value
    for argument in required:
        if argument not in kwargs:
            raise TypeError(f"{name}() misses the required argument {argument!r}")
    return None if incoming is None else kwargs.pop(incoming, None)


class ResultShape:
    """What the results of a method are made into."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._names: list[str] = description["results"]
        self._outgoing: str | None = description["attachments"]["outgoing"]
        self._tuple: Any = None
        if len(self._names) > 1:
            self._tuple = namedtuple("Results", self._names, rename=True)  # type: ignore[misc]

    def read(self, result: Any) -> Any:
        """The value that a Python call would return, of what `invoke` returned."""
        if isinstance(result, tuple) and self._outgoing is not None:
            result, attachment = result
            if isinstance(result, dict):
                result[self._outgoing] = attachment
            else:
                return result, attachment
        if self._tuple is not None:
            return self._tuple(*(result[name] for name in self._names))
        return result[self._names[0]] if self._names else result
