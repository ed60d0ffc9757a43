"""The commands `pycom key` and `pycom network`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pycom_core.cli import Extensible, print_table

if TYPE_CHECKING:
    from pycom_plugins.security.members import Member
    from pycom_plugins.security.network_folder import NetworkFolder


_folder = click.option(
    "--dir", "folder", metavar="DIR", required=True, help="The folder of the network."
)


@contextlib.contextmanager
def _refused() -> Iterator[None]:
    """Refuse the command line with the reason of a data class."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _network_folder(path: str) -> NetworkFolder:
    from pycom_plugins.security.network_folder import NetworkFolder

    return NetworkFolder(path)


@click.group(cls=Extensible)
def key() -> None:
    """Make and show keys, by which members of a network are known."""


@key.command()
@click.argument("file")
def new(file: str) -> None:
    """Write a new secret key to FILE, and print its public half."""
    from pycom_plugins.security import keyfiles
    from pycom_plugins.security.keys import KeyPair

    pair = KeyPair.new()
    keyfiles.create(file, [pair], "A secret key. Whoever has it is taken for its owner.")
    click.echo(f"The secret key is in {file}. Its public half is {pair.public}")


@key.command()
@click.argument("file")
def show(file: str) -> None:
    """Print the public half of the key in FILE; of each, if it is the nameserver's."""
    from pycom_plugins.security import keyfiles

    for pair in keyfiles.read_all(file):
        click.echo(pair.public)


@click.group(cls=Extensible)
def network() -> None:
    """Make a network of keys, and say who belongs to it."""


@network.command()
@click.argument("folder", metavar="DIR")
@click.option(
    "--nameserver",
    "addresses",
    required=True,
    multiple=True,
    metavar="ADDRESS",
    help="Address where programs reach the nameserver; again for each replica.",
)
@click.option("--name", metavar="NAME", help="Name of the network; that of DIR otherwise.")
def init(folder: str, addresses: tuple[str, ...], name: str | None) -> None:
    """Make a new network in the folder DIR, with keys for its nameserver."""
    from pycom_plugins.security import network_folder as contents

    made = _network_folder(folder)
    with _refused():
        made.init(name or os.path.basename(os.path.abspath(folder)), addresses)
    for file, about in (
        (contents.NETWORK, "for every program of the network; public"),
        (contents.KEY, "for the nameserver alone; secret"),
        (contents.MEMBERS, "for the nameserver; who belongs to the network"),
    ):
        click.echo(f"{made.file(file)}\t{about}")


@network.command()
@click.argument("name")
@_folder
@click.option(
    "--key",
    "public",
    required=True,
    metavar="PUBLIC",
    help="Public half of its key, as pycom key new prints it.",
)
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role; again for more.")
@click.option(
    "--register",
    "grants",
    nargs=3,
    multiple=True,
    metavar="PATH INTERFACE ADDRESS",
    help="Patterns of a service that it may register; again for more.",
)
def add(
    name: str,
    folder: str,
    public: str,
    roles: tuple[str, ...],
    grants: tuple[tuple[str, str, str], ...],
) -> None:
    """Add the member NAME, who is known by a key."""
    from pycom_plugins.security.members import Grant, Member, MemberKey

    with _refused():
        rows = tuple(dict.fromkeys(Grant(*patterns) for patterns in grants))
        member = Member((MemberKey(public),), tuple(dict.fromkeys(roles)), rows)
        _network_folder(folder).add(name, member)
    click.echo(f"Added {name}")


@network.command("list")
@_folder
def list_members(folder: str) -> None:
    """List the members: their keys, roles, and what they may register."""
    found = _network_folder(folder).members().by_name
    print_table(
        ["member", "state", "key", "roles", "may register"],
        [row for name in sorted(found) for row in _rows(name, found[name])],
        least=("roles", "may register"),
    )


def _rows(name: str, member: Member) -> list[list[str]]:
    allowed = ", ".join(f"{g.path} {g.interface} {g.address}" for g in member.register)
    return [
        [
            name,
            "valid" if key.revoked is None else f"revoked {key.revoked.isoformat(' ')}",
            key.key,
            ", ".join(member.roles),
            allowed,
        ]
        for key in member.keys
    ]


@network.command()
@click.argument("name", required=False)
@_folder
@click.option("--key", "public", metavar="PUBLIC", help="Public half of its new key.")
def rotate(name: str | None, folder: str, public: str | None) -> None:
    """Change the key of the member NAME, or that of the nameserver if there is no NAME.

    A member keeps its older keys until they are revoked. The nameserver's next key becomes its key,
    and a new next one is made.
    """
    if (name is None) != (public is None):
        raise click.UsageError(
            "A member needs NAME and --key; the nameserver needs neither, its keys are in DIR"
        )
    changed = _network_folder(folder)
    if name is not None and public is not None:
        with _refused():
            changed.rotate_member(name, public)
        click.echo(f"{name} has another key; the older ones are valid until they are revoked")
    else:
        after = changed.rotate_nameserver()
        click.echo(f"The key of the nameserver is now {after.key}, the next one {after.next_key}")


@network.command()
@click.argument("name")
@_folder
@click.option(
    "--key",
    "publics",
    multiple=True,
    metavar="PUBLIC",
    help="Revoke this one of its keys alone; again for more.",
)
def revoke(name: str, folder: str, publics: tuple[str, ...]) -> None:
    """Revoke all keys of the member NAME, or some."""
    done = _network_folder(folder).revoke(name, publics)
    what = f"a key of {name}" if publics else name
    click.echo(f"Revoked {what}" if done else f"Nothing to do: {what} was revoked before")
