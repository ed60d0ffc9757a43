"""Contexts on behalf of a caller."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from in_process import MakeRuntime

from pycom_core import Request, constants
from pycom_core.client._behalf import OnBehalf

REQUEST = Request("com.foo", "bar", extensions={constants.AUTH_EXTENSION: "token"})
REQUEST.deadline = 12.5


@pytest.mark.parametrize("make", [OnBehalf.context, OnBehalf.async_context])
def test_token_and_deadline_of_the_caller(make: Any, make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    behalf = OnBehalf(runtime)
    context = make(behalf, REQUEST)
    assert (context.token, context.deadline, context.runtime) == ("token", 12.5, runtime)
    nobody = make(behalf, Request("com.foo", "bar"))
    assert (nobody.token, nobody.deadline) == (None, None)
    assert nobody.pool is context.pool
    assert nobody.records is context.records
    behalf.close()


def test_what_threads_ask_for_at_one_time_is_made_once(make_runtime: MakeRuntime) -> None:
    behalf = OnBehalf(make_runtime())
    start = threading.Barrier(8)

    def ask(_: int) -> tuple[Any, Any]:
        start.wait(30)
        return behalf.context(REQUEST).pool, behalf.async_context(REQUEST).pool

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(8)))
    assert all(one == found[0] for one in found)
    behalf.close()
