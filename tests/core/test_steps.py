"""Generators that pause once."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pycom_core._steps import fail, finish


def steps(pauses: int = 1) -> Generator[None, int, str]:
    try:
        for _ in range(pauses):
            got = yield
    except KeyError as error:
        return f"failed: {error}"
    return f"got {got}"


def paused(pauses: int = 1) -> Generator[None, int, str]:
    generator = steps(pauses)
    next(generator)
    return generator


def test_outcome_is_passed_in_and_the_result_comes_out() -> None:
    assert finish(paused(), 3) == "got 3"


def test_exception_may_become_a_result() -> None:
    assert fail(paused(), KeyError("x")) == "failed: 'x'"


def test_exception_that_the_steps_do_not_handle_is_raised() -> None:
    with pytest.raises(OSError, match="mine"):
        fail(paused(), OSError("mine"))


def test_second_pause_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="paused twice"):
        finish(paused(2), 3)


def test_second_pause_after_an_exception_is_an_error() -> None:
    def stubborn() -> Generator[None, None, None]:
        try:
            yield
        except KeyError:
            yield

    generator = stubborn()
    next(generator)
    with pytest.raises(RuntimeError, match="paused twice"):
        fail(generator, KeyError())
