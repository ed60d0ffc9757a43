"""The documentation's first example, and the same as a coroutine."""

import pycom


@pycom.interface("benchmarks.seed")
class Seed(pycom.Service):
    @pycom.method
    def bar(self, request, name, value=None):
        return {name: value}

    @pycom.method
    async def bar_async(self, request, name, value=None):
        return {name: value}
