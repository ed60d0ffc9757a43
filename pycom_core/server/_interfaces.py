"""Interfaces and methods, which let clients call the functions of a class by name."""

from __future__ import annotations

import asyncio
import copy
import inspect
import sys
import weakref
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, Final, TypeVar, cast, overload

from pycom_core import constants, timeouts
from pycom_core._steps import finish
from pycom_core.client._component import BaseComponent
from pycom_core.errors import BadRequest, MethodNotFound, RemoteError
from pycom_core.loops._failures import is_failure
from pycom_core.messages import Future, Request, Response, Session
from pycom_core.plugins._chains import Chains
from pycom_core.server import _declarations as declarations

Hook = Callable[["Interface", "Method", Any], Any]
Steps = Generator[Request, Any, Response]
_ClassT = TypeVar("_ClassT", bound=type)
_FunctionT = TypeVar("_FunctionT", bound=Callable[..., Any])

_NO_PLUGINS: Final = Chains()

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


class Method:
    """A function that can be called by name; `method` makes it.

    `prehooks` and `posthooks` are lists of `hook(iface, method, data)`; an object that a hook
    returns replaces the data, None leaves it.
    """

    def __init__(
        self,
        wrapped: Callable[..., Any],
        name: str,
        results: Sequence[str] = (),
        attachments: tuple[str | None, str | None] = (None, None),
    ) -> None:
        declarations.check_results(wrapped, results)
        declarations.check_attachments(wrapped, attachments)
        self.wrapped = wrapped
        self.name = name
        self.results = tuple(results)
        self.attachments = attachments
        self.prehooks: list[Hook] = []
        self.posthooks: list[Hook] = []
        #: Name of the plugin that the method belongs to: a server without it does not offer it.
        self.plugin: str | None = None
        #: Further keys of its introspection: JSON values that plugins add.
        self.details: dict[str, Any] = {}
        self.is_async = inspect.iscoroutinefunction(wrapped)
        # A subclass brings its own `call`, which then runs the hooks of the method itself.
        self._calls_itself = type(self).call is not Method.call
        # True if it wants the attachment without a copy: the argument is then a `memoryview`.
        self._takes_view = False
        self.required_arguments: list[str] = []
        self.optional_arguments: list[str] = []
        #: The required arguments that cannot be positional, the last of them first.
        self._keyword_only: list[str] = []
        #: The optional arguments that cannot be keywords, with their defaults.
        self._positional_only: list[tuple[str, Any]] = []
        for parameter in list(declarations.signature(wrapped).parameters.values())[2:]:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            if parameter.name == attachments[0]:
                self._takes_view = parameter.annotation in (memoryview, "memoryview")
            if parameter.default is not parameter.empty:
                self.optional_arguments.append(parameter.name)
                if parameter.kind is parameter.POSITIONAL_ONLY:
                    self._positional_only.append((parameter.name, parameter.default))
            else:
                self.required_arguments.append(parameter.name)
                if parameter.kind is parameter.KEYWORD_ONLY:
                    self._keyword_only.insert(0, parameter.name)

    def __repr__(self) -> str:
        return f"<Method {self.name}>"

    def post_configure(self, owner_iface: Interface) -> None:
        """Called once the interface that owns the method is complete."""

    def call(self, iface: Interface, request: Request) -> Any:
        """Call without a server: a Response, a Future, or an awaitable Response."""
        steps = self._steps(iface, request, _NO_PLUGINS, own=True)
        return self._conclude(steps, request, self.run(iface, next(steps)))

    def _conclude(self, steps: Steps, request: Request, result: Any) -> Any:
        if isinstance(result, Future):
            later = Future(request)
            result.add_done_callback(partial(_pass_on, steps, later))
            return later
        if hasattr(result, "__await__"):
            return self._conclude_later(steps, request, result)
        return finish(steps, result)

    async def _conclude_later(self, steps: Steps, request: Request, result: Any) -> Any:
        return self._conclude(steps, request, await result)

    def steps(self, iface: Interface, request: Request, chains: Chains) -> Steps:
        """Do the work of a server with these plugins around the run of the method.

        The pause gives the request for `start`; `finish` gives the response.
        """
        return self._steps(iface, request, chains, own=not self._calls_itself)

    def _steps(self, iface: Interface, request: Request, chains: Chains, own: bool) -> Steps:
        # Checks.
        self.check_arguments(iface, request)
        blob = request.attachment
        if blob is not None and (type(blob) is memoryview) is not self._takes_view:
            request.attachment = memoryview(blob) if self._takes_view else bytes(blob)

        # Prehooks: those of plugins, and the method's own.
        for hook in chains.prehook:
            hook(iface, self, request)
        if own and self.prehooks:
            request = run_hooks(self.prehooks, iface, self, request)

        # Run.
        result = yield request

        # Posthooks.
        response: Response = self.respond(iface, request, result) if own else result
        for hook in chains.posthook:
            hook(iface, self, response)
        return response

    def start(self, iface: Interface, request: Request) -> Any:
        """Run the function within the steps, or an overridden `call`."""
        return (self.call if self._calls_itself else self.run)(iface, request)

    def check_arguments(self, iface: Interface, request: Request) -> None:
        """Refuse arguments that are not an object, if the method declares any."""
        if self.required_arguments or self.optional_arguments:
            if request.args is None:
                request.args = {}
            elif not isinstance(request.args, dict):
                raise BadRequest(f"Expected dictionary as argument for {iface.name}.{self.name}")

    def run(self, iface: Interface, request: Request) -> Any:
        """Bind the arguments and run the function itself. Raises `BadRequest`."""
        given = request.args
        if self.attachments[0] is not None:
            given = self.with_attachment(request)
        try:
            positional = [given[name] for name in self.required_arguments]
        except KeyError as missing:
            raise self._missing(iface, missing.args[0]) from None
        if self.optional_arguments or self._keyword_only:
            keywords = {name: given[name] for name in self.optional_arguments if name in given}
            for name in self._keyword_only:
                keywords[name] = positional.pop()
            if self._positional_only:
                positional += [keywords.pop(name, one) for name, one in self._positional_only]
            return self.wrapped(iface.instance, request, *positional, **keywords)
        return self.wrapped(iface.instance, request, *positional)

    def with_attachment(self, request: Request) -> dict[str, Any]:
        """Return the arguments, with the attachment, and nothing else, under its name."""
        name = self.attachments[0]
        given = {key: value for key, value in (request.args or {}).items() if key != name}
        if name is not None and request.attachment is not None:
            given[name] = request.attachment
        return given

    def _missing(self, iface: Interface, name: str) -> BadRequest:
        kind = "Attachment" if name == self.attachments[0] else "Argument"
        return BadRequest(f"{kind} {name!r} is required for {iface.name}.{self.name}")

    def respond(self, iface: Interface, request: Request, result: Any) -> Response:
        """Name the results, split off the attachment, and run the method's own posthooks."""
        response = result if isinstance(result, Response) else request.response(result)
        if self.results and not response.code:
            self._name_results(iface, response)
        return run_hooks(self.posthooks, iface, self, response) if self.posthooks else response

    def _name_results(self, iface: Interface, response: Response) -> None:
        names = self.results
        values = (response.result,) if len(names) == 1 else response.result
        if not isinstance(values, tuple) or len(values) != len(names):
            raise RuntimeError(
                f"{iface.name}.{self.name} must return a tuple of {len(names)}: {', '.join(names)}"
            )
        response.result = dict(zip(names, values, strict=True))
        if self.attachments[1] in response.result:
            response.attachment = response.result.pop(self.attachments[1])


def _pass_on(steps: Steps, later: Future, response: Response) -> None:
    """Complete a future with the transformed response of another one."""
    try:
        answer = finish(steps, response)
    except RemoteError as error:
        later.error(error.code or constants.ERROR_UNKNOWN, str(error))
    except BaseException as error:
        later.exception()
        if not is_failure(error):
            raise
    else:
        later._complete(answer)


_DataT = TypeVar("_DataT", Request, Response)


def run_hooks(hooks: Sequence[Hook], iface: Interface, method: Method, data: _DataT) -> _DataT:
    """Pass `data` through a method's own hooks."""
    for hook in hooks:
        replacement = hook(iface, method, data)
        if replacement is not None and replacement is not data:
            if isinstance(replacement, Request) and isinstance(data, Request):
                replacement.continues(data)
            data = replacement
    return data


def interface(
    name: str, stateful: bool = False, authentication: str | None = None
) -> Callable[[_ClassT], _ClassT]:
    """Class decorator: the class provides the interface `name`, as `__interface__`.

    `stateful` keeps a session for each client. `authentication` is "required", "never", or None
    for that of the configuration. Raises TypeError for a class that cannot be served as it is
    written, or if `introspection_data` is no dict. Raises RuntimeError if another class of the
    module provides an interface of that name.
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
        _refuse_namesake(wrapped, name)
        wrapped.__interface__ = made  # type: ignore[attr-defined]
        return wrapped

    return decorate


def _refuse_namesake(wrapped: type, name: str) -> None:
    # Other modules may have one too, as doubles in tests do, and so may classes in functions and
    # derived classes: a server refuses the second. A class of the same name is this one, reloaded.
    if "<locals>" in wrapped.__qualname__:
        return
    for other in list(vars(sys.modules.get(wrapped.__module__, object)).values()):
        iface = vars(other).get("__interface__") if inspect.isclass(other) else None
        if (
            isinstance(iface, Interface)
            and iface.name == name
            and other.__module__ == wrapped.__module__
            and other.__qualname__ != wrapped.__qualname__
            and not issubclass(wrapped, other)
        ):
            raise RuntimeError(
                f"Interface {name} of {wrapped.__qualname__} is provided by {other.__qualname__} "
                "already; give one of them another name, or make a double for tests in a function"
            )


@overload
def method(name: _FunctionT) -> _FunctionT: ...
@overload
def method(
    name: str | None = None,
    body: None = None,
    method_factory: Callable[..., Method] | None = None,
    results: Sequence[str] = (),
    attachments: tuple[str | None, str | None] = (None, None),
) -> Callable[[_FunctionT], _FunctionT]: ...
@overload
def method(
    name: str | None,
    body: Callable[..., Any],
    method_factory: Callable[..., Method] | None = None,
    results: Sequence[str] = (),
    attachments: tuple[str | None, str | None] = (None, None),
) -> Method: ...
def method(
    name: Any = None,
    body: Callable[..., Any] | None = None,
    method_factory: Callable[..., Method] | None = None,
    results: Sequence[str] = (),
    attachments: tuple[str | None, str | None] = (None, None),
) -> Any:
    """Decorator: the function can be called by `name`, its own where none is given.

    Its first parameter after `self` is the `Request`. `results` names the items of the tuple that
    it returns. `attachments` names the argument that receives the attachment, and the result that
    is sent as one. With `body` it decorates nothing, and returns the object for
    `Interface.register_method`. `method_factory` replaces `Method`. Raises TypeError for a
    function that cannot be a method.
    """
    make = method_factory or Method

    def made(wrapped: Any, remote_name: Any) -> Method:
        declarations.check_function(wrapped, remote_name)
        remote_name = wrapped.__name__ if remote_name is None else remote_name
        return make(wrapped, remote_name, results, attachments)

    def decorate(wrapped: _FunctionT, remote_name: Any = name) -> _FunctionT:
        declarations.attach(wrapped, made(wrapped, remote_name))
        return wrapped

    if body is not None:
        return made(body, name)
    if name is not None and not isinstance(name, str):
        return decorate(name, None)
    return decorate
