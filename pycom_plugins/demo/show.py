"""The show of `pycom demo`: a nameserver, a service and a client at work."""

from __future__ import annotations

import contextlib
import itertools
import shlex
import signal
import statistics
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.syntax import Syntax

from pycom_core import ProxyContext, PycomError, RemoteError, Runtime, constants, settings
from pycom_core.cli import signature
from pycom_plugins.demo.children import Child, DemoFailed, environment, uninterrupted

ANY_PORT = "tcp://127.0.0.1:*"
INTERFACE = "com.example.fruit"
#: s for which calls are made, to count them.
MEASURED = 0.5

#: The module of the service, which is shown and run.
SERVICE = '''\
import pycom

PRICES = {"apple": 3, "pear": 4}


@pycom.interface("com.example.fruit")
class Fruit(pycom.Service):
    """Sells fruit."""

    @pycom.method
    def price(self, request, fruit, count=1):
        """The price of some fruit."""
        if fruit not in PRICES:
            raise pycom.RemoteError(f"There is no {fruit}", code=42)
        return PRICES[fruit] * count

    @pycom.method(results=("size", "mirrored"), attachments=("image", "mirrored"))
    def mirror(self, request, image):
        """Bytes there and back."""
        return len(image), image[::-1]
'''


def show() -> None:
    """Run the demonstration. Its processes have ended afterwards in any case."""
    with interrupted_by_sigterm():
        try:
            Show().run()
        except (PycomError, OSError) as error:
            raise DemoFailed(f"The demonstration failed: {error}") from error


@contextlib.contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C, so that it too leaves time to clean up."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Show:
    """One demonstration, from the first process to the last line."""

    def __init__(self) -> None:
        # Plain lines where no person looks at a terminal.
        self._console = Console(highlight=False, soft_wrap=True)
        self._steps = itertools.count(1)
        self._open = contextlib.ExitStack()

    def run(self) -> None:
        """Show all of it. Raises `PycomError`, OSError."""
        try:
            directory = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
            nameserver, address = self._nameserver(directory)
            self._service(directory, nameserver, address)
            self._client(address)
            self._step("The end: the service unregisters, and both processes stop")
        finally:
            with uninterrupted():
                self._open.close()
        self._say("To go on, see: pycom --help")

    def _nameserver(self, directory: Path) -> tuple[Child, str]:
        self._step("A nameserver, through which services are found")
        arguments = ["-v", "-a", ANY_PORT, "-s", constants.NS_DEFAULT_SERVICE]
        nameserver = self._start([*arguments, "pycom.apps.nameserver"], directory)
        address = nameserver.wait_for(r"listens on (\S+)")
        self._say(f"It listens on {address}.")
        return nameserver, address

    def _service(self, directory: Path, nameserver: Child, address: str) -> None:
        self._step("A service: a class with methods, in fruit.py")
        (directory / "fruit.py").write_text(SERVICE)
        self._code(SERVICE)
        arguments = ["-a", ANY_PORT, "-n", address, "-s", "/com/example/fruit", "fruit"]
        service = self._start(arguments, directory)
        found = service.wait_for(r"listens on (\S+)")
        nameserver.wait_for(r"Registered (/com/example/fruit) at")
        self._say(f"It listens on {found}, and the nameserver knows it.")

    def _client(self, address: str) -> None:
        self._step("A client, which knows only the nameserver and the name of an interface")
        self._code(
            f'>>> context = pycom.ProxyContext(nameserver="{address}")\n'
            f'>>> fruit = context.locate("{INTERFACE}")'
        )
        runtime = Runtime(settings.load(environ=environment()))
        self._open.callback(runtime.close)
        context = ProxyContext(address, runtime=runtime)
        self._open.callback(context.close)
        fruit = context.locate(INTERFACE)
        self._call('fruit.price("apple")', fruit)
        self._call('fruit.price(fruit="pear", count=3)', fruit)

        self._step("Attachments: bytes that travel beside the JSON")
        self._call(r'fruit.mirror(image=b"\x00\x01\x02\xff")', fruit)

        self._step("Errors have a code and a text")
        self._call('fruit.price("plum")', fruit)
        self._call("fruit.price()", fruit)

        self._step("A service says what it can do")
        self._code(">>> fruit.introspect()")
        for name, method in sorted(fruit.introspect().methods.items()):
            self._say(signature(name, method))
            self._say(f"    {method['docstring']}")

        self._step("And it is quick")
        self._measure(fruit)

    def _measure(self, fruit: Any) -> None:
        times = []
        end = time.perf_counter() + MEASURED
        while (started := time.perf_counter()) < end:
            fruit.price("apple", count=2)
            times.append(time.perf_counter() - started)
        self._say(
            f"{len(times)} calls, one after the other: {len(times) / sum(times):,.0f} a second, "
            f"{statistics.median(times) * 1e6:.0f} µs each."
        )

    def _start(self, arguments: list[str], directory: Path) -> Child:
        self._say(f"$ python -m pycom {shlex.join(arguments)}", style="bold")
        with uninterrupted():
            return self._open.enter_context(Child(arguments, directory))

    # What is seen.

    def _step(self, title: str) -> None:
        self._console.print()
        self._console.print(f"{next(self._steps)}. {title}", style="bold cyan", markup=False)

    def _say(self, text: str, style: str | None = None) -> None:
        self._console.print(textwrap.indent(text, "   "), style=style, markup=False)

    def _code(self, text: str) -> None:
        if self._console.is_terminal:
            colors = Syntax("", "python", theme="ansi_dark", background_color="default")
            self._console.print(colors.highlight(textwrap.indent(text, "   ")), end="")
        else:
            self._say(text)

    def _call(self, expression: str, fruit: Any) -> None:
        """Show a call, make just this call, and show its outcome."""
        self._code(f">>> {expression}")
        try:
            self._code(repr(eval(expression, {"fruit": fruit})))
        except (RemoteError, TypeError) as error:
            code = f" (code {error.code})" if isinstance(error, RemoteError) else ""
            self._say(f"{type(error).__name__}{code}: {error}", style="red")
