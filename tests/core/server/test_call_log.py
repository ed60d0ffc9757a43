"""A log line for each call, if it is wanted."""

from __future__ import annotations

import asyncio
import functools
import logging
import re

import pytest
from in_process import MakeRuntime

from pycom_core import BadRequest, Request, Response, Server
from pycom_core.server._call_log import LOGGER, logged


async def process(request: Request) -> Response:
    if request.method == "refused":
        raise BadRequest("no")
    if request.method == "broken":
        raise ValueError("no")
    return request.response(None) if request.method != "answered" else request.error(42, "no")


@pytest.mark.parametrize(
    ("method", "line"),
    [
        ("bar", r"com.foo.bar: code 0, \d+\.\d ms"),
        ("answered", r"com.foo.answered: code 42, \d+\.\d ms"),
        ("refused", r"com.foo.refused: code 4, \d+\.\d ms"),
        ("broken", r"com.foo.broken: code 1, \d+\.\d ms"),
        ("line\nbreak", r"'com\.foo\.line\\nbreak': code 0, .*"),
        ("x" * 10_000, r"com.foo.x{292}: code 0, .*"),
    ],
)
def test_each_call_has_a_line(method: str, line: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, LOGGER):
        try:
            asyncio.run(logged(process)(Request("com.foo", method)))
        except (BadRequest, ValueError):
            assert method in ("refused", "broken")
    assert [(record.name, record.levelname) for record in caplog.records] == [(LOGGER, "DEBUG")]
    assert re.fullmatch(line, caplog.messages[0])


@pytest.mark.parametrize(("level", "is_shown"), [(logging.DEBUG, True), (logging.INFO, False)])
def test_lines_are_for_those_who_see_them(
    level: int, is_shown: bool, caplog: pytest.LogCaptureFixture, make_runtime: MakeRuntime
) -> None:
    server = Server(["local://a"], make_runtime())
    with caplog.at_level(level, LOGGER):
        server.setup(loop := asyncio.new_event_loop())
    assert isinstance(server._process, functools.partial) != is_shown
    server.close()
    loop.close()
