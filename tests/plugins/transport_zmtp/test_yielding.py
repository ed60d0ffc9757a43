"""Plugins that configure sockets of 0MQ have them, whatever is preferred."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from in_process import MakeRuntime

from pycom_core import ConfigurationError, Runtime, hookimpl
from pycom_plugins.transport_zmq.transport import ZmqTransport
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

ADDRESS = "tcp://127.0.0.1:1"


class Curve:
    @hookimpl
    def pycom_socket(self, socket: Any) -> None: ...


def serving(runtime: Runtime) -> type:
    return type(runtime.transport.serving(ADDRESS))


def test_default_where_no_plugin_configures_sockets(make_runtime: MakeRuntime) -> None:
    assert serving(make_runtime(transport=None)) is ZmtpTransport


@pytest.mark.parametrize("transport", [None, ("zmtp", "zmq")])
def test_sockets_of_0mq_where_a_plugin_configures_them(
    make_runtime: MakeRuntime, caplog: pytest.LogCaptureFixture, transport: Any
) -> None:
    with caplog.at_level(logging.INFO):
        runtime = make_runtime({"curve": Curve()}, transport)
        assert {serving(runtime) for _ in range(3)} == {ZmqTransport}
    [line] = [line for line in caplog.messages if "zmtp" in line]
    assert line == (
        "The transport zmq takes the place of zmtp, since the plugin 'curve' (registered by hand) "
        "implements pycom_socket"
    )


def test_plugin_that_comes_later(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(transport=None)
    assert serving(runtime) is ZmtpTransport
    name = runtime.plugins.register(Curve())
    assert serving(runtime) is ZmqTransport
    runtime.plugins.unregister(name)
    assert serving(runtime) is ZmtpTransport


def test_settings_that_rule_them_out(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime({"curve": Curve()}, ("zmtp",))
    with pytest.raises(ConfigurationError, match=r"plugin 'curve' .* implements pycom_socket"):
        serving(runtime)
