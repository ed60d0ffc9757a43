"""Attachments: bytes as an argument and as a result, which are never converted to JSON."""

import zlib

import pycom


@pycom.interface("com.example.packer")
class Packer(pycom.Service):
    """Compresses bytes."""

    @pycom.method(results=("size", "packed"), attachments=("data", "packed"))
    def pack(self, request, data, level=6):
        """Compress `data`, more at a higher `level`."""
        packed = zlib.compress(data, level)
        return len(packed), packed

    @pycom.method(results=("data",), attachments=("packed", "data"))
    def unpack(self, request, packed):
        """Decompress what `pack` returned."""
        try:
            return zlib.decompress(packed)
        except zlib.error as error:
            raise pycom.BadRequest(f"That was not packed here: {error}") from error
