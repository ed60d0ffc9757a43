"""The search for methods that may take arguments that they do not declare."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

from pycom_core import Method

_ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")
#: The results for methods so far, whose functions do not change.
_known: WeakKeyDictionary[Method, bool] = WeakKeyDictionary()


def takes_additional(method: Method) -> bool:
    """Tell whether arguments that a method does not declare may mean something to it."""
    if method not in _known:
        _known[method] = _function_takes(method)
    declares = bool(method.required_arguments or method.optional_arguments)
    return _known[method] or (not declares and bool(method.prehooks))


def _function_takes(method: Method) -> bool:
    parameters = inspect.signature(method.wrapped).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return True
    if method.required_arguments or method.optional_arguments:
        return False
    own_ways = type(method).run is not Method.run or type(method).call is not Method.call
    return own_ways or _may_look(method.wrapped)


def _may_look(function: Callable[..., Any]) -> bool:
    """Tell whether a function of `self` and a request may look at the request's `args`.

    It does not if it only uses other attributes of the request.
    """
    code = getattr(function, "__code__", None)
    if code is None or code.co_argcount < 2 or hasattr(function, "__wrapped__"):
        return True
    request = code.co_varnames[1]
    for one, following in pairwise(dis.get_instructions(code)):
        # Some instructions of Python 3.13 have two variables.
        names = one.argval if isinstance(one.argval, tuple) else (one.argval,)
        if request not in names:
            continue
        is_plain = one.opname.endswith("LOAD_FAST") and names.index(request) == len(names) - 1
        if not is_plain or following.opname not in _ATTRIBUTE or following.argval == "args":
            return True
    return False
