"""Nameserver records in NATS: `nats://host:port,…/bucket`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    from pycom_core import NameserverBackend


def _backend(url: str) -> NameserverBackend:
    # Not above: only users of this backend need nats-py.
    from pycom_nats.backend import NatsBackend

    return NatsBackend(url)


@hookimpl
def pycom_nameserver_backends() -> Mapping[str, Callable[[str], NameserverBackend]]:
    """Contribute `nats:`."""
    return {"nats": _backend}
