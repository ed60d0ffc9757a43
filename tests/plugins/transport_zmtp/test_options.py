"""The table `zmtp` of the configuration."""

from __future__ import annotations

from typing import Any

import pytest
from in_process import MakeRuntime

from pycom_core import ConfigurationError, Settings
from pycom_plugins.transport_zmtp.limits import Limits
from pycom_plugins.transport_zmtp.options import Options


def test_defaults_are_those_of_the_limits() -> None:
    options = Options.of(Settings())
    assert options.limits(frame=2**30, calls=10_000) == Limits()
    assert options.budget == 200e-6


def test_units() -> None:
    table = {"polling": 50, "handshake_timeout": 200, "connections": 1, "inbox": 3, "queued": 4}
    table |= {"connections_by_address": 2, "in_flight": 6, "heartbeat": 500, "queued_in_all": 5}
    options = Options.of(Settings(tables={"zmtp": table}))
    limits = options.limits(frame=5, calls=100)
    assert limits == Limits(0.2, 1, 2, 3, 4, 5, in_flight=6, heartbeat=0.5, frame=5)
    assert options.budget == 50e-6


@pytest.mark.parametrize(("calls", "by_connection"), [(10_000, 1000), (100, 50), (1, 1)])
def test_one_connection_does_not_take_up_the_server(calls: int, by_connection: int) -> None:
    assert Options().limits(frame=5, calls=calls).in_flight == by_connection


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"polling": -1}, "zmtp.polling: Expected `int` >= 0"),
        ({"polling": "often"}, "zmtp.polling: Expected `int`, got `str`"),
        ({"connections": 0}, "zmtp.connections: Expected `int` >= 1"),
        ({"heartbeat": -1}, "zmtp.heartbeat: Expected `int` >= 0"),
        ({"queued": 1.5}, "zmtp.queued: Expected `int`, got `float`"),
        ({"pollin": 1}, r"Unknown setting zmtp.pollin; did you mean 'polling'\?"),
    ],
)
def test_what_a_setting_cannot_be(
    table: dict[str, Any], problem: str, make_runtime: MakeRuntime
) -> None:
    runtime = make_runtime(transport=("zmtp",), tables={"zmtp": table})
    with pytest.raises(ConfigurationError, match=problem):
        runtime.transport.serving("tcp://127.0.0.1:1")


def test_settings_reach_the_server(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(
        transport=("zmtp",),
        tables={"zmtp": {"connections": 7}},
        max_message_size=8,
        max_in_flight=9,
    )
    transport: Any = runtime.transport.serving("tcp://127.0.0.1:1")
    assert transport._limits == Limits(connections=7, in_flight=4, frame=8)
