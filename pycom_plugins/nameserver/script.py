"""The script `pycom-nameserver`: `python -m pycom pycom.apps.nameserver`, with its own defaults."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from pycom_core import constants
from pycom_core.cli import configured, options, run_as_all

_INSTALLED = Path(sys.prefix, "share", "pycom", "ns.conf")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@options("address", "service", "nameserver", "config", "verbose")
@click.argument("modules", nargs=-1, metavar="[MODULE]...")
def _run(modules: tuple[str, ...], **given: Any) -> int:
    """Run a nameserver, and beside it the interfaces of MODULEs if there are any.

    Without -c and PYCOM_CONFIG it reads share/pycom/ns.conf of the installation.
    """
    from pycom_core import ServiceProcess, load_providers
    from pycom_plugins.nameserver.service import NameServer

    if given["config"] is None and not os.environ.get("PYCOM_CONFIG") and _INSTALLED.is_file():
        given["config"] = _INSTALLED
    runtime = configured(
        given,
        defaults={
            "address": constants.NS_DEFAULT_ADDRESS,
            "service": constants.NS_DEFAULT_SERVICE,
        },
    )
    return ServiceProcess(runtime, [NameServer(), *load_providers(modules)]).run()


def main() -> None:
    """Run the script."""
    run_as_all(_run)
