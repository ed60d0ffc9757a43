"""Each example, run as its README says."""

from __future__ import annotations

from pathlib import Path

import helpers

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_client(processes: helpers.Processes, example: str, module: str) -> tuple[str, str]:
    """Run an example, and return the output of its client and of its service."""
    directory = EXAMPLES / example
    nameserver = processes.nameserver()
    service = processes.service(module, nameserver=nameserver, directory=directory)
    client = processes.python("client.py", nameserver.address, directory=directory)
    assert client.wait() == 0, client.output
    assert service.stop() == 0
    return client.output, service.output


def test_seed(processes: helpers.Processes) -> None:
    output, _ = run_client(processes, "seed", "package1.module1")
    *values, introspection = output.splitlines()
    assert values == ["{'field1': 42}", "{'field1': 42}", "{'field1': None}"]
    assert "com.foo.example" in introspection


def test_sessions(processes: helpers.Processes) -> None:
    output, _ = run_client(processes, "sessions", "cart")
    assert output.splitlines() == [
        "Anna buys {'apple': 3}",
        "Ben buys {'pear': 5}",
        "Ben's cart is gone",
    ]


def test_attachments(processes: helpers.Processes) -> None:
    output, _ = run_client(processes, "attachments", "packer")
    packed, unpacked, refused = output.splitlines()
    assert packed.startswith("44000 bytes packed into ")
    assert unpacked == "and unpacked again"
    assert refused.startswith("That was not packed here: ")


def test_hooks(processes: helpers.Processes) -> None:
    output, journal = run_client(processes, "hooks", "greeter")
    assert output.splitlines() == [
        "The service adds {'com.example.journal': 'noted'}",
        "Hello, World!",
    ]
    assert "somebody called com.example.greeter.greet: " in journal


def test_each_has_its_test_and_its_line_in_the_readme() -> None:
    directories = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    readme = (EXAMPLES / "README.md").read_text()
    for name in directories - {"__pycache__", "plugins"}:
        assert f"test_{name}" in globals()
        assert f"`{name}`" in readme
    for path in (EXAMPLES / "plugins").iterdir():
        assert f"`{path.name}`" in readme
