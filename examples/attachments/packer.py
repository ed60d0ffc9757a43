"""Attachments: bytes come as an argument and leave as a result, and are never made into JSON."""

import zlib

import pycom


@pycom.interface("com.example.packer")
class Packer(pycom.Service):
    """Makes bytes fewer."""

    @pycom.method(results=("size", "packed"), attachments=("data", "packed"))
    def pack(self, request, data, level=6):
        """Pack `data`, the harder the higher `level` is."""
        packed = zlib.compress(data, level)
        return len(packed), packed

    @pycom.method(results=("data",), attachments=("packed", "data"))
    def unpack(self, request, packed):
        """Undo `pack`."""
        try:
            return zlib.decompress(packed)
        except zlib.error as error:
            raise pycom.BadRequest(f"That was not packed here: {error}") from error
