"""Users for these tests, and a small world to call in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from in_process import MakeRuntime
from plugins.authentication.world import Stub, World

from pycom_plugins.authentication import passwords
from pycom_plugins.authentication.users import User, Users


@pytest.fixture(scope="module", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Makes hashing as quick as argon2 can be; it is slow on purpose."""
    least = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", least)
        yield


@pytest.fixture(scope="module")
def password(quick_hashes: None) -> str:
    """The stored hash of the password pw."""
    return passwords.hashed("pw")


@pytest.fixture
def users_file(tmp_path: Path, password: str) -> Path:
    """A file of users: ann, who is a user, and root, who is an admin. The password is pw."""
    users = Users(tmp_path / "users.json")
    with users.changed() as found:
        found["ann"] = User(password, ("user",))
        found["root"] = User(password, ("user", "admin"))
    return users.path


@pytest.fixture
def world(make_runtime: MakeRuntime) -> Iterator[World]:
    """A nameserver, and the services that a test adds."""
    with contextlib.ExitStack() as stack:
        yield World(make_runtime, stack)


@pytest.fixture
def stub(world: World) -> Stub:
    """The authenticator of the world."""
    stub = Stub()
    world.authenticator(stub)
    return stub
