"""The folder of a network: its three files, and the changes that commands make to them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from datetime import datetime, timezone
from typing import Final

import attrs

from pycom_core import ConfigurationError
from pycom_core.addresses import absolute
from pycom_plugins.security import files, keyfiles, members, network
from pycom_plugins.security.keys import KeyPair
from pycom_plugins.security.members import Member, MemberKey, Members
from pycom_plugins.security.network import Network

NETWORK: Final = "network.toml"
KEY: Final = "nameserver.key"
MEMBERS: Final = "members.json"
_LOCK: Final = ".lock"
_ABOUT_KEY: Final = "The secret keys of the nameserver: the one in use, then the next one."


@attrs.frozen
class NetworkFolder:
    """The folder with the files of a network.

    Methods that change it wait for each other, in other processes too. All of them raise
    `ConfigurationError`, and ValueError for arguments that the files cannot hold.
    """

    path: str

    def file(self, name: str) -> str:
        """The path of one of the files."""
        return os.path.join(self.path, name)

    def init(self, name: str, addresses: Collection[str]) -> None:
        """Make a new network, whose nameserver is reached at these addresses."""
        pairs = KeyPair.new(), KeyPair.new()
        at = tuple(map(absolute, addresses))
        made = Network(name, at, pairs[0].public, pairs[1].public)
        files.make_folder(self.path)
        with files.locked(self.file(_LOCK)):
            for existing in (NETWORK, KEY, MEMBERS):
                if os.path.lexists(self.file(existing)):
                    raise ConfigurationError(f"{self.path} has a {existing} already")
            keyfiles.create(self.file(KEY), pairs, _ABOUT_KEY)
            members.create(self.file(MEMBERS), Members())
            network.create(self.file(NETWORK), made)

    def network(self) -> Network:
        """Read `network.toml`."""
        if not os.path.lexists(self.file(NETWORK)):
            raise ConfigurationError(
                f"{self.path} is no network: it has no {NETWORK}. pycom network init makes one"
            )
        return network.read(self.file(NETWORK))

    def members(self) -> Members:
        """Read `members.json`."""
        self.network()
        return members.read(self.file(MEMBERS))

    def add(self, name: str, member: Member) -> None:
        """Add a member with a new name and new keys."""
        with self._changing() as found:
            if name in found.by_name:
                raise ConfigurationError(
                    f"{self.path} has a member {name!r} already; pycom network rotate gives it "
                    "another key"
                )
            for key in member.keys:
                self._check_new(key.key, found)
            self._write(found.with_member(name, member))

    def rotate_member(self, name: str, key: str) -> None:
        """Give a member another key. It keeps the others until they are revoked."""
        with self._changing() as found:
            member = self._known(name, found)
            self._check_new(key, found)
            changed = attrs.evolve(member, keys=(*member.keys, MemberKey(key)))
            self._write(found.with_member(name, changed))

    def revoke(self, name: str, keys: Collection[str] = ()) -> bool:
        """Revoke keys of a member, all of them if none is named. Returns False if they were."""
        with self._changing() as found:
            member = self._known(name, found)
            chosen = frozenset(keys or (key.key for key in member.keys))
            if not chosen <= {key.key for key in member.keys}:
                raise ConfigurationError(f"{name} has no such key; pycom network list shows all")
            now = datetime.now(timezone.utc).replace(microsecond=0)
            left = (_revoked(key, now) if key.key in chosen else key for key in member.keys)
            changed = attrs.evolve(member, keys=tuple(left))
            self._write(found.with_member(name, changed))
        return changed != member

    def rotate_nameserver(self) -> Network:
        """Put the next key of the nameserver in place of its key, and make a new next one.

        A rotation that was interrupted is completed instead. Returns what the network is then.
        """
        with self._changing():
            before = self.network()
            path = self.file(KEY)
            current, following = self._pairs()
            if before.key == current.public:
                current, following = following, KeyPair.new()
                # The key first: whoever knows the older network.toml knows this key as well.
                keyfiles.replace(path, (current, following), _ABOUT_KEY)
            elif before.next_key != current.public:
                raise ConfigurationError(f"{path} is not the key in {self.file(NETWORK)}")
            after = attrs.evolve(before, key=current.public, next_key=following.public)
            network.replace(self.file(NETWORK), after)
        return after

    def _pairs(self) -> tuple[KeyPair, KeyPair]:
        pairs = keyfiles.read_all(self.file(KEY))
        if len(pairs) != 2:
            raise ConfigurationError(f"{self.file(KEY)} holds {len(pairs)} keys instead of two")
        return pairs[0], pairs[1]

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Members]:
        """Give the members, while no other command changes anything."""
        self.network()
        with files.locked(self.file(_LOCK)):
            yield self.members()

    def _write(self, changed: Members) -> None:
        members.replace(self.file(MEMBERS), changed)

    def _known(self, name: str, found: Members) -> Member:
        if name not in found.by_name:
            raise ConfigurationError(
                f"{self.path} has no member {name!r}; pycom network list shows all"
            )
        return found.by_name[name]

    def _check_new(self, key: str, found: Members) -> None:
        owner = found.owner(key)
        if owner is not None:
            was = " was revoked and" if owner.revoked else ""
            raise ConfigurationError(
                f"The key {key} of {owner.name}{was} cannot be given again; make a new one with "
                "pycom key new"
            )
        known = self.network()
        if key in (known.key, known.next_key):
            raise ConfigurationError(f"The key {key} is the nameserver's own")


def _revoked(key: MemberKey, now: datetime) -> MemberKey:
    return attrs.evolve(key, revoked=key.revoked or now)
