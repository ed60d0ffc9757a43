"""Checks of declarations of methods, which raise TypeError where a method is declared."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

_VARIADIC = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
#: Decorators that make context managers of functions.
_MAKERS: tuple[Any, ...] = (contextlib.contextmanager, contextlib.asynccontextmanager)
_CONTEXTS = [make(print).__code__ for make in _MAKERS]
#: The names that the parameter for the request may have if it has no annotation.
_REQUEST = re.compile(r"_.*|(.*_)?(r|rq|req|request)_?", re.I)


def title(function: Any) -> str:
    """Return the name of a function for messages: with its class."""
    found = getattr(function, "__qualname__", None)
    return found if isinstance(found, str) else f"{function!r:.100}"


def check_interface(wrapped: Any, name: Any) -> None:
    """Refuse objects that `interface` cannot decorate, and a malformed name."""
    if not inspect.isclass(wrapped):
        raise TypeError(f"@interface({name!r}) decorates classes, not {wrapped!r:.100}")
    if not isinstance(name, str) or not name:
        raise TypeError(
            f'{title(wrapped)}: an interface needs a name, @interface("com.foo.example"), '
            f"not {name!r:.100}"
        )


def check_function(function: Any, name: Any) -> None:
    """Refuse objects that `method` cannot decorate, and a malformed name."""
    inner = _inside(function)
    if inner is not None:
        kind = type(function).__name__
        raise TypeError(
            f"{title(inner)}: @method cannot be above @{kind}; make it an ordinary method of "
            "(self, request, …)"
        )
    if inspect.isclass(function) or not callable(function):
        raise TypeError(f"@method decorates functions, not {function!r:.100}")
    if name is None:
        name = getattr(function, "__name__", None)
        if name is None:
            raise TypeError(
                f'{function!r:.100} has no name of its own; write @method("name") above it'
            )
    if not isinstance(name, str) or not name:
        raise TypeError(f"{title(function)}: the name of a method is {name!r}, and must be a text")


def check_override(cls: type, attribute: str) -> None:
    """Refuse a plain function that overrides a method of a base."""
    found = inspect.getattr_static(cls, attribute, None)
    for base in cls.__mro__:
        known = getattr(vars(base).get(attribute), "__method__", None)
        if known is not None and found is not None:
            raise TypeError(
                f"{title(found)} takes the place of the method {known.name!r} of "
                f"{base.__qualname__}, and is none itself; decorate it with @method, or write "
                f"{attribute} = None in {cls.__qualname__} if there is to be no such method"
            )


def attach(function: Any, info: Any) -> None:
    """Attach a method to its function. Refuses a function that already has another."""
    known = getattr(function, "__method__", None)
    if known is not None and known.name != info.name:
        raise TypeError(
            f"{title(function)} is the method {known.name!r} already; for {info.name!r} use "
            f"Interface.register_method(method({info.name!r}, body=…))"
        )
    try:
        function.__method__ = info
    except AttributeError as error:
        raise TypeError(f"{title(function)}: {error}; call it from a function of yours") from error


def check_results(function: Any, results: Any) -> None:
    """Refuse results that are not a tuple of names."""
    advice = f'{title(function)}: results is {results!r}; write a tuple of names, ("one", "two")'
    if isinstance(results, (str, bytes)) or not isinstance(results, Sequence):
        raise TypeError(f'{advice}, or ("one",) where it is one')
    if not all(isinstance(name, str) and name for name in results):
        raise TypeError(advice)
    if len(set(results)) < len(results):
        raise TypeError(f"{advice}, each of them once")


def check_attachments(function: Any, attachments: Any) -> None:
    """Refuse attachments that are not a pair."""
    if not (
        isinstance(attachments, Sequence)
        and not isinstance(attachments, (str, bytes))
        and len(attachments) == 2
        and all(name is None or (isinstance(name, str) and name) for name in attachments)
    ):
        raise TypeError(
            f"{title(function)}: attachments is {attachments!r}; write a pair, the argument that "
            'receives the attachment and the result that leaves as one: ("blob", None)'
        )


def signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a function. Raises TypeError for a function that has none."""
    try:
        return inspect.signature(function)
    except ValueError as error:
        raise TypeError(f"{title(function)}: {error}; call it from a function of yours") from error


def check_signature(owner: str, function: Callable[..., Any], incoming: str | None) -> None:
    """Refuse a function that cannot be called with an object, a request and arguments by name."""
    parameters = list(signature(function).parameters.values())
    positional = [one for one in parameters if one.kind in _POSITIONAL]
    for one in parameters:
        if one.kind in _VARIADIC:
            raise _refusal(
                function,
                f"{owner}: nothing ever fills {_VARIADIC[one.kind]}{one.name}, as arguments come "
                "by name; name them, with a default those that may be missing. If it is of a "
                "decorator, have that use functools.wraps",
            )
    if len(positional) < 2:
        raise _refusal(
            function,
            f"{owner}{signature(function)} cannot be called with its object and a request; "
            "write def …(self, request, …)",
        )
    if not _is_request(positional[1]):
        raise _refusal(
            function,
            f"{owner}: {positional[1].name!r}, the first parameter after self, receives the "
            f"request; write def …(self, request, {positional[1].name}, …), or annotate it with "
            "pycom_core.Request if it is meant to be that",
        )
    if incoming is not None and incoming not in [one.name for one in parameters]:
        raise _refusal(
            function,
            f"{owner}: attachments names the argument {incoming!r}, which is not among its own",
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise _refusal(function, f"{owner} yields, and a generator is no result; return a list")
    if getattr(function, "__code__", None) in _CONTEXTS:
        raise _refusal(
            function, f"{owner} gives a context manager, which is no result; return what it has"
        )


def check_outgoing(
    owner: str, function: Callable[..., Any], outgoing: str | None, results: Sequence[str]
) -> None:
    """Refuse an outgoing attachment that is not among the results."""
    if outgoing is not None and outgoing not in results:
        named = ", ".join(map(repr, results)) or "none; name them: results=(…)"
        raise _refusal(
            function,
            f"{owner}: attachments names the result {outgoing!r}, which is not among its own: "
            f"{named}",
        )


def _refusal(function: Any, what: str) -> TypeError:
    """Return the exception for a function, with its place, as it is raised at the class."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return TypeError(f"{what} ({code.co_filename}, line {code.co_firstlineno})" if code else what)


def _is_request(parameter: inspect.Parameter) -> bool:
    return bool(_REQUEST.fullmatch(parameter.name)) or "Request" in str(parameter.annotation)


def below(cls: type, attribute: str) -> Any:
    """Return the function below a decorator in a class, if it can be told; otherwise None."""
    found = inspect.getattr_static(cls, attribute, None)
    return _inside(found) or getattr(found, "__wrapped__", None)


def _inside(found: Any) -> Any:
    if isinstance(found, (staticmethod, classmethod)):
        return found.__func__
    if isinstance(found, property):
        return found.fget
    if isinstance(
        found,
        (functools.cached_property, functools.partialmethod, functools.singledispatchmethod),
    ):
        return found.func
    return None
