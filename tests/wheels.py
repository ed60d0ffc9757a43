"""Wheels, and environments that they are installed in: what a user of PyCOM has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: What the wheel of the project is made of.
SOURCES = (
    *("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"),
    *("pycom", "pycom_core", "pycom_plugins", "share", "zerojson"),
)

#: The command `pycom` for a Python: its script is there in the base only.
PYCOM = ("-c", "from pycom_core.cli import main; main()")


class Environment:
    """A virtual environment. With `base` it sees what that one has installed, too."""

    def __init__(self, directory: Path, base: Environment | None = None) -> None:
        self.directory = directory
        venv.create(directory, with_pip=base is None, symlinks=True)
        self.bin = directory / "bin"
        self.python = self.bin / "python"
        self._base = base
        if base is not None:
            (self.packages / "base.pth").write_text(f"{base.packages}\n")

    @property
    def packages(self) -> Path:
        """Where distributions are installed."""
        paths = {"base": str(self.directory), "platbase": str(self.directory)}
        return Path(sysconfig.get_path("purelib", "venv", paths))

    def run(self, *command: str | Path, directory: Path | None = None, **environ: str) -> str:
        """Run a program of this environment; what it writes. Fails if that fails."""
        done = subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=directory or self.directory,
            env=self.environ(**environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def pycom(self, *arguments: str, **environ: str) -> str:
        """What the command `pycom` prints here."""
        return self.run("python", *PYCOM, *arguments, **environ)

    def environ(self, **environ: str) -> dict[str, str]:
        """The variables that its programs get: nothing of the tests' own environment's Python."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYCOM_", "PYTHON", "PYTEST_", "COV_"))
        }
        return {**inherited, "NO_COLOR": "1", **environ}

    def install(self, *requirements: str | Path) -> None:
        """Install distributions: wheels without what they need, which the base has."""
        if self._base is None:
            self.run("python", "-m", "pip", "install", "-q", *requirements)
        else:
            target = ["--python", self.python, "install", "-q", "--no-deps", "--no-index"]
            self._base.run("python", "-m", "pip", *target, *requirements)

    def build(self, project: Path, wheels: Path) -> Path:
        """The wheel of a project."""
        before = {*wheels.glob("*.whl")}
        options = ["-q", "--no-deps", "--no-build-isolation", "-w", wheels]
        (self._base or self).run("python", "-m", "pip", "wheel", *options, project)
        [wheel] = {*wheels.glob("*.whl")} - before
        return wheel


def base_environment(directory: Path) -> Environment:
    """An environment with the wheel of this project, and with tools for tests."""
    base = Environment(directory / "base")
    base.install("setuptools>=77", "mypy", "pytest>=8.2", "pytest-timeout")
    source = directory / "source"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    wheels = directory / "wheels"
    wheels.mkdir()
    base.install(base.build(source, wheels))
    return base
