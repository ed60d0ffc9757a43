"""Wheels, and environments that they are installed in, as users of PyCOM have them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
#: The sources of the project's wheel.
SOURCES = (
    *("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"),
    *("pycom", "pycom_core", "pycom_plugins", "share", "zerojson"),
)

#: The command `pycom` for a Python: wheels are unpacked, which makes no scripts.
PYCOM = ("-c", "from pycom_core.cli import main; main()")


class Environment:
    """A virtual environment with wheels in it. Below these it sees what the tests run with."""

    def __init__(self, directory: Path, base: Environment | None = None) -> None:
        """Make one. It sees what `base` has, too."""
        self.directory = directory
        venv.create(directory, symlinks=True)
        self.python = directory / "bin" / "python"
        # mypy reads PyCOM and its libraries once for all.
        self._mypy_cache: Path = base._mypy_cache if base is not None else directory / "mypy"
        paths = {"base": str(directory), "platbase": str(directory)}
        self.packages = Path(sysconfig.get_path("purelib", "venv", paths))
        below = [base.packages] if base is not None else []
        below += [Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")]
        (self.packages / "below.pth").write_text(
            "".join(f"import site; site.addsitedir({str(path)!r})\n" for path in below)
        )

    def run(self, *arguments: str | Path, **options: Any) -> str:
        """Run its Python; what that writes. Fails if that fails."""
        return finished(self.start(*arguments, **options))

    def start(
        self, *arguments: str | Path, directory: Path | None = None, **environ: str
    ) -> subprocess.Popen[str]:
        """Start its Python."""
        return subprocess.Popen(
            [self.python, *arguments],
            cwd=directory or self.directory,
            env=self.environ(**environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def pycom(self, *arguments: str | Path, **options: Path) -> str:
        """Return the output of the command `pycom` in it."""
        return self.run(*PYCOM, *arguments, **options)

    def environ(self, **environ: str) -> dict[str, str]:
        """The variables that its programs get: nothing of the tests' own environment's Python."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYCOM_", "PYTHON", "PYTEST_", "COV_"))
        }
        own = {"MYPY_CACHE_DIR": str(self._mypy_cache), "NO_COLOR": "1"}
        return {**inherited, **own, **environ}

    def install(self, wheel: Path) -> None:
        """Unpack a wheel of pure Python: that is all that its installation takes."""
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.packages)

    def build(self, project: Path) -> Path:
        """The wheel of a project."""
        code = "import sys, setuptools.build_meta as built; built.build_wheel(sys.argv[1])"
        wheels = project / "dist"
        self.run("-c", code, wheels, directory=project)
        [wheel] = wheels.glob("*.whl")
        return wheel


def finished(process: subprocess.Popen[str]) -> str:
    """Return the output of a process, at its end. Fails if the process fails."""
    output, _ = process.communicate()
    assert process.returncode == 0, f"{process.args} ended with {process.returncode}:\n{output}"
    return output


def base_environment(directory: Path) -> Environment:
    """An environment with the wheel of this project."""
    base = Environment(directory / "base")
    source = directory / "source"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    base.install(base.build(source))
    return base
