"""The transport `zmq`: 0MQ through pyzmq, ROUTER sockets for servers and DEALERs for clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pycom_core import ConfigurationError, hookimpl

if TYPE_CHECKING:
    from pycom_core import Runtime
    from pycom_core.transport import Transport


@hookimpl
def pycom_transports() -> Mapping[str, Callable[[Runtime], Transport]]:
    """Contribute the transport."""

    def make(runtime: Runtime) -> Transport:
        from pycom_plugins.transport_zmq.transport import ZmqTransport

        if runtime.keys is not None:
            raise ConfigurationError(
                'The transport zmq does not encrypt; a network of keys needs transport = ["zmtp"]'
            )

        def configure(socket: object, side: str, address: str) -> None:
            runtime.plugins.notify("pycom_socket", socket=socket, side=side, address=address)

        return ZmqTransport(runtime.settings.max_message_size, configure)

    return {"zmq": make}
