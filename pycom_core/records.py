"""Records of services, as a nameserver keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from pycom_core._names import names


def _interfaces(values: Iterable[str]) -> tuple[str, ...]:
    return names(values, "The interfaces of a ServiceRecord")


@attrs.frozen
class ServiceRecord:
    """One service as a nameserver knows it."""

    service: str  #: name of the service, a path: "/com/foo/one"
    address: str  #: 0MQ endpoint: "tcp://10.0.0.1:2013"
    interfaces: tuple[str, ...] = attrs.field(converter=_interfaces)
    metadata: dict[str, Any] = attrs.field(factory=dict, hash=False)
