"""Wrappers around actions: opened from the outermost, closed from the innermost."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from pycom_core import RemoteError
from pycom_core.plugins._chains import HookFailed
from pycom_core.plugins._wrappers import wrapped

Wrapper = Callable[[], Generator[None, Any, Any]]


class Blaming:
    """Chains that only know how to blame a link."""

    def failure(self, link: Any, what: str) -> HookFailed:
        return HookFailed(f"{link.__name__} {what}")


def run(
    *wrappers: Wrapper, action: Callable[[], Any] = lambda: "done", gives: type = object
) -> Any:
    """Run an action within wrappers. Fails if it is run although it should not be."""
    chains: Any = Blaming()
    steps = wrapped(chains, "pycom_invoke", wrappers, gives=gives)
    try:
        next(steps)
        try:
            result = action()
        except Exception as error:
            steps.throw(error)
        else:
            steps.send(result)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it paused twice")


def never() -> Any:
    raise AssertionError("the action was run")


def breaks() -> Any:
    raise ValueError("mine")


def test_they_nest_in_their_order() -> None:
    seen = []

    def noting(name: str) -> Wrapper:
        def wrapper() -> Generator[None, Any, Any]:
            seen.append(f"{name} begins")
            result = yield
            seen.append(f"{name} ends")
            return f"{name}({result})"

        return wrapper

    assert run(noting("outer"), noting("inner")) == "outer(inner(done))"
    assert seen == ["outer begins", "inner begins", "inner ends", "outer ends"]


def test_exception_of_the_action_reaches_each_wrapper_and_passes() -> None:
    seen = []

    def through() -> Generator[None, Any, Any]:
        try:
            return (yield)
        except ValueError as error:
            seen.append(error)
            raise

    with pytest.raises(ValueError, match="mine") as caught:
        run(through, through, action=breaks)
    assert seen == [caught.value] * 2


def test_wrapper_may_return_a_result_instead_of_an_exception() -> None:
    def rescue() -> Generator[None, Any, Any]:
        try:
            return (yield)
        except ValueError:
            return "saved"

    assert run(rescue, action=breaks) == "saved"


def test_wrapper_that_refuses_keeps_the_action_from_running() -> None:
    def refuse() -> Generator[None, Any, Any]:
        raise RemoteError("no", code=42)
        yield

    with pytest.raises(RemoteError, match="no"):
        run(refuse, action=never)


def test_outer_wrapper_may_answer_for_an_inner_one_that_failed() -> None:
    def rescue() -> Generator[None, Any, Any]:
        try:
            return (yield)
        except KeyError:
            return "saved"

    def inner() -> Generator[None, Any, Any]:
        raise KeyError("x")
        yield

    assert run(rescue, inner, action=never) == "saved"


def no_yield() -> Generator[None, Any, Any]:
    return
    yield


def two_yields() -> Generator[None, Any, Any]:
    yield
    yield


def broken_before() -> Generator[None, Any, Any]:
    raise KeyError("x")
    yield


def broken_after() -> Generator[None, Any, Any]:
    yield
    raise KeyError("x")


@pytest.mark.parametrize(
    ("wrapper", "reason"),
    [
        (no_yield, "a wrapper that never yields"),
        (two_yields, "a wrapper that yields twice"),
        (broken_before, "KeyError('x')"),
        (broken_after, "KeyError('x')"),
    ],
)
def test_wrapper_that_breaks_the_rules_is_blamed(wrapper: Wrapper, reason: str) -> None:
    with pytest.raises(HookFailed) as caught:
        run(wrapper)
    said = str(caught.value)
    assert said.startswith(f"{wrapper.__name__} failed in pycom_invoke: ")  # type: ignore[attr-defined]
    assert reason in said


def test_wrapper_that_yields_twice_is_closed() -> None:
    seen: list[str] = []
    kept: list[Any] = []

    def holding() -> Generator[None, Any, Any]:
        try:
            yield
            yield
        finally:
            seen.append("released")

    def wrapper() -> Generator[None, Any, Any]:
        kept.append(holding())  # else the end of the last reference would close it
        return kept[0]  # type: ignore[no-any-return]

    def outer() -> Generator[None, Any, Any]:
        try:
            return (yield)
        finally:
            seen.append("outer ends")

    with pytest.raises(HookFailed, match="wrapper failed .* yields twice"):
        run(outer, wrapper)
    assert seen == ["released", "outer ends"]


def test_result_of_another_kind_is_blamed() -> None:
    def text() -> Generator[None, Any, Any]:
        yield
        return "text"

    with pytest.raises(HookFailed, match="text failed .* returns str, no int"):
        run(text, gives=int)


def test_failure_of_the_action_is_no_wrappers_fault() -> None:
    def through() -> Generator[None, Any, Any]:
        return (yield)

    with pytest.raises(ValueError, match="^mine$"):
        run(through, action=breaks)
