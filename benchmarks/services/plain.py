"""The same method in the ways that `features.py` compares."""

import pycom


@pycom.interface("benchmarks.plain")
class Plain(pycom.Service):
    @pycom.method
    def untyped(self, request, name, value=None):
        return {name: value}

    @pycom.method
    def typed(self, request, name: str, value: int | None = None) -> dict[str, int | None]:
        return {name: value}


@pycom.interface("benchmarks.stateful", stateful=True)
class Stateful(pycom.Service):
    @pycom.method
    def untyped(self, request, name, value=None):
        request.session["last"] = value
        return {name: value}
