"""Remote methods as attributes of a component, sync or asyncio."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pycom_core._copying import LOCATE_AGAIN, refused
from pycom_core.client._binding import Call, Calls
from pycom_core.client._signatures import types_in

_Self = TypeVar("_Self", bound="RemoteMethods")


class own:
    """A property of the component itself, which gives way to a remote method of its name."""

    def __init__(self, get: Callable[[Any], Any]) -> None:
        self._get = get
        self.__doc__ = get.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, component: RemoteMethods | None, owner: type | None = None) -> Any:
        if component is None:
            return self
        if self._name in component._calls:
            return component._method(self._name)
        return self._get(component)


def own_method(function: Callable[..., Any]) -> own:
    """A method of the component itself, which gives way to a remote method of its name."""
    found = own(function.__get__)
    found.__doc__ = function.__doc__
    return found


class _SessionId(own):
    def __set__(self, component: RemoteMethods, value: str | None) -> None:
        if self._name in component._calls:
            raise AttributeError(f"{self._name} is a method of {component._wrapped.name}")
        component._wrapped.session_id = value


class RemoteMethods:
    """A component whose remote methods are methods in Python.

    Required arguments may be positional, all may be keywords, attachments among them. Wrong ones
    raise TypeError before anything is sent. Several results come as a named tuple.
    """

    def __init__(self, component: Any, calls: Calls) -> None:
        self._wrapped, self._calls = component, calls

    __reduce__ = refused(LOCATE_AGAIN)

    @own_method
    def with_timeout(self: _Self, timeout: float | None) -> _Self:
        """Return the same component, session and connection, with its own timeout for each call.

        `timeout` is in ms; None and infinity are no limit. Raises ValueError for nan.
        """
        twin = object.__new__(type(self))
        # Not the functions that are made already: they call this one.
        twin.__dict__ = {k: v for k, v in self.__dict__.items() if k not in self._calls}
        twin._wrapped, twin._calls = self._wrapped.with_timeout(timeout), self._calls
        return twin

    @_SessionId
    def session_id(self) -> str | None:
        """Id of the session with a stateful interface.

        Set it to continue a session that was begun elsewhere; None begins a new one.
        """
        return self._wrapped.session_id  # type: ignore[no-any-return]

    def _function(self, call: Call) -> Any:
        """Return a function that calls a remote method."""
        raise NotImplementedError

    def _method(self, name: str) -> Any:
        call = self._calls.get(name)
        if call is None:
            raise AttributeError(f"Interface {self._wrapped.name} has no method {name!r}")
        function = self.__dict__.get(name)
        if function is None:
            function = self.__dict__[name] = self._function(call)  # found at once from now on
            function.__name__, function.__doc__ = name, call.described.docstring
            function.__qualname__ = f"{call.described.interface}.{name}"
            function.__signature__ = call.signature
            function.__annotations__ = types_in(call.signature)
        return function

    def __getattr__(self, name: str) -> Any:
        # What Python asks for is of this object, which may have nothing in it yet.
        if name in ("_calls", "_wrapped") or name.startswith("__"):
            raise AttributeError(name)
        return self._method(name)

    def __dir__(self) -> list[str]:
        return list({*super().__dir__(), *self._calls})
