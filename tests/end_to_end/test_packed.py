"""Programs that are packed into one file: with the metadata of PyCOM, and without."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import pycom
import pycom_core
import pycom_plugins
import zerojson

SHOP = """
import pycom

@pycom.interface("com.foo.shop")
class Shop(pycom.Service):
    @pycom.method
    def greet(self, request, name):
        return "Hello " + name
"""
CALL = """
import pycom_core, shop
runtime = pycom_core.Runtime(pycom_core.Settings(), transport=pycom_core.LocalTransport())
server = pycom_core.ServiceServer(["local://shop"], [shop.Shop], runtime)
component = pycom_core.Context(runtime=runtime).connect("local://shop", "com.foo.shop")
print(component.invoke("greet", {"name": "Anna"}))
"""
MAIN = "from pycom_core.cli import main; main(sys.argv[1:])"
NOTHING = "Python sees no metadata of the distribution pycom"


class Packed:
    """A zip of PyCOM and a module of the user's, beside the libraries that both need."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        libraries, self.file, metadata = (
            folder / name for name in ("libraries", "pyz", "metadata")
        )
        libraries.mkdir()
        for key in ("purelib", "platlib"):
            for path in Path(sysconfig.get_path(key)).iterdir():
                link = libraries / path.name
                if not link.exists() and "pycom" not in path.name and path.name != "zerojson":
                    link.symlink_to(path)
        with zipfile.PyZipFile(str(self.file), "w") as packed:
            for package in (pycom, pycom_core, pycom_plugins, zerojson):
                packed.writepy(str(Path(str(package.__file__)).parent))
            packed.writestr("shop.py", SHOP)
        self.path = [str(self.file), str(libraries)]
        known = importlib.metadata.distribution("pycom")
        described = metadata / "pycom-1.0.0.dist-info"
        described.mkdir(parents=True)
        described.joinpath("METADATA").write_text("Name: pycom\nVersion: 1.0.0\n")
        described.joinpath("entry_points.txt").write_text(known.read_text("entry_points.txt") or "")
        self.metadata = str(metadata)

    def run(self, code: str, *more: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run code with nothing else on the path; `more` are its arguments."""
        head = f"import sys; sys.path[:0] = {self.path!r}\n"
        return subprocess.run(
            [sys.executable, "-I", "-S", "-c", head + code, *more],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **environ},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return Packed(tmp_path_factory.mktemp("packed"))


def test_with_its_metadata_it_works(packed: Packed) -> None:
    ran = packed.run(f"sys.path.append({packed.metadata!r})\n{CALL}")
    assert (ran.stdout, ran.stderr) == ("Hello Anna\n", "")


def test_without_it_says_so_at_the_start(packed: Packed) -> None:
    ran = packed.run(CALL)
    assert ran.returncode == 1
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("pycom_core.errors.ConfigurationError: No plugin of PyCOM is found")
    for part in (NOTHING, "--copy-metadata pycom", "pycom-….dist-info"):
        assert part in last


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (["run", "-a", "tcp://127.0.0.1:*", "shop"], {}),
        (["run", "-a", "tcp://127.0.0.1:*", "shop"], {"PYCOM_AUTHENTICATOR": "{}"}),
        (["call", "com.foo.shop", "greet"], {}),
        (["ls"], {"PYCOM_PLUGINS": '{"disable": ["bench"]}'}),
        (["demo"], {}),
    ],
)
def test_without_it_no_command_starts(
    arguments: list[str], environ: dict[str, str], packed: Packed
) -> None:
    ran = packed.run(MAIN, *arguments, **environ)
    assert ran.returncode == 2
    assert NOTHING in ran.stderr
    assert "Traceback" not in ran.stderr


def test_plugins_by_hand_need_none(packed: Packed) -> None:
    by_hand = CALL.replace(
        "LocalTransport()", "LocalTransport(), plugins={'call': pycom_plugins.call}"
    )
    ran = packed.run("import pycom_plugins.call\n" + by_hand)
    assert (ran.stdout, ran.stderr) == ("Hello Anna\n", "")
