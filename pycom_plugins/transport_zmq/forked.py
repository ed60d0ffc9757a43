"""The clean-up of a listener in a child that a method forked."""

from __future__ import annotations

import os
import socket as sockets
from collections.abc import Sequence
from typing import NoReturn

from pycom_core import logger


def close_sockets_of(addresses: Sequence[str]) -> None:
    """Close the descriptors of a server and of its connections; 0MQ does not say which they are."""
    ports = [int(one.rpartition(":")[2]) for one in addresses if one.startswith("tcp:")]
    paths = [one.removeprefix("ipc://") for one in addresses]
    for descriptor in os.listdir("/dev/fd"):
        try:
            found = sockets.socket(fileno=int(descriptor))
        except OSError:
            continue  # not a socket, or gone
        name = found.getsockname()
        is_ours = name[1] in ports if isinstance(name, tuple) else name in paths
        if is_ours and found.type == sockets.SOCK_STREAM:
            found.close()
        else:
            found.detach()


def come_back(*_: object) -> NoReturn:
    """End a child that was forked in a method and now goes on with the work of its parent."""
    logger().error("A child that a method forked came back from it; it has to end by os._exit")
    os._exit(1)
