"""The service `plain`, with ten plugins that see each call on both sides."""

from plain import Plain as Plain

from pycom_core import default_runtime, hookimpl


class Onlooker:
    @hookimpl
    def pycom_prehook(self, iface, method, data):
        pass

    @hookimpl
    def pycom_posthook(self, iface, method, data):
        pass


for number in range(10):
    default_runtime().plugins.register(Onlooker(), f"onlooker_{number}")
