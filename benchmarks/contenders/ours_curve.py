"""PyCOM over connections that are encrypted with CURVE."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import harness
from nacl import bindings
from services import echo as echo_service
from services import seed

from contenders import ours
from contenders.serving import listens_on
from pycom_core import Runtime, ServiceServer, Settings, Transport, hookimpl
from pycom_plugins.transport_zmtp.mechanisms import Encrypted
from pycom_plugins.transport_zmtp.transport import ZmtpTransport

DISTRIBUTIONS = ("pycom", "PyNaCl")
_PUBLIC, _SECRET = bindings.crypto_box_seed_keypair(bytes(32))  # of both sides


class _Keyed:
    @hookimpl
    def pycom_transports(self) -> Mapping[str, Callable[[Runtime], Transport]]:
        keys = Encrypted(_PUBLIC, _SECRET, lambda _: _PUBLIC)
        return {"curve": lambda runtime: ZmtpTransport.of(runtime, keys)}


_RUNTIME = Runtime(Settings(transport=("curve",)), plugins={"keyed": _Keyed()})

one = partial(ours.one, runtime=_RUNTIME)
threads = partial(ours.threads, runtime=_RUNTIME)
many = partial(ours.many, runtime=_RUNTIME)
echo = partial(ours.echo, runtime=_RUNTIME)


def serve() -> None:
    server = ServiceServer([harness.ANY_PORT], [seed.Seed, echo_service.Echo], _RUNTIME)
    server.setup()
    listens_on(*server.addresses)
    server.loop.run_forever()


if __name__ == "__main__":
    serve()
