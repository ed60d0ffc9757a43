"""It works however the interpreter is started."""

from __future__ import annotations

import json
from pathlib import Path

import helpers
import pytest

SEED = Path(__file__).parents[2] / "examples" / "seed"

#: As variables, which children inherit.
OPTIONS = {
    "-OO": {"PYTHONOPTIMIZE": "2"},
    "-W error -X dev": {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"},
}


@pytest.mark.parametrize("environ", OPTIONS.values(), ids=OPTIONS)
def test_calls_from_a_client_and_from_the_command_line(
    environ: dict[str, str], processes: helpers.Processes
) -> None:
    nameserver = processes.nameserver(**environ)
    service = processes.service(
        "package1.module1", nameserver=nameserver, directory=SEED, **environ
    )
    client = processes.python("client.py", nameserver.address, directory=SEED, **environ)
    called = processes.program(
        *(helpers.script("pycom"), "call", "-n", nameserver.address),
        *("com.foo.example", "bar", "name=field1", "value=42"),
        **environ,
    )
    assert client.wait() == 0, client.output
    assert client.output.startswith("{'field1': 42}\n")
    assert called.wait() == 0, called.output
    assert json.loads(called.output) == {"field1": 42}
    assert service.stop() == nameserver.stop() == 0
    for program in (nameserver, service, client, called):
        assert "Warning" not in program.output
        assert "Exception ignored" not in program.output
