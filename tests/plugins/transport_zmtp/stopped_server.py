"""A server for `test_stopped.py` and `test_links.py`: it says which requests it runs."""

from __future__ import annotations

import asyncio
import ctypes
import sys

from pycom_core import Runtime, Server, Settings
from pycom_core.loops._eventloop import run_forever
from pycom_core.messages import Request, Response


class Told(Server):
    opens_sessions = False

    def handle_call(self, request: Request) -> Response:
        print("ran", request.method, flush=True)
        if request.method == "hold":  # Python's lock
            ctypes.PyDLL(None).usleep(1_500_000)
        return request.response(None)


def main(address: str = "tcp://127.0.0.1:*") -> None:
    runtime = Runtime(Settings(transport=("zmtp",), tables={"zmtp": {"inbox": 100}}))
    server = Told([address], runtime)
    loop = asyncio.new_event_loop()
    server.setup(loop)
    print("at", server.addresses[0], flush=True)
    run_forever(loop)


if sys.argv[0] == __file__:
    main(*sys.argv[1:])
