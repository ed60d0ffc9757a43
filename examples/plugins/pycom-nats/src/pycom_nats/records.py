"""Records as they are stored: a key, and a value."""

from __future__ import annotations

import hashlib
import json
import zlib

from pycom_core import ServiceRecord


def key_of(service: str) -> str:
    """Return the key of a service. Any text can be a service, but not every text is a key."""
    return hashlib.sha256(service.encode()).hexdigest()


def packed(record: ServiceRecord) -> bytes:
    """Return the value that stands for a record."""
    fields = [record.service, record.address, list(record.interfaces), record.metadata]
    return zlib.compress(json.dumps(fields).encode())


def unpacked(value: bytes) -> ServiceRecord:
    """Return the record that a value stands for."""
    return ServiceRecord(*json.loads(zlib.decompress(value)))
