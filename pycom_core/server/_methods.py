"""Methods: the functions of a class that clients call by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar, overload

from pycom_core import constants
from pycom_core.errors import BadRequest, RemoteError
from pycom_core.loops._failures import is_failure
from pycom_core.messages import Future, Request, Response
from pycom_core.plugins._chains import Chains
from pycom_core.server import _declarations as declarations

#: The `Interface` of a method. Interfaces are made of methods, so that these do not know the class.
Owner = Any
Hook = Callable[[Owner, "Method", Any], Any]
_FunctionT = TypeVar("_FunctionT", bound=Callable[..., Any])

_NO_PLUGINS: Final = Chains()


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

    def post_configure(self, owner_iface: Owner) -> None:
        """Called once the interface that owns the method is complete."""

    def call(self, iface: Owner, request: Request) -> Any:
        """Call without a server: a Response, a Future, or an awaitable Response."""
        request = self._prepare(iface, request, _NO_PLUGINS, own=True)
        return self._conclude_call(iface, request, self.run(iface, request))

    def _conclude_call(self, iface: Owner, request: Request, result: Any) -> Any:
        if isinstance(result, Future):
            later = Future(request)
            result.add_done_callback(partial(self._pass_on, iface, request, later))
            return later
        if hasattr(result, "__await__"):
            return self._conclude_later(iface, request, result)
        return self._conclude(iface, request, result, _NO_PLUGINS, own=True)

    async def _conclude_later(self, iface: Owner, request: Request, result: Any) -> Any:
        return self._conclude_call(iface, request, await result)

    def _pass_on(self, iface: Owner, request: Request, later: Future, response: Response) -> None:
        """Complete a future with the transformed response of another one."""
        try:
            answer = self._conclude(iface, request, response, _NO_PLUGINS, own=True)
        except RemoteError as error:
            later.error(error.code or constants.ERROR_UNKNOWN, str(error))
        except BaseException as error:
            later.exception()
            if not is_failure(error):
                raise
        else:
            later._complete(answer)

    def prepare(self, iface: Owner, request: Request, chains: Chains) -> Request:
        """Do the work of a server with these plugins before `start`; return the request for it."""
        return self._prepare(iface, request, chains, own=not self._calls_itself)

    def conclude(self, iface: Owner, request: Request, result: Any, chains: Chains) -> Response:
        """Do the work of a server after it; return the response."""
        return self._conclude(iface, request, result, chains, own=not self._calls_itself)

    def _prepare(self, iface: Owner, request: Request, chains: Chains, own: bool) -> Request:
        # Checks.
        self.check_arguments(iface, request)
        blob = request.attachment
        if self._takes_view and blob is not None:
            # Of every size alike: a small one may be of `bytes`.
            request.attachment = memoryview(blob).toreadonly()
        elif type(blob) is memoryview:
            request.attachment = bytes(blob)

        # Prehooks: those of plugins, and the method's own.
        for hook in chains.prehook:
            hook(iface, self, request)
        if own and self.prehooks:
            request = run_hooks(self.prehooks, iface, self, request)
        return request

    def _conclude(
        self, iface: Owner, request: Request, result: Any, chains: Chains, own: bool
    ) -> Response:
        # Posthooks: the method's own, and those of plugins.
        response: Response = self.respond(iface, request, result) if own else result
        for hook in chains.posthook:
            hook(iface, self, response)
        return response

    def start(self, iface: Owner, request: Request) -> Any:
        """Run the function itself, or an overridden `call`."""
        return (self.call if self._calls_itself else self.run)(iface, request)

    def check_arguments(self, iface: Owner, request: Request) -> None:
        """Refuse arguments that are not an object, if the method declares any."""
        if self.required_arguments or self.optional_arguments:
            if request.args is None:
                request.args = {}
            elif not isinstance(request.args, dict):
                raise BadRequest(f"Expected dictionary as argument for {iface.name}.{self.name}")

    def run(self, iface: Owner, request: Request) -> Any:
        """Bind the arguments and run the function itself. Raises `BadRequest`."""
        given = request.args
        if self.attachments[0] is not None:
            given = self.with_attachment(request)
        try:
            positional = [given[name] for name in self.required_arguments]
        except KeyError as missing:
            raise self._missing(iface, missing.args[0]) from None
        if self.optional_arguments or self._keyword_only:
            keywords = {}
            for name in self.optional_arguments:  # before 3.12 a comprehension is a call
                if name in given:
                    keywords[name] = given[name]
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

    def _missing(self, iface: Owner, name: str) -> BadRequest:
        kind = "Attachment" if name == self.attachments[0] else "Argument"
        return BadRequest(f"{kind} {name!r} is required for {iface.name}.{self.name}")

    def respond(self, iface: Owner, request: Request, result: Any) -> Response:
        """Name the results, split off the attachment, and run the method's own posthooks."""
        response = result if isinstance(result, Response) else request.response(result)
        if self.results and not response.code:
            self._name_results(iface, response)
        return run_hooks(self.posthooks, iface, self, response) if self.posthooks else response

    def _name_results(self, iface: Owner, response: Response) -> None:
        names = self.results
        values = (response.result,) if len(names) == 1 else response.result
        if not isinstance(values, tuple) or len(values) != len(names):
            raise RuntimeError(
                f"{iface.name}.{self.name} must return a tuple of {len(names)}: {', '.join(names)}"
            )
        response.result = dict(zip(names, values, strict=True))
        if self.attachments[1] in response.result:
            response.attachment = response.result.pop(self.attachments[1])


_DataT = TypeVar("_DataT", Request, Response)


def run_hooks(hooks: Sequence[Hook], iface: Owner, method: Method, data: _DataT) -> _DataT:
    """Pass `data` through a method's own hooks."""
    for hook in hooks:
        replacement = hook(iface, method, data)
        if replacement is not None and replacement is not data:
            if isinstance(replacement, Request) and isinstance(data, Request):
                replacement.continues(data)
            data = replacement
    return data


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
