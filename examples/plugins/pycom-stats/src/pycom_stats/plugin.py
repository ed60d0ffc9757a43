"""The plugin: counts calls, answers STATS, and adds `pycom stats`."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pycom_core import (
    BaseCommand,
    Interface,
    Method,
    RemoteError,
    Response,
    Runtime,
    Server,
    hookimpl,
    settings,
)
from pycom_stats.command import NAME, StatsCommand
from pycom_stats.counting import Counts

if TYPE_CHECKING:
    import click


@attrs.frozen
class Options:
    """The options in the table `stats` of the configuration."""

    token: str | None = None  #: what readers must know


class Stats:
    """The plugin of one runtime, whose servers share the counts."""

    def __init__(self) -> None:
        self._counts, self._options = Counts(), Options()

    @hookimpl
    def pycom_configure(self, runtime: Runtime) -> None:
        """Read the settings."""
        self._options = settings.table(runtime.settings, "stats", Options)

    @hookimpl
    def pycom_commands(self, server: Server | None) -> Mapping[bytes, BaseCommand]:
        """Contribute STATS."""
        return {NAME: StatsCommand(server, self._counts, self._options.token)}

    @hookimpl(wrapper=True, tryfirst=True)
    def pycom_invoke(self, iface: Interface, method: Method) -> Generator[None, Any, Any]:
        """Count a call, the work of other wrappers included."""
        started = time.perf_counter()
        code = 1
        try:
            result = yield
            code = result.code if isinstance(result, Response) else 0
        except RemoteError as error:
            code = error.code or 1
            raise
        finally:
            ms = (time.perf_counter() - started) * 1000
            self._counts.add(f"{iface.name}.{method.name}", ms, code)
        return result

    @hookimpl
    def pycom_cli(self, group: click.Group) -> None:
        """Add `pycom stats`."""
        from pycom_stats.cli import stats

        group.add_command(stats)
