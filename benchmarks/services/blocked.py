"""The service of `blocked.py`: sync methods that take their time, and others beside them."""

import time

import pycom


@pycom.interface("benchmarks.blocked")
class Blocked(pycom.Service):
    def __init__(self):
        self.late = 0

    @pycom.method
    def wait(self, request, seconds):
        time.sleep(seconds)

    @pycom.method
    def compute(self, request, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass

    @pycom.method
    def bar(self, request, name, value=None):
        return {name: value}

    @pycom.method
    async def echo(self, request, value=None):
        return value

    @pycom.method
    def note(self, request, until):
        """Count the calls whose callers have given up, at a time of the clock of this host."""
        self.late += time.monotonic() > until

    @pycom.method
    async def count_of_late(self, request):
        late, self.late = self.late, 0
        return late
