"""The annotations of a method, read."""

from __future__ import annotations

import builtins
import inspect
from types import SimpleNamespace
from typing import Any, get_type_hints

import attrs

from pycom_core import ConfigurationError, Interface, Method


@attrs.frozen
class Argument:
    """One argument. Without an annotation it may be anything."""

    name: str
    type: Any
    default: Any  #: `inspect.Parameter.empty` where it is required
    keyword_only: bool

    @property
    def required(self) -> bool:
        """True if it has no default."""
        return self.default is inspect.Parameter.empty


@attrs.frozen
class Signature:
    """The arguments of a method, its attachment among them, and its result."""

    arguments: tuple[Argument, ...]
    result: Any


def read(iface: Interface, method: Method) -> Signature | None:
    """Return the signature of a method, or None if its annotations promise nothing.

    Raises `ConfigurationError` for an annotation that cannot be resolved.
    """
    signature = inspect.signature(method.wrapped)
    parameters = [
        parameter
        for parameter in list(signature.parameters.values())[2:]
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    names = _Names(iface, method)
    arguments = tuple(
        Argument(
            parameter.name,
            Any
            if parameter.name == method.attachments[0]
            else names.resolve(f"argument {parameter.name!r}", parameter.annotation),
            parameter.default,
            parameter.kind is parameter.KEYWORD_ONLY,
        )
        for parameter in parameters
    )
    result = names.resolve("the result", signature.return_annotation)
    if result is Any and all(argument.type is Any for argument in arguments):
        return None
    return Signature(arguments, result)


class _Names:
    """The names that annotations of one method may use."""

    def __init__(self, iface: Interface, method: Method) -> None:
        self._where = f"{iface.name}.{method.name}"
        self._class, self._function = iface.wrapped, inspect.unwrap(method.wrapped)
        self._known: dict[str, Any] | None = None

    def resolve(self, what: str, annotation: Any) -> Any:
        """Return the type that an annotation stands for. Raises `ConfigurationError`."""
        if annotation is inspect.Parameter.empty:
            return Any
        try:
            # As of a function, but one by one: `self` and the request may say what they like.
            annotated = SimpleNamespace(__annotations__={"it": annotation})
            found = get_type_hints(annotated, {}, self._all(), include_extras=True)["it"]
        except Exception as error:
            raise ConfigurationError(
                f"{self._where}: the annotation {annotation!r} of {what} cannot be resolved: "
                f"{error}. It has to name what the module or the class holds when the service "
                "starts, also without a type checker"
            ) from error
        return Any if found is object else found

    def _all(self) -> dict[str, Any]:
        if self._known is None:
            self._known = {}
            for cls in reversed(self._class.__mro__):
                self._known.update(vars(cls))
            # Later, so that a method called `list` does not hide the type from annotations.
            self._known.update(vars(builtins))
            self._known.update(getattr(self._function, "__globals__", {}))
        return self._known
