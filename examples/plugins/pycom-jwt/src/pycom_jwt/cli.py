"""The commands `pycom jwt …`."""

from __future__ import annotations

import click

from pycom_jwt import issuing


@click.group()
def jwt() -> None:
    """Make keys and tokens."""


@jwt.command()
@click.option("--keep", type=click.IntRange(1), default=2, help="How many keys stay.")
@click.argument("private", type=click.Path(dir_okay=False))
@click.argument("public", type=click.Path(dir_okay=False))
def rotate(private: str, public: str, keep: int) -> None:
    """Add a new key to the files PRIVATE and PUBLIC, and drop old ones."""
    click.echo(issuing.rotate(private, public, keep))


@jwt.command()
@click.option("--role", "roles", multiple=True, help="A role; again for more.")
@click.option("--lifetime", type=float, default=3600.0, help="s for which it is good.")
@click.option("--issuer", help="Who issues it.")
@click.option("--audience", help="Whom it is for.")
@click.argument("private", type=click.Path(exists=True, dir_okay=False))
@click.argument("name")
def issue(
    private: str,
    name: str,
    roles: tuple[str, ...],
    lifetime: float,
    issuer: str | None,
    audience: str | None,
) -> None:
    """Print a token for NAME, signed with the newest key in the file PRIVATE."""
    click.echo(issuing.issue(private, name, roles, lifetime, issuer, audience))
