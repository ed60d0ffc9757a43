"""Reading the statistics of a server."""

from __future__ import annotations

from typing import Any

from pycom_core import Context, Runtime
from pycom_stats.command import NAME, StatsCommand


def read(
    address: str,
    token: str | None = None,
    timeout: float = 5000.0,
    runtime: Runtime | None = None,
) -> dict[str, Any]:
    """Return the report of the server at an address; `timeout` is in ms.

    Raises `CallTimeout` without an answer, and the `RemoteError` of one that refuses: a server
    without this plugin does not know the command, `BadRequest`.
    """
    context = Context(timeout=timeout, runtime=runtime)
    try:
        report: dict[str, Any] = context.send_command(address, NAME, StatsCommand(), token)
    finally:
        context.close()
    return report
