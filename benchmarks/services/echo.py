"""A service that returns attachments, for `attachments.py`."""

import pycom


@pycom.interface("benchmarks.echo")
class Echo(pycom.Service):
    @pycom.method(attachments=("blob", "blob"), results=("blob",))
    def as_bytes(self, request, blob):
        return blob

    @pycom.method(attachments=("blob", "blob"), results=("blob",))
    def as_view(self, request, blob: memoryview):
        return blob
