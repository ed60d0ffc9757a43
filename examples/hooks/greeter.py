"""A service that registers its own plugin."""

from journal import Journal

import pycom
from pycom_core import default_runtime

# By hand, for this process. A distribution that names the plugin as an entry point of the group
# "pycom.plugins" gets it into every process.
default_runtime().plugins.register(Journal(), "journal")


@pycom.interface("com.example.greeter")
class Greeter(pycom.Service):
    """Is polite."""

    @pycom.method
    async def greet(self, request, name):
        """Greet somebody."""
        if not name:
            raise pycom.BadRequest("Whom?")
        return f"Hello, {name}!"
