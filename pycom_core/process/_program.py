"""The group of all commands: the kernel's, and those that plugins add."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, MutableMapping
from io import TextIOWrapper
from typing import Any

import click

from pycom_core.errors import ConfigurationError, PycomError, RemoteError
from pycom_core.process._output import printable

#: True if the process does nothing but run the command line, and so ends with it.
is_all = False


def run_as_all(main: Callable[[], object]) -> None:
    """Run a command line as the only task of the process."""
    global is_all
    is_all = True
    try:
        with reported_errors():
            main()
    finally:
        is_all = False


class Extensible(click.Group):
    """A group of commands that plugins can extend. Its help cuts no sentence short."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, with the first sentence on each of them."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, command.get_short_help_str(sys.maxsize))
            for name, command in found
            if command is not None and not command.hidden
        ]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, those of plugins among them."""
        program = ctx.find_root().command
        if isinstance(program, Program):
            program.warn(program.ask_plugins())
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        # Plugins take time to load, so they are not asked for a command of the kernel's own.
        found = super().get_command(ctx, cmd_name)
        program = ctx.find_root().command
        if found is None and isinstance(program, Program):
            problems = program.ask_plugins()
            found = super().get_command(ctx, cmd_name)
            if found is None:
                program.warn(problems)
        return found


class Program(Extensible):
    """The group of all commands. Errors of PyCOM become a message and an exit status."""

    group_class = Extensible

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owners: dict[str, str] = {}  # plugins, by command
        self._problems: list[str] | None = None  # None: plugins were not asked yet

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Run the command line as a script does."""
        run_as_all(lambda: self.main(*args, **kwargs))

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line."""
        for name in self._owners:
            self.commands.pop(name, None)
        self._owners, self._problems = {}, None
        for stream in (sys.stdout, sys.stderr):
            # No character that a terminal does not know may end a command.
            if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
                stream.reconfigure(errors="backslashreplace")
        with reported_errors():
            return super().main(*args, **kwargs)

    def owner(self, command: str | None) -> str | None:
        """Return the name of the plugin that a command belongs to, or None for the kernel's own."""
        return self._owners.get(command or "")

    def ask_plugins(self) -> list[str]:
        """Let plugins add their commands, once. Returns the problems of those that fail."""
        if self._problems is None:
            self._problems = []
            try:
                self._add_commands()
            except ConfigurationError as error:
                self._problems.append(str(error))
        return self._problems

    def _add_commands(self) -> None:
        from pycom_core.plugins._chains import check_failure
        from pycom_core.plugins._manager import cli_plugins

        assert self._problems is not None
        try:
            disabled = disabled_plugins()
        except ConfigurationError as error:
            disabled = ()
            self._problems.append(str(error))
        plugins = cli_plugins(disabled)
        self._problems += [info.reason for info in plugins.infos.values() if info.reason]
        for plugin, add in plugins.implementations("pycom_cli"):
            before = dict(self.commands)
            try:
                add(group=self)
            except BaseException as error:
                check_failure(error)
                self._problems.append(plugin.complaint(f"failed in pycom_cli: {error!r}"))
            found: MutableMapping[Any, Any] = self.commands
            for name, command in list(found.items()):
                if not isinstance(name, str) or not isinstance(command, click.Command):
                    self.commands.pop(name)
                    self._problems.append(
                        plugin.complaint(f"adds {command!r:.100} as {name!r:.100}, and no command")
                    )
                elif name not in before:
                    self._owners[name] = plugin.name
                elif before[name] is not command:
                    self.commands[name] = before[name]
                    self._problems.append(plugin.complaint(f"adds a second command {name!r}"))

    def warn(self, problems: list[str]) -> None:
        """Say what is wrong, once."""
        for problem in problems:
            click.echo(f"pycom: warning: {' '.join(problem.split())}", err=True)
        problems.clear()


def disabled_plugins() -> Iterable[str]:
    """Return the plugins that the environment disables. Raises `ConfigurationError`."""
    # Reading settings takes time, and few environments have any of these.
    if not {"PYCOM_CONFIG", "PYCOM_PLUGINS"}.intersection(os.environ):
        return ()
    from pycom_core import settings
    from pycom_core.plugins._discovery import installed_names

    return settings.load(tables=installed_names()).plugins.disable


class reported_errors:
    """Turn an error of PyCOM into a message on standard error and an exit status.

    The status is 1 for errors of a service or the network, 2 for errors that the user must fix.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, PycomError):
            code = f"error {error.code}: " if isinstance(error, RemoteError) else ""
            click.echo(f"pycom: {code}{printable(str(error))}", err=True)
            sys.exit(2 if isinstance(error, ConfigurationError) else 1)


class _Refusal(ConfigurationError, SystemExit):
    """An exception that ends a program with its message and no traceback, if it is not caught."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = f"pycom: {message}"


def refusal(error: ConfigurationError | click.ClickException) -> ConfigurationError:
    """Return the error for a program that cannot start with its settings."""
    message = error.format_message() if isinstance(error, click.ClickException) else str(error)
    # Other threads end at a SystemExit without a word.
    is_main = threading.current_thread() is threading.main_thread()
    return _Refusal(message) if is_main else ConfigurationError(message)
