"""Nameserver records in ZooKeeper: `zookeeper://host:port,…/path`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    from pycom_core import NameserverBackend


def _backend(url: str) -> NameserverBackend:
    # Not above: only those who choose it need kazoo.
    from pycom_zookeeper.backend import ZooKeeperBackend

    return ZooKeeperBackend(url)


@hookimpl
def pycom_nameserver_backends() -> Mapping[str, Callable[[str], NameserverBackend]]:
    """Contribute `zookeeper:`."""
    return {"zookeeper": _backend}
