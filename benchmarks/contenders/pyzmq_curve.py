"""The yardstick over connections that are encrypted with CURVE: a REQ and a ROUTER."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bare
from nacl import bindings
from zmq.utils import z85

from contenders import ARGUMENTS

DISTRIBUTIONS = ("pyzmq", "PyNaCl")
_PUBLIC, _SECRET = (z85.encode(key) for key in bindings.crypto_box_seed_keypair(bytes(32)))


def one(address: str) -> Callable[[], Any]:
    call = bare.client(
        address, curve_serverkey=_PUBLIC, curve_publickey=_PUBLIC, curve_secretkey=_SECRET
    )
    return lambda: call(ARGUMENTS)


if __name__ == "__main__":
    bare.serve(curve_server=True, curve_secretkey=_SECRET)
