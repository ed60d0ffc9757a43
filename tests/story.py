"""Runs the examples of a page as its reader would: one after the other, in one directory.

A block of code with a name is a file. A block in the language `console` is a terminal: lines that
begin with `$ ` are commands, the others their output (`...` stands for anything). A command that
ends in `&` is a service that goes on. Ports are chosen by the system: the addresses that a page
shows are exchanged for the real ones, in commands and files, and back in what is printed.
"""

from __future__ import annotations

import contextlib
import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import helpers
from documents import Block

from pycom_core.settings import tomllib

NAMESERVER = "tcp://127.0.0.1:2012"
#: Stands for the story's directory where a page needs an absolute path.
STATE = "/var/lib/pycom"
_ADDRESS = re.compile(r"tcp://127\.0\.0\.1:\d+")


class Story:
    """The common state of one page's examples. A context manager that ends what they started."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, str] = {}
        self._addresses: dict[str, str] = {}  # as shown: as they are
        self._jobs: dict[int, helpers.Service] = {}
        self._nameservers: list[helpers.Service] = []
        self._left = contextlib.ExitStack()
        self._status = 0
        self._environ = {
            "PYTHONPATH": str(directory),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "80",
            # Python warns of a fork while threads run, those of 0MQ among them.
            "PYTHONWARNINGS": "ignore:This process",
        }

    def __enter__(self) -> Story:
        return self

    def __exit__(self, *_: object) -> None:
        self._left.close()

    def tell(self, block: Block) -> None:
        """Run a block that is a terminal, keep one that is a file, pass over others."""
        if block.language == "console":
            for command, expected in commands(block.text):
                self._check(command, expected)
        elif block.name:
            self._files[block.name] = block.text

    def end(self) -> None:
        """Stop the services that still run; they have to end well."""
        for number in sorted(self._jobs, reverse=True):  # the nameserver last
            self._stop(number)

    def _check(self, command: str, expected: str) -> None:
        if command != "echo $?":
            assert self._status == 0, f"the command before {command!r} failed"
        shown = self._run(command)
        for name, real in [*self._addresses.items(), (STATE, str(self._directory))]:
            shown = shown.replace(real, name)
        matches = doctest.OutputChecker().check_output(expected, shown, doctest.ELLIPSIS)
        assert matches, f"$ {command}\nshould print:\n{expected}\nbut prints:\n{shown}"

    def _run(self, command: str) -> str:
        if command == "echo $?":
            status, self._status = self._status, 0
            return f"{status}\n"
        if command.startswith("kill %"):
            self._stop(int(command.removeprefix("kill %")))
            return ""
        environ, words = self._parse(command)
        if words[:1] == ["export"]:
            self._environ.update(word.split("=", 1) for word in words[1:])
            return ""
        if words[-1] == "&":
            self._start(words[:-1], environ)
            return ""
        if words[:3] == ["pip", "install", "-e"]:
            self._install_project(self._directory / words[3])
            return ""
        self._write_files()
        done = subprocess.run(
            [self._real(word) for word in executable(words)],
            cwd=self._directory,
            env=self._environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=helpers.PATIENCE,
        )
        self._status = done.returncode
        return done.stdout

    def _parse(self, command: str) -> tuple[dict[str, str], list[str]]:
        environ: dict[str, str] = {}
        words = shlex.split(command)
        while re.match(r"[A-Z_]+=", words[0]):
            name, value = words.pop(0).split("=", 1)
            environ[name] = value
        return environ, words

    def _start(self, words: list[str], environ: dict[str, str]) -> None:
        is_nameserver = "nameserver" in " ".join(words[:2])
        if is_nameserver and not {"-a", "-c"} & {*words}:
            words = [*words, "-a", NAMESERVER]
        listens = self._address_in(words)
        self._addresses.setdefault(listens, helpers.ANY_PORT)
        self._write_files()
        settings = {**self._environ, **environ}
        service = helpers.Service(
            *executable([*map(self._real, words), "-v"]),
            directory=self._directory,
            **{name: self._real(value) for name, value in settings.items()},
        )
        self._left.callback(service.kill)
        self._addresses[listens] = service.address
        number = max(self._jobs, default=0) + 1
        if is_nameserver:
            self._nameservers.append(service)
        else:
            files = [self._files.get(word, "") for word in words]
            told = self._real(" ".join([*words, *settings.values(), *files]))
            for nameserver in self._nameservers:
                if nameserver.address in told:
                    nameserver.wait_for(f"Registered {re.escape(service.name)} at")
        self._jobs[number] = service

    def _address_in(self, words: list[str]) -> str:
        """The address that a service is told to listen on, as the page shows it."""
        if "-a" in words:
            return words[words.index("-a") + 1]
        configured = re.search(
            r"address\W+(tcp:[^\"\s]+)", self._files[words[words.index("-c") + 1]]
        )
        assert configured is not None
        return configured[1]

    def _stop(self, number: int) -> None:
        service = self._jobs.pop(number)
        if service in self._nameservers:
            self._nameservers.remove(service)
        status = service.stop()
        assert status == 0, f"service {number} ended with status {status}"

    def _write_files(self) -> None:
        for name, text in self._files.items():
            path = self._directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._real(text))
            if path.name == "pyproject.toml":
                self._install(tomllib.loads(text)["project"])

    def _install_project(self, folder: Path) -> None:
        self._install(tomllib.loads((folder / "pyproject.toml").read_text())["project"])
        self._environ["PYTHONPATH"] += f"{os.pathsep}{folder / 'src'}"

    def _install(self, project: dict[str, object]) -> None:
        """Make a project's entry points known, as if it were installed from where it is."""
        name = str(project["name"]).replace("-", "_")
        info = self._directory / f"{name}-{project['version']}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        lines = []
        for group, entries in project["entry-points"].items():  # type: ignore[attr-defined]
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines))

    def _real(self, text: str) -> str:
        text = text.replace(STATE, str(self._directory))
        return _ADDRESS.sub(lambda found: self._addresses.get(found[0], found[0]), text)

    def _environment(self, environ: dict[str, str]) -> dict[str, str]:
        own = {name: self._real(value) for name, value in {**self._environ, **environ}.items()}
        return helpers.environment(**own)


def executable(words: list[str]) -> list[str]:
    """A command line, with the programs of this Python."""
    if words[0] == "python":
        return [sys.executable, *words[1:]]
    if words[0] == "pytest":
        return [sys.executable, "-m", *words, "-p", "no:cacheprovider"]
    if words[0].startswith("pycom"):
        return [helpers.script(words[0]), *words[1:]]
    return words


def commands(text: str) -> list[tuple[str, str]]:
    """The commands in a block that is a terminal, each with what it prints."""
    parts = re.split(r"^\$ (.*)\n", text, flags=re.M)
    assert parts[0] == "", f"no command before {parts[0]!r}"
    return list(zip(parts[1::2], parts[2::2], strict=True))
