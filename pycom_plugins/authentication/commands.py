"""The commands `pycom authenticator` and `pycom users`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from pycom_core import constants
from pycom_core.cli import Extensible, configured, options, print_table

if TYPE_CHECKING:
    from pycom_plugins.authentication.users import Users

# A fixed port: after a crash it is the same one again, which the nameserver takes for a renewal.
DEFAULT_ADDRESS: Final = "tcp://127.0.0.1:2011"
DEFAULT_SERVICE: Final = "/org/pycom/authenticator"

_users_file = click.option(
    "--users", "path", metavar="FILE", help="File of the users; authenticator.users otherwise."
)


def _settings(path: str | None) -> dict[str, Any]:
    return {} if path is None else {"authenticator": {"users": path}}


@click.command()
@options("address", "nameserver", "service", "config", "verbose")
@_users_file
def authenticator(path: str | None, **given: Any) -> int:
    """Run an authenticator for the users in a file.

    It listens on tcp://127.0.0.1:2011 and registers with the nameserver on tcp://127.0.0.1:2012,
    unless it is told otherwise.
    """
    from pycom_core import ServiceProcess
    from pycom_plugins.authentication.service import Authenticator

    runtime = configured(
        {**given, **_settings(path)},
        defaults={
            "address": DEFAULT_ADDRESS,
            "nameserver": constants.NS_DEFAULT_ADDRESS,
            "service": DEFAULT_SERVICE,
        },
    )
    return ServiceProcess(runtime, [Authenticator()]).run()


@click.group(cls=Extensible)
def users() -> None:
    """Add, remove and list the users of the authenticator."""


@users.command()
@options("config")
@_users_file
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role; again for more.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, one line."
)
@click.argument("name")
def add(
    name: str, roles: tuple[str, ...], password_stdin: bool, path: str | None, config: str | None
) -> None:
    """Add a user, or change the password and the roles of an existing one."""
    from pycom_plugins.authentication.passwords import LONGEST, hashed
    from pycom_plugins.authentication.users import User

    for text in (name, *roles):
        if not text.isprintable() or not text.strip() or len(text) > LONGEST:
            raise click.UsageError(f"{text[:100]!r} is no name; write some visible characters")
    file = _users(path, config)
    user = User(hashed(_password(password_stdin)), tuple(dict.fromkeys(roles)))
    with file.changed() as found:
        done = "Changed" if name in found else "Added"
        found[name] = user
    click.echo(f"{done} {name}")


@users.command()
@options("config")
@_users_file
@click.argument("name")
def remove(name: str, path: str | None, config: str | None) -> None:
    """Remove a user, whose tokens are void from then on."""
    file = _users(path, config)
    file.all()
    with file.changed() as found:
        if found.pop(name, None) is None:
            raise click.ClickException(f"There is no user {name!r} in {file.path}")
    click.echo(f"Removed {name}")


@users.command("list")
@options("config")
@_users_file
def list_users(path: str | None, config: str | None) -> None:
    """List the users and their roles."""
    found = _users(path, config).all()
    print_table(
        ["user", "roles"], [[name, ", ".join(user.roles)] for name, user in sorted(found.items())]
    )


def _users(path: str | None, config: str | None) -> Users:
    from pycom_core import load_settings
    from pycom_core.settings import table
    from pycom_plugins.authentication.service import NAME, Options, users_of

    return users_of(table(load_settings(config, **_settings(path)), NAME, Options))


def _password(from_stdin: bool) -> str:
    from pycom_plugins.authentication.passwords import LONGEST

    if from_stdin:
        password: str = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not 0 < len(password) <= LONGEST:
        raise click.UsageError(f"A password has 1 to {LONGEST} characters")
    return password
