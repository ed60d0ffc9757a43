"""Leaving addresses to the transport `zmq`, where plugins configure its sockets.

Such a plugin may be what encrypts the connections, so it is not passed over in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import ConfigurationError, logger

if TYPE_CHECKING:
    from pycom_core import Runtime

_HOOK = "pycom_socket"
_OTHER = "zmq"


class Yielding:
    """The question whether the plugins of a runtime need sockets of 0MQ."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._is_said = False

    def __call__(self) -> bool:
        """Tell whether they do. Raises `ConfigurationError` if the settings rule those out."""
        found = [str(info) for info, _ in self._runtime.plugins.implementations(_HOOK)]
        if not found:
            return False
        who = f"the {found[0]} implements {_HOOK}"
        if _OTHER not in self._runtime.settings.transport:
            raise ConfigurationError(
                f"The transport zmtp has no sockets of 0MQ, but {who}: write "
                f'transport = ["{_OTHER}"], or disable the plugin'
            )
        if not self._is_said:
            self._is_said = True
            logger().info("The transport %s takes the place of zmtp, since %s", _OTHER, who)
        return True
