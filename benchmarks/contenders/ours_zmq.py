"""PyCOM over the transport `zmq`."""

from __future__ import annotations

import os
from functools import partial

from contenders import ours
from pycom_core import Runtime, Settings

DISTRIBUTIONS = ("pycom",)
_RUNTIME = Runtime(Settings(transport=("zmq",)))

one = partial(ours.one, runtime=_RUNTIME)
threads = partial(ours.threads, runtime=_RUNTIME)
many = partial(ours.many, runtime=_RUNTIME)
echo = partial(ours.echo, runtime=_RUNTIME)

if __name__ == "__main__":
    os.environ["PYCOM_TRANSPORT"] = "zmq"
    ours.serve()
