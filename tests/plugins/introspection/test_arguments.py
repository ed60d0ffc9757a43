"""The search for methods that may take arguments which they do not declare."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from pycom_core import Interface, Method, Request, method
from pycom_plugins.introspection.service import describe


def declares(function: Any) -> Any:
    return describe(method(body=function, name="bar")).get("additional_arguments")


def nothing(self: Any, request: Request) -> Any: ...


def session(self: Any, request: Request) -> Any:
    request.session.setdefault("a", [])  # type: ignore[union-attr]
    return request.response([self.other, request.session], b"")


async def awaits(self: Any, request: Request) -> Any:
    return await request.async_context().locate(self.name)


def reads(self: Any, request: Request) -> Any:
    return request.args


def reads_within(self: Any, request: Request) -> Any:
    return [request.args for _ in range(2)]


def reads_later(self: Any, request: Request) -> Any:
    return lambda: request.args


def hands_on(self: Any, request: Request) -> Any:
    return self.helper(request, self.name)


def renames(self: Any, request: Request) -> Any:
    other = request
    return other.args


def gives_back(self: Any, request: Request) -> Any:
    return request


def any_keyword(self: Any, request: Request, **others: Any) -> Any: ...


def any_more(self: Any, request: Request, name: str, **others: Any) -> Any: ...


def named(self: Any, request: Request, name: str, value: Any = None) -> Any:
    return request.args


def any_positional(*args: Any) -> Any: ...


def logged(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(self: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        print(request.args)
        return function(self, request, *args, **kwargs)

    return wrapper


@pytest.mark.parametrize("function", [nothing, session, awaits])
def test_method_that_cannot_see_more_arguments_says_so(function: Any) -> None:
    assert declares(function) is False


@pytest.mark.parametrize(
    "function",
    [
        *(reads, reads_within, reads_later, hands_on, renames, gives_back, any_positional),
        *(logged(nothing), functools.partial(nothing)),
    ],
)
def test_method_without_arguments_that_may_look_for_some_says_nothing(function: Any) -> None:
    assert declares(function) is None


def test_method_that_may_look_for_more_in_a_hook_says_nothing() -> None:
    info = method(body=nothing, name="bar")
    info.prehooks.append(lambda iface, method, data: print(data.args))
    assert "additional_arguments" not in describe(info)


@pytest.mark.parametrize(
    ("function", "said"), [(any_keyword, None), (any_more, True), (named, None)]
)
def test_method_with_arguments(function: Any, said: Any) -> None:
    assert declares(function) is said


def test_method_that_runs_in_a_way_of_its_own_says_nothing() -> None:
    class Own(Method):
        def run(self, iface: Interface, request: Request) -> Any:
            return request.args

    assert "additional_arguments" not in describe(method("bar", nothing, Own))
