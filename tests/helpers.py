"""Common parts of the tests: processes that surely end, and a client that sends raw frames."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import zmq

from pycom_core import PycomError, constants

END_TO_END = Path(__file__).parent / "end_to_end"
ANY_PORT = "tcp://127.0.0.1:*"
#: s; nothing that a test waits for takes a tenth of it on an idle machine.
PATIENCE = 30.0

#: The option `--transport` sets it, for the test's own process and for those that it starts.
TRANSPORT = "PYCOM_TRANSPORT"

_T = TypeVar("_T")


def environment(**environ: str) -> dict[str, str]:
    """Return the environment of a process. Of PyCOM's variables it has only the given ones."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYCOM_") or name == TRANSPORT
    }
    return {**inherited, **environ}


def run(
    *command: str,
    directory: Path | None = None,
    environ: Mapping[str, str] = MappingProxyType({}),
    **options: Any,
) -> Any:
    """Run a command to its end, and return its status and its output."""
    return subprocess.run(
        command,
        cwd=directory,
        env=environment(**environ),
        capture_output=True,
        timeout=PATIENCE,
        **{"text": True, **options},
    )


def pycom(*arguments: str, **options: Any) -> Any:
    """Run `pycom` to its end."""
    return run(script("pycom"), *arguments, **options)


class Program:
    """A process of the test's own, and what it writes to standard error."""

    def __init__(self, *command: str, directory: Path = END_TO_END, **environ: str) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment(PYTHONUNBUFFERED="1", **environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (self.process.stdout, self.process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Any) -> None:
        with stream:
            for line in stream:
                with self._news:
                    self.lines.append(line)
                    self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def output(self) -> str:
        """All that it wrote until now."""
        with self._news:
            return "".join(self.lines)

    def wait_for(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until it has written `pattern` so many times; the last match."""
        found: list[re.Match[str]] = []

        def written() -> bool:
            found[:] = re.finditer(pattern, "".join(self.lines))
            return len(found) >= times or not any(map(threading.Thread.is_alive, self._readers))

        with self._news:
            self._news.wait_for(written, PATIENCE)
        assert len(found) >= times, f"no {pattern!r} in:\n{self.output}"
        return found[-1]

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; its exit status."""
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self.process.kill()
        self.wait()


class Service(Program):
    """A nameserver or a service that listens."""

    def __init__(self, *command: str, **options: Any) -> None:
        super().__init__(*command, **options)
        try:
            listens = self.wait_for(r"Service (\S+) listens on (\S+)")
        except BaseException:
            self.kill()
            raise
        self.name, self.address = listens.groups()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; its exit status."""
        self.signal(number)
        return self.wait()

    def memory(self) -> int:
        """Bytes of memory that it holds now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024


_ProgramT = TypeVar("_ProgramT", bound=Program)


class Processes:
    """Starts processes, and kills those that are left at the end."""

    def __init__(self) -> None:
        self._started = contextlib.ExitStack()

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self._started.close()

    def _kept(self, started: _ProgramT) -> _ProgramT:
        self._started.callback(started.kill)
        return started

    def nameserver(self, *arguments: str, address: str = ANY_PORT, **environ: str) -> Service:
        """Start `pycom-nameserver`."""
        # Verbose, so that the log shows the registrations.
        command = [script("pycom-nameserver"), "-v", "-a", address, *arguments]
        return self._kept(Service(*command, **environ))

    def service(self, *modules: str, nameserver: Service | None = None, **options: Any) -> Service:
        """Start `python -m pycom`, and wait until its nameserver knows it."""
        arguments = options.pop("arguments", ())
        address = options.pop("address", ANY_PORT)
        if nameserver is not None:
            arguments = ["-n", nameserver.address, *arguments]
        command = [sys.executable, "-m", "pycom", "-a", address, *arguments, *modules]
        service = self._kept(Service(*command, **options))
        if nameserver is not None:
            nameserver.wait_for(f"Registered {re.escape(service.name)} at")
        return service

    def program(self, *command: str, **options: Any) -> Program:
        """Start any command."""
        return self._kept(Program(*command, **options))

    def python(self, *arguments: str, **options: Any) -> Program:
        """Start this Python."""
        return self.program(sys.executable, *arguments, **options)


def shown_on(terminal: int) -> bytes:
    """Read all that a terminal shows, until nobody has it open for writing; then close it."""
    seen = b""
    # On Linux, reading from a terminal without writers fails.
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 4096):
            seen += piece
    os.close(terminal)
    return seen


def script(name: str) -> str:
    """A script that was installed with this Python."""
    return str(Path(sys.executable).with_name(name))


class Dealer:
    """A client that sends frames as they are, and knows nothing of what they mean."""

    def __init__(self, address: str, kind: int = zmq.DEALER) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self._context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVTIMEO, round(PATIENCE * 1000))
        self.socket.connect(address)

    def __enter__(self) -> Dealer:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def send(self, *frames: bytes) -> None:
        """Send a whole message, the delimiter included."""
        self.socket.send_multipart(frames)

    def receive(self) -> list[bytes]:
        """The next whole message."""
        return self.socket.recv_multipart()

    def ask(self, *payload: bytes) -> list[bytes]:
        """The payload of the reply to a payload."""
        self.send(b"", *payload)
        delimiter, *reply = self.receive()
        assert delimiter == b""
        return reply

    def begin(self, interface: str, method: str, args: Any = None, **others: Any) -> None:
        """Send a CALL."""
        body = {"version": "1.0", "interface": interface, "method": method, "args": args, **others}
        self.send(b"", b"CALL", json.dumps(body).encode())

    def end(self) -> dict[str, Any]:
        """The response object of the next answer."""
        return answer_in(self.receive()[1:])

    def call(self, interface: str, method: str, args: Any = None, **others: Any) -> dict[str, Any]:
        """The response object of a CALL."""
        self.begin(interface, method, args, **others)
        return self.end()


def is_registered(nameserver: Service, name: str) -> bool:
    """Tell whether a nameserver knows a service of that name."""
    with Dealer(nameserver.address) as dealer:
        found = dealer.call(constants.NS_INTERFACE, constants.NS_METHOD_LIST_SERVICES)["result"]
    return name in [record["service"] for record in found]


def answer_in(reply: Sequence[bytes]) -> dict[str, Any]:
    """The response object in a reply that is as it should be."""
    status, body, *_ = reply
    assert status == b"OK"
    answer: dict[str, Any] = json.loads(body)
    assert isinstance(answer["code"], int)
    assert ("error" in answer) == (answer["code"] != 0)
    return answer


def until(happened: Callable[[], object]) -> None:
    """Wait until a condition without an event of its own holds."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def eventually(attempt: Callable[[], _T], error: type[Exception] = PycomError) -> _T:
    """Call `attempt` until it does not raise `error` any more, and return its result."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return attempt()
        except error:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)
