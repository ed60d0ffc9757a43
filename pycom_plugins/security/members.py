"""The file `members.json`: who belongs to a network, by which keys, and what they may register."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import attrs
import msgspec

from pycom_core import ConfigurationError
from pycom_plugins.security import files, names, patterns
from pycom_plugins.security.documents import converted
from pycom_plugins.security.keys import check_public


def _pattern(problem: Callable[[str], str | None]) -> Any:
    def check(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
        found = problem(value)
        if found is not None:
            raise ValueError(f"{attribute.name}: {found}")

    return attrs.field(validator=check)


@attrs.frozen
class Grant:
    """Patterns; who has the grant may register what all three of them match."""

    path: str = _pattern(patterns.path_problem)  #: of the service
    interface: str = _pattern(patterns.interface_problem)
    address: str = _pattern(patterns.address_problem)

    def allows(self, path: str, interface: str, address: str) -> bool:
        """Tell whether it is for that interface of that service there."""
        return (
            patterns.matches_path(self.path, path)
            and patterns.matches_interface(self.interface, interface)
            and patterns.matches_address(self.address, address)
        )


@attrs.frozen
class MemberKey:
    """One of the keys of a member."""

    key: str = attrs.field(validator=check_public)  #: public, in Z85
    revoked: datetime | None = None  #: from when on nobody is known by it


def _check_names(_instance: object, attribute: attrs.Attribute[Any], given: Iterable[str]) -> None:
    for name in given:
        problem = names.problem(name)
        if problem is not None:
            raise ValueError(f"{attribute.alias}: {problem}")


@attrs.frozen
class Member:
    """One who belongs to a network, by any of the keys that are not revoked."""

    keys: tuple[MemberKey, ...]  #: the newest one last
    roles: tuple[str, ...] = attrs.field(default=(), validator=_check_names)
    register: tuple[Grant, ...] = ()


@attrs.frozen
class Owner:
    """The member whom a key belongs to, or did before it was revoked."""

    name: str
    member: Member
    revoked: datetime | None


@attrs.frozen
class Members:
    """All members of a network. No two have the same key."""

    by_name: Mapping[str, Member] = attrs.field(
        factory=dict, alias="members", validator=_check_names
    )
    _owners: Mapping[str, Owner] = attrs.field(init=False, repr=False, eq=False)

    @_owners.default
    def _found(self) -> Mapping[str, Owner]:
        owners: dict[str, Owner] = {}
        for name, member in self.by_name.items():
            for key in member.keys:
                if key.key in owners:
                    raise ValueError(f"{name} has a key of {owners[key.key].name}")
                owners[key.key] = Owner(name, member, key.revoked)
        return owners

    def owner(self, key: str) -> Owner | None:
        """Return whose key that is, revoked ones included; None for a stranger's."""
        return self._owners.get(key)

    def with_member(self, name: str, member: Member) -> Members:
        """Return these members and another one, or a changed one."""
        return Members({**self.by_name, name: member})


def refusal(member: Member, path: str, interfaces: Iterable[str], address: str) -> str | None:
    """Return why a member may not register a record, or None if all of it is allowed.

    Each interface needs a grant that matches it, the path and the address together.
    """
    found = tuple(interfaces)
    if not found:
        return "it has no interface, and every grant is for an interface"
    for interface in found:
        if not any(grant.allows(path, interface, address) for grant in member.register):
            return f"no grant is for {interface!r:.200} of {path!r:.200} at {address!r:.200}"
    return None


def read(path: str) -> Members:
    """Read the file. Raises `ConfigurationError`."""
    try:
        data = msgspec.json.decode(files.read(path, files.PUBLIC))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not valid JSON: {error}") from error
    content = converted(path, data, _Content)
    try:
        return Members(dict(_members(path, content.members)))
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from error


@attrs.frozen
class _Content:
    members: dict[str, dict[str, Any]]


def _members(path: str, found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Member]]:
    for name, entry in found.items():
        where = f"{path}: members.{name}"
        member = converted(where, entry, Member)
        # Converted one by one for the sake of misspelled keys, which msgspec passes over.
        for field, cls in (("keys", MemberKey), ("register", Grant)):
            for number, row in enumerate(entry.get(field, ())):
                converted(f"{where}.{field}[{number}]", row, cls)
        yield name, member


def create(path: str, members: Members) -> None:
    """Write the file anew. Raises `ConfigurationError` if it exists."""
    files.create(path, lambda: _json(members), files.PRIVATE)


def replace(path: str, members: Members) -> None:
    """Write the file in place of an older one. Raises `ConfigurationError`."""
    files.replace(path, lambda: _json(members), files.PRIVATE)


def _json(members: Members) -> bytes:
    content = {"members": members.by_name}
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
