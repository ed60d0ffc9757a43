"""Writing the project of a plugin: that of a plugin named acme, under another name."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple

from pycom_core import installed_names

#: The kinds of plugins, each with a template of its module and one of its tests.
FAMILIES: Final = (
    *("command", "hooks", "backend", "store"),
    *("balancer", "authentication", "types", "cli"),
)
#: Families whose plugin is an object of a class, because it has state; others are modules.
_OBJECTS = ("hooks", "authentication")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_OURS = ("core", "plugins")


class Names(NamedTuple):
    """The names of a plugin, for each place that needs one."""

    plugin: str
    distribution: str
    package: str

    @classmethod
    def of(cls, name: str) -> Names:
        """Derive names from `geo-ip`, `geo_ip` or `pycom-geo-ip`. Raises ValueError for no name."""
        short = name.removeprefix("pycom-").removeprefix("pycom_")
        if not _NAME.fullmatch(short):
            raise ValueError(f"{name!r} is no name; write small letters, digits and dashes: geo-ip")
        from pycom_core import settings  # a program that only asks for help need not wait for it

        plugin = short.replace("-", "_")
        if keyword.iskeyword(plugin):
            raise ValueError(f"{plugin!r} means something to Python itself; choose another name")
        if plugin in _OURS or plugin in settings.names():
            raise ValueError(f"{plugin!r} means something to PyCOM itself; choose another name")
        if plugin in installed_names():
            raise ValueError(f"There is a plugin {plugin!r} already; choose another name")
        return cls(plugin, f"pycom-{plugin.replace('_', '-')}", f"pycom_{plugin}")

    def put_into(self, text: str) -> str:
        """Return a template with these names instead of those of the plugin acme."""
        named = {
            "pycom-acme": self.distribution,
            "acme": self.plugin,
            "Acme": "".join(part.capitalize() for part in self.plugin.split("_")),
            "ACME": self.plugin.upper(),
        }
        return re.sub("|".join(named), lambda found: named[found[0]], text)


def write(names: Names, family: str, directory: Path) -> list[Path]:
    """Write a project, and return its files. Raises ValueError for a non-empty directory."""
    if directory.exists() and any(directory.iterdir()):
        raise ValueError(f"{directory} is there already, and not empty")
    written = []
    for place, text in _files(names, family):
        path = directory / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(names.put_into(text))
        written.append(path)
    return written


def _files(names: Names, family: str) -> Iterator[tuple[str, str]]:
    target = "pycom_acme:Acme" if family in _OBJECTS else "pycom_acme"
    yield "pyproject.toml", _template("pyproject.toml").replace("TARGET", target)
    yield "README.md", _template("README.md") + _template(f"{family}.md")
    yield f"src/{names.package}/__init__.py", _template(f"{family}.py")
    yield f"src/{names.package}/py.typed", ""
    yield f"tests/test_{names.plugin}.py", _template(f"test_{family}.py")


def _template(name: str) -> str:
    return (resources.files(__package__) / "templates" / f"{name}.template").read_text()
