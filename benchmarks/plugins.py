"""The time to find and load PyCOM's own plugins, and twenty more of other people."""

from __future__ import annotations

import argparse
import subprocess
import sysconfig
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

import harness

#: The cost of any program; the difference to LOAD is the work of the plugin system.
IMPORT = "from pycom_core import Runtime"
LOAD = "from pycom_core import Runtime; Runtime().plugins.active"
COUNT = 20
SOURCE = """
from pycom_core import hookimpl

@hookimpl
def pycom_prehook(iface, method, data):
    pass
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="runs of each contender")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        few, many = environment(Path(folder, "few"), 0), environment(Path(folder, "many"), COUNT)
        samples = harness.alternate(
            {
                "import alone": timed(few, IMPORT),
                "PyCOM's own plugins": timed(few, LOAD),
                f"and {COUNT} more": timed(many, LOAD),
            },
            rounds,
        )
    alone = samples["import alone"]
    rows = []
    for name, values in samples.items():
        low, beyond, high = harness.spread(
            [value - other for value, other in zip(values, alone, strict=True)]
        )
        median = harness.spread(values)[1]
        rows.append([name, ms(median), ms(beyond), f"{ms(low)} – {ms(high)}"])
    harness.table(["", "process", "beyond the import", "quartiles"], rows)


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def environment(folder: Path, count: int) -> Path:
    """A virtual environment that sees this one, with so many plugins, a distribution for each."""
    venv.create(folder, symlinks=True)
    paths = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", paths))
    seen = sysconfig.get_path("purelib")
    (packages / "seen.pth").write_text(f"import site; site.addsitedir({seen!r})\n")
    for number in range(count):
        name = f"extra{number}"
        (packages / f"{name}.py").write_text(SOURCE)
        described = packages / f"{name}-1.0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (described / "entry_points.txt").write_text(f"[pycom.plugins]\n{name} = {name}\n")
    return folder


def timed(folder: Path, code: str) -> Callable[[], float]:
    """A measurement: run code in that environment."""
    command = [folder / "bin" / "python", "-c", code]

    def measure() -> float:
        started = time.perf_counter()
        subprocess.run(command, check=True, env=harness.ENVIRONMENT, cwd=folder)
        return time.perf_counter() - started

    return measure


if __name__ == "__main__":
    main()
