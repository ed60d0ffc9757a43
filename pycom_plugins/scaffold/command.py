"""The command `pycom plugins new`."""

from __future__ import annotations

from pathlib import Path

import click

from pycom_plugins.scaffold.writing import FAMILIES, Names, write


@click.command()
@click.argument("name")
@click.option(
    "--family", type=click.Choice(FAMILIES), required=True, help="What the plugin gives to PyCOM."
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write the project; a new folder of the distribution's name otherwise.",
)
def new(name: str, family: str, directory: Path | None) -> None:
    """Write the project of a plugin NAME, which can be installed and tested as it is."""
    try:
        names = Names.of(name)
        project = directory or Path(names.distribution)
        written = write(names, family, project)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for path in written:
        click.echo(str(path))
    click.echo(f"Next: pip install -e '{project}[test]' && pytest {project}")
    click.echo("Where PyCOM is not installed, install it before: it is not on the package index.")
