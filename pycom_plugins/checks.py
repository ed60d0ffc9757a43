"""Argument checks: conditions on single arguments, stacked above a method."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pycom_core import BadRequest

if TYPE_CHECKING:
    from pycom_core import Interface, Method, Request

_FunctionT = TypeVar("_FunctionT", bound=Callable[..., Any])


def check_argument(
    name: str,
    valid_types: type | tuple[type, ...] | None = None,
    validator: Callable[[str, Any], object] | None = None,
    error_message: str | None = None,
) -> Callable[[_FunctionT], _FunctionT]:
    """Decorator above `pycom.method`: refuse a call whose argument `name` is not valid.

    `valid_types` is a type or types as for `isinstance`. `validator(name, value)` refuses by a
    false result, or by a TypeError or ValueError, whose text the caller gets. `error_message`
    replaces either text. A missing argument is not refused. Raises TypeError below `method`.
    """

    def check(iface: Interface, method: Method, request: Request) -> None:
        if not isinstance(request.args, dict) or name not in request.args:
            return
        value = request.args[name]
        where = f"argument {name!r} of '{iface.name}.{method.name}'"
        try:
            if valid_types is not None and not isinstance(value, valid_types):
                raise TypeError(
                    f"Invalid type for {where}, expected {_names(valid_types)}, "
                    f"got {type(value).__name__}"
                )
            if validator is not None and not validator(name, value):
                raise ValueError(f"Validation failed for {where}")
        except (TypeError, ValueError) as error:
            raise BadRequest(error_message or str(error)) from error

    def decorate(wrapped: _FunctionT) -> _FunctionT:
        method = getattr(wrapped, "__method__", None)
        if method is None:
            raise TypeError(
                f"{wrapped.__qualname__}: @check_argument goes above @method, not below"
            )
        method.prehooks.append(check)
        return wrapped

    return decorate


def _names(types: type | tuple[type, ...]) -> str:
    return " or ".join(kind.__name__ for kind in (types if isinstance(types, tuple) else (types,)))
