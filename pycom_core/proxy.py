"""Proxies: the methods of a remote interface as Python methods."""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from pycom_core.client import Client
from pycom_core.components import BaseComponent
from pycom_core.context import Context
from pycom_core.copying import LOCATE_AGAIN, refused
from pycom_core.errors import ServiceNotAvailable


class ProxyContext:
    """A `Context` whose components are proxies; takes the arguments of one, or one to wrap."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and isinstance(args[0], Context):
            self._wrapped = args[0]
        else:
            self._wrapped = Context(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_wrapped" or name.startswith("__"):  # what Python asks for is of this object
            raise AttributeError(name)
        return getattr(self._wrapped, name)

    def __copy__(self) -> ProxyContext:
        return ProxyContext(self._wrapped.__copy__())

    def __deepcopy__(self, memo: object) -> ProxyContext:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        return ProxyContext, (self._wrapped,)

    def nameserver(self) -> ProxyComponent:
        """See `Context.nameserver`."""
        return ProxyComponent(self._wrapped.nameserver())

    def locate(self, iface: str, service_name: str | None = None) -> ProxyComponent:
        """See `Context.locate`."""
        component = self._wrapped.locate(iface, service_name)
        try:
            return ProxyComponent(component)
        except BaseException:
            component.close()  # its service was not called: the balancer is to know
            raise

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
        self._methods: Mapping[str, Any] = (
            wrapped.context.description(wrapped)
            if isinstance(wrapped, Client) and wrapped.context is not None
            else wrapped.introspect()["methods"]
        )

    __reduce__ = refused(LOCATE_AGAIN)

    def __getattr__(self, name: str) -> Any:
        if name in ("_methods", "_wrapped") or name.startswith("__"):
            raise AttributeError(name)
        description = self._methods.get(name)
        if description is not None:
            call = describe_call(self._wrapped.name, name, description)
            invoke = self._wrapped.invoke

            def method(*args: Any, **kwargs: Any) -> Any:
                attachment = call.bind(args, kwargs)
                return call.read(invoke(name, args=kwargs, attachment=attachment))

            method.__name__, method.__doc__ = name, call.docstring
            self.__dict__[name] = method  # found without `__getattr__` from now on
            return method
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


class Call:
    """How one remote method is called, as its introspection describes it."""

    def __init__(self, interface: str, name: str, description: Mapping[str, Any]) -> None:
        self.name = name
        self.docstring: str = description.get("docstring") or f"Remote method {interface}.{name}."
        self._required: list[str] = description["required_arguments"]
        self._results: list[str] = description["results"]
        self._incoming: str | None = description["attachments"]["incoming"]
        self._outgoing: str | None = description["attachments"]["outgoing"]
        self._tuple: Any = None
        if len(self._results) > 1:
            self._tuple = _tuple_of(tuple(self._results))

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Move positional arguments to `kwargs`, and return the attachment out of them.

        Raises TypeError as a Python call would.
        """
        name, required = self.name, self._required
        if args:
            if len(args) > len(required):
                raise TypeError(
                    f"{name}() takes {len(required)} positional arguments, "
                    f"but {len(args)} were given"
                )
            for argument, value in zip(required, args, strict=False):
                if argument in kwargs:
                    raise TypeError(f"{name}() got multiple values for argument {argument!r}")
                kwargs[argument] = value
        for argument in required:
            if argument not in kwargs:
                raise TypeError(f"{name}() misses the required argument {argument!r}")
        return None if self._incoming is None else kwargs.pop(self._incoming, None)

    def read(self, result: Any) -> Any:
        """The value that a Python call would return, of what `invoke` returned."""
        if isinstance(result, tuple) and self._outgoing is not None:
            result, attachment = result
            if not isinstance(result, dict):
                return result, attachment
            result[self._outgoing] = attachment
        elif self._outgoing in self._results and isinstance(result, dict):
            result.setdefault(self._outgoing, None)  # this time the method sent none
        if self._tuple is not None:
            return self._tuple(*(result[name] for name in self._results))
        return result[self._results[0]] if self._results else result


@functools.lru_cache(256)
def _tuple_of(names: tuple[str, ...]) -> Any:
    def __reduce__(self: Any) -> tuple[Any, ...]:
        return _results, (names, tuple(self))

    base = namedtuple("Results", names, rename=True)  # type: ignore[misc]
    return type("Results", (base,), {"__slots__": (), "__reduce__": __reduce__})


def _results(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    """Several results of a call, unpickled."""
    return _tuple_of(names)(*values)


def describe_call(interface: str, name: str, description: Mapping[str, Any]) -> Call:
    """How a method is called. Raises `ServiceNotAvailable` for what describes none."""
    try:
        return Call(interface, name, description)
    except (KeyError, TypeError) as error:
        raise ServiceNotAvailable(
            f"{interface} describes its method {name!r} in a way that is not understood"
        ) from error
