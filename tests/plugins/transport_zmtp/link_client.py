"""A client for `test_links.py`: it calls until an answer is late, and then once more."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys

from pycom_core.errors import CallTimeout
from pycom_plugins.transport_zmtp.async_channel import AsyncSocketChannel
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

IN_TIME, AMPLE = 500, 20_000  # ms


async def call(channel: AsyncSocketChannel, method: str, timeout: float) -> None:
    body = {"version": "1.0", "interface": "a.b", "method": method}
    await channel.exchange([b"CALL", json.dumps(body).encode()], timeout)


async def main(address: str) -> None:
    channel = ZmtpTransport().connect_async(address)
    await call(channel, "first", AMPLE)
    print("answered", flush=True)
    for number in itertools.count():
        try:
            await call(channel, f"call-{number}", IN_TIME)
        except CallTimeout as error:
            print(f"gave up call-{number}, sent={error.sent}", flush=True)
            break
    for _ in range(500):
        if not channel.is_alive():
            break
        await asyncio.sleep(0.01)
    print("goes on", flush=True)
    await call(channel, "afterwards", AMPLE)


if sys.argv[0] == __file__:
    asyncio.run(main(sys.argv[1]))
