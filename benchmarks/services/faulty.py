"""The service of `faults.py`. It writes down which calls it runs, and when."""

import asyncio
import ctypes
import os
import time

import pycom

#: Lines of a caller's name, the time of the run, and when the caller gives up.
RUNS = os.open(os.environ["FAULTS_RUNS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


@pycom.interface("benchmarks.faulty")
class Faulty(pycom.Service):
    @pycom.method
    def note(self, request, caller, until):
        os.write(RUNS, f"{caller} {time.monotonic()} {until}\n".encode())

    @pycom.method
    def hold_lock(self, request, seconds):
        """Sleep without releasing Python's lock, as some libraries in C compute."""
        ctypes.PyDLL(None).sleep(int(seconds))

    @pycom.method
    async def wait(self, request, seconds):
        await asyncio.sleep(seconds)

    @pycom.method(results=("blob",), attachments=(None, "blob"))
    def blob(self, request, size):
        return b"x" * size  # not zeros, which take no memory until they are written

    @pycom.method(attachments=("blob", None))
    def take(self, request, blob):
        return len(blob)
