"""A plugin, for any service."""

import time

from pycom_core import hookimpl


class Journal:
    """Prints the duration of each call, and its caller if known."""

    @hookimpl(wrapper=True)
    def pycom_invoke(self, iface, method, request):
        started = time.perf_counter()
        try:
            return (yield)  # the method runs here
        finally:
            caller = request.identity.name if request.identity else "somebody"
            elapsed = (time.perf_counter() - started) * 1000
            print(f"{caller} called {iface.name}.{method.name}: {elapsed:.1f} ms", flush=True)

    @hookimpl
    def pycom_posthook(self, iface, method, data):
        # Hooks change requests and responses in place.
        data.extensions["com.example.journal"] = "noted"
