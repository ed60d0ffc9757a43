"""Reading the statistics of a server."""

from __future__ import annotations

from typing import Any

from pycom_core import Runtime, ServiceNotAvailable
from pycom_stats.command import NAME, StatsCommand


def read(
    address: str,
    token: str | None = None,
    timeout: float = 5000.0,
    runtime: Runtime | None = None,
) -> dict[str, Any]:
    """The report of the server at an address; `timeout` in ms.

    Raises `CallTimeout` without an answer, and the `RemoteError` of one that refuses: a server
    without this plugin does not know the command, `BadRequest`.
    """
    command, used = StatsCommand(), runtime or Runtime()
    channel = used.connect(address)
    try:
        status, body, *_ = channel.exchange([NAME, command.request_to_wire(token)], timeout)
    finally:
        channel.close()
        if runtime is None:
            used.close()
    if bytes(status) != b"OK":
        raise ServiceNotAvailable(f"The server at {address} failed to answer")
    report: dict[str, Any] = command.response_from_wire(body)
    return report
