"""The transport `zmtp`: the protocol of 0MQ over plain sockets, without a 0MQ library."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    from pycom_core import Runtime
    from pycom_core.transport import Transport


@hookimpl
def pycom_transports() -> Mapping[str, Callable[[Runtime], Transport]]:
    """Contribute the transport."""

    def make(runtime: Runtime) -> Transport:
        from pycom_plugins.transport_zmtp.transport import ZmtpTransport

        return ZmtpTransport.of(runtime)

    return {"zmtp": make}
