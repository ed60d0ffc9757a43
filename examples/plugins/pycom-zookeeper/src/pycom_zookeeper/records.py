"""Records as they are stored: the name of a node, and its content."""

from __future__ import annotations

import hashlib
import json
import zlib

from pycom_core import BadRequest, ServiceRecord

#: Bytes; ZooKeeper's own limit is a little higher.
LARGEST = 1_000_000


def node_of(service: str) -> str:
    """The name of the node of a service. Any text is a service, but not any text is a node."""
    return hashlib.sha256(service.encode()).hexdigest()


def packed(record: ServiceRecord, ttl: float) -> bytes:
    """The content of a node. Raises `BadRequest` for a record that is too large."""
    fields = [record.service, record.address, list(record.interfaces), record.metadata, ttl]
    content = zlib.compress(json.dumps(fields).encode())
    if len(content) > LARGEST:
        raise BadRequest(f"The record of {record.service[:100]} is too large for ZooKeeper")
    return content


def unpacked(content: bytes) -> tuple[ServiceRecord, float]:
    """The record, and for how many s it lives after it was written."""
    service, address, interfaces, metadata, ttl = json.loads(zlib.decompress(content))
    return ServiceRecord(service, address, interfaces, metadata), ttl
