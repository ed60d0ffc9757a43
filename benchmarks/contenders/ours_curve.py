"""PyCOM over connections that are encrypted with CURVE."""

from __future__ import annotations

from functools import partial

import harness
from nacl import bindings
from services import echo as echo_service
from services import seed

from contenders import ours
from contenders.serving import listens_on
from pycom_core import Runtime, ServiceServer, hookimpl
from pycom_core.keys import KeyPair, Keys

DISTRIBUTIONS = ("pycom", "PyNaCl")


class _Same(Keys):
    """The same keys on both sides."""

    own = KeyPair(*bindings.crypto_box_seed_keypair(bytes(32)))

    def of_server(self, address: str) -> bytes:
        return self.own.public


class _Keyed:
    @hookimpl
    def pycom_configure(self, runtime: Runtime) -> None:
        runtime.keys = _Same()


_RUNTIME = Runtime(plugins={"keyed": _Keyed()})

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
