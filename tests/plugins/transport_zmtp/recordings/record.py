"""Record what libzmq says to the engine: `python record.py PYTHON...`, each with a pyzmq.

For libzmq 4.1 that is a Python 3.6 with `pip install "pyzmq<17"`. The recordings are written anew
beside this file, one object a line: libzmq's version, socket type and mechanism, and its bytes
(zlib, base64). The engine drew keys that are no secret, so
that it draws them again when it hears the same bytes.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))

from zmq.utils import z85  # noqa: E402
from zmtp_peers import curve_keys, fixed_randomness, recorded_engine  # noqa: E402

from pycom_plugins.transport_zmtp.engine import Connection  # noqa: E402

SIZES = {"NULL": [0, 120, 248, 249, 1000, 70_000], "CURVE": [0, 120, 222, 223, 1000]}


def connect(port: int) -> socket.socket:
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise TimeoutError


def talk(engine: Connection, sock: socket.socket, calls: list[int]) -> bytes:
    """Echo what comes, or send and take echoes; return all that libzmq sent."""
    sock.settimeout(20)
    sock.sendall(engine.greeting())
    heard = b""
    asked = not calls
    while True:
        if engine.ready and not asked:
            asked = True
            for number, size in enumerate(calls):
                message = [b"", b"CALL", b"%d" % number, b"x" * size]
                sock.sendall(b"".join(map(bytes, engine.encode(message))))
        data = sock.recv(65536)
        if not data:
            return heard
        heard += data
        for event in engine.receive(data):
            if isinstance(event, list) and not calls:
                sock.sendall(b"".join(map(bytes, engine.encode(event))))
        sock.sendall(engine.outgoing())


def record(python: str, kind: str, mechanism: str) -> dict[str, str]:
    sizes = SIZES[mechanism]
    keys = ""
    if mechanism == "CURVE":
        own = curve_keys("server" if kind == "ROUTER" else "client")
        keys = ",".join(z85.encode(key).decode() for key in (curve_keys("server")[0], *own))
    with socket.create_server(("127.0.0.1", 0)) as listener, fixed_randomness():
        port = listener.getsockname()[1]
        if kind == "ROUTER":
            listener.close()
        command = [python, str(HERE / "peer.py"), kind, str(port), keys]
        peer = subprocess.Popen(
            [*command, ",".join(map(str, sizes))], stdout=subprocess.PIPE, text=True
        )
        sock = connect(port) if kind == "ROUTER" else listener.accept()[0]
        engine = recorded_engine(kind, mechanism)
        with sock:
            heard = talk(engine, sock, sizes if kind == "ROUTER" else [])
        output, _ = peer.communicate(timeout=30)
    assert peer.returncode == 0
    return {
        "libzmq": output.split()[-1],
        "socket_type": kind,
        "mechanism": mechanism,
        "bytes": base64.b64encode(zlib.compress(heard, 9)).decode(),
    }


def recordings(pythons: list[str]) -> Iterator[dict[str, Any]]:
    for python in pythons:
        for mechanism in SIZES:
            for kind in ("DEALER", "REQ", "ROUTER"):
                yield record(python, kind, mechanism)


if __name__ == "__main__":
    lines = [json.dumps(line) for line in recordings(sys.argv[1:])]
    (HERE / "libzmq.jsonl").write_text("\n".join(lines) + "\n")
