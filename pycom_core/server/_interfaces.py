"""Interfaces: the methods of a class, under a name that clients call them by."""

from __future__ import annotations

import asyncio
import copy
import inspect
import sys
import weakref
from collections.abc import Callable
from typing import Any, TypeVar, cast

from pycom_core import timeouts
from pycom_core.client._component import BaseComponent
from pycom_core.errors import MethodNotFound
from pycom_core.messages import Future, Request, Response, Session
from pycom_core.server import _declarations as declarations
from pycom_core.server import _namesakes as namesakes
from pycom_core.server._methods import Method

_ClassT = TypeVar("_ClassT", bound=type)

AUTHENTICATION_POLICIES = ("required", "never", None)


class Interface(BaseComponent):
    """A named set of methods of one class; `interface` makes it.

    Used as a component it calls the methods in this process, without a server. Its own hooks run,
    those of plugins do not.
    """

    def __init__(
        self,
        wrapped: type,
        name: str,
        stateful: bool = False,
        authentication: str | None = None,
    ) -> None:
        declarations.check_interface(wrapped, name)
        if authentication not in AUTHENTICATION_POLICIES:
            raise ValueError(
                f"Interface {name}: authentication is {authentication!r}; "
                'write "required", "never" or None'
            )
        super().__init__(name)
        self.wrapped = wrapped
        self.stateful = stateful
        self.authentication = authentication
        self.methods: dict[str, Method] = {}
        self._instance: Any = None
        self.origin = namesakes.Origin(sys._getframe())
        self._session = Session("local")
        self._twins: weakref.WeakSet[Interface] = weakref.WeakSet()  # which get its new methods
        self._register_all()
        for info in self.methods.values():
            info.post_configure(self)

    def _register_all(self) -> None:
        """Register what is decorated in the class and its bases. Raises TypeError."""
        covered: dict[str, Method] = {}
        for attribute in dir(self.wrapped):
            info = getattr(declarations.below(self.wrapped, attribute), "__method__", None)
            if isinstance(info, Method):
                covered[attribute] = info
                continue
            info = getattr(getattr(self.wrapped, attribute, None), "__method__", None)
            if isinstance(info, Method):
                self.register_method(info)
            else:
                declarations.check_override(self.wrapped, attribute)
        for attribute, info in covered.items():
            if info not in self.methods.values():
                raise TypeError(
                    f"{self.wrapped.__qualname__}.{attribute}: calls pass by the decorator above "
                    "@method; put it below, directly above an ordinary def …(self, request, …)"
                )

    def __set_name__(self, owner: type, name: str) -> None:
        # A decorator above ours has made the class anew, as those for slots do.
        if (owner.__name__, owner.__module__) == (self.wrapped.__name__, self.wrapped.__module__):
            self.wrapped = owner

    def __repr__(self) -> str:
        return f"<Interface {self.name} of {self.wrapped.__qualname__}>"

    @property
    def instance(self) -> Any:
        """The one object whose methods are called, made at first use."""
        if self._instance is None:
            self._instance = self.wrapped()
        return self._instance

    @instance.setter
    def instance(self, value: Any) -> None:
        self._instance = value

    @property
    def session_id(self) -> str | None:
        """Id of the session of calls in this process, if the interface is stateful."""
        return self._session.session_id if self.stateful else None

    @session_id.setter
    def session_id(self, value: str | None) -> None:
        self._session = Session(value or "local")

    def with_timeout(self, timeout: float | None) -> Interface:
        """The interface itself: calls in place have no timeout. Raises ValueError for nan."""
        timeouts.limit(timeout)
        return self

    def of(self, instance: Any) -> Interface:
        """Return the same interface, of another object."""
        twin = copy.copy(self)
        twin.methods = dict(self.methods)
        twin._instance = instance
        twin._session = Session("local")
        twin._twins = weakref.WeakSet()
        self._twins.add(twin)
        return twin

    def register_method(self, method_info: Method) -> None:
        """Add a method. Raises RuntimeError if there is another of that name.

        Raises TypeError for a function that cannot be called with arguments by name.
        """
        name, function = method_info.name, method_info.wrapped
        known = self.methods.get(name, method_info)
        if known is not method_info:
            raise RuntimeError(
                f"Method {name!r} is already registered for interface {self.name}: "
                f"{declarations.title(known.wrapped)} and {declarations.title(function)} have that "
                "name; give one of them another"
            )
        # A method with a `run` of its own binds its arguments itself.
        if type(method_info).run is Method.run and not method_info._calls_itself:
            owner, here = declarations.title(function), f"{self.wrapped.__qualname__}.{name}"
            owner = here if owner == here else f"{owner} ({self.name}.{name})"
            incoming, outgoing = method_info.attachments
            declarations.check_signature(owner, function, incoming)
            declarations.check_outgoing(owner, function, outgoing, method_info.results)
        self.methods[name] = method_info
        for twin in self._twins:
            twin.methods.setdefault(method_info.name, method_info)

    def spoilt(self) -> str | None:
        """Say what is wrong with the attributes that anybody may change; None: nothing."""
        name: Any = self.name
        if not isinstance(name, str) or not name:
            return f"{self!r} has name = {name!r:.100}, which must be a text"
        methods: Any = self.methods
        if not isinstance(methods, dict):
            return f"{self!r} has methods = {methods!r:.100}, which must be a dict"
        for name, info in methods.items():
            if not isinstance(name, str) or not isinstance(info, Method):
                return (
                    f"{self!r} has methods[{name!r}] = {info!r:.100}; the key must be a name and "
                    "the value a Method: use register_method(pycom.method(name, body=function))"
                )
        return None

    def find_method(self, name: str) -> Method:
        """The method of that remote name. Raises `MethodNotFound`."""
        try:
            return self.methods[name]
        except KeyError:
            raise MethodNotFound(f"Method {name!r} not found in interface {self.name}") from None

    def invoke_with_request(self, request: Request, timeout: float | None = None) -> Response:
        """Call a method of this process. `timeout` is ignored."""
        if self.stateful and request.session is None:
            request.session = self._session
        response: Any = self.find_method(request.method).call(self, request)
        if inspect.isawaitable(response):
            response = asyncio.run(_complete(response))
        if isinstance(response, Future):
            raise RuntimeError(f"{self.name}.{request.method} answers later, and needs a server")
        return cast("Response", response)


async def _complete(response: Any) -> Any:
    while inspect.isawaitable(response):
        response = await response
    return response


def interface(
    name: str, stateful: bool = False, authentication: str | None = None
) -> Callable[[_ClassT], _ClassT]:
    """Class decorator: the class provides the interface `name`, as `__interface__`.

    `stateful` keeps a session for each client. `authentication` is "required", "never", or None
    for that of the configuration. Raises TypeError for a class that cannot be served as it is
    written, or if `introspection_data` is no dict. Raises RuntimeError if another class of the
    process provides an interface of that name, unless this one is derived from it or made in a
    function.
    """
    if inspect.isclass(name):
        declarations.check_interface(name, None)

    def decorate(wrapped: _ClassT) -> _ClassT:
        known = getattr(wrapped, "__dict__", {}).get("__interface__")
        if isinstance(known, Interface):
            raise TypeError(
                f"{wrapped.__qualname__} is the interface {known.name} already; "
                f"for {name} decorate a class that is derived from it"
            )
        if not isinstance(getattr(wrapped, "introspection_data", {}), dict):
            raise TypeError(f"{wrapped.__qualname__}.introspection_data must be a dict")
        made = Interface(wrapped, name, stateful, authentication)
        made.origin = namesakes.Origin(sys._getframe(1))
        namesakes.claim(made)
        wrapped.__interface__ = made  # type: ignore[attr-defined]
        return wrapped

    return decorate
