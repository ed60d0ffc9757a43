"""The contract of authentication finds broken plugins: each of its tests fails for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from core.testing.contracts.suites import failing, suite_of

from pycom_core import AccessDenied, Identity, Request, Runtime, hookimpl
from pycom_core.testing import AuthenticationContract, LocalNetwork, SampleCredentials

pytest_plugins = ["pytester"]

KEY = "com.foo.password"
ANN = Identity("ann", ("user",))


class Passwords:
    """Knows one password, which it looks up in a book."""

    def __init__(self) -> None:
        self.book: Mapping[str, Identity] | None = {"sesame": ANN}

    @hookimpl
    def pycom_authenticate(self, request: Request) -> Any:
        if KEY not in request.extensions:
            return None
        return self.owner(request.extensions[KEY])

    def owner(self, password: Any) -> Any:
        if self.book is None or type(password) is not str or password not in self.book:
            raise AccessDenied("a wrong password")
        return self.book[password]


class Paranoid(Passwords):
    def owner(self, password: Any) -> Any:
        raise AccessDenied("nobody is who they say")


class Promotes(Passwords):
    def owner(self, password: Any) -> Any:
        return Identity(super().owner(password).name, ("user", "admin"))


class GivesAName(Passwords):
    def owner(self, password: Any) -> Any:
        return super().owner(password).name


class KnowsEverybody(Passwords):
    @hookimpl
    def pycom_authenticate(self, request: Request) -> Any:
        return ANN


class Lax(Passwords):
    """Takes bad credentials for none."""

    def owner(self, password: Any) -> Any:
        try:
            return super().owner(password)
        except AccessDenied:
            return None


class ByTheLetter(Passwords):
    """Knows bad credentials, and accepts all others."""

    def owner(self, password: Any) -> Any:
        if password == "wrong":
            raise AccessDenied("a wrong password")
        return ANN


class Unprepared(Passwords):
    """Trips over requests without credentials."""

    @hookimpl
    def pycom_authenticate(self, request: Request) -> Any:
        return self.owner(request.extensions[KEY])


class Possessive(Passwords):
    """Refuses what others might know."""

    @hookimpl
    def pycom_authenticate(self, request: Request) -> Any:
        if request.extensions.keys() - {KEY, "org.pycom.deadline"}:
            raise AccessDenied("none of mine")
        return super().pycom_authenticate(request)


class Jealous(Passwords):
    """Throws the other plugins out."""

    @hookimpl
    def pycom_configure(self, runtime: Runtime) -> None:
        for name in ("neighbour", "guests"):
            if name in runtime.plugins.active:
                runtime.plugins.unregister(name)


class Optimist(Passwords):
    def owner(self, password: Any) -> Any:
        return ANN if self.book is None else super().owner(password)


class Forgetful(Passwords):
    """Remembers one caller, while others come."""

    password: Any = None

    @hookimpl
    async def pycom_authenticate(self, request: Request) -> Any:
        self.password = request.extensions.get(KEY)
        await asyncio.sleep(0)
        return None if self.password is None else self.owner(self.password)


def fixtures(plugin: Passwords, **network: Any) -> Mapping[str, Any]:
    def breakdown() -> None:
        plugin.book = None

    credentials = SampleCredentials(
        object() if network else plugin,
        good={KEY: "sesame"},
        identity=ANN,
        bad=[{KEY: "wrong"}],
        breakdown=breakdown,
    )
    return {"network": LocalNetwork(**network), "credentials": credentials}


def everywhere() -> Mapping[str, Any]:
    """Installs the plugin in all runtimes."""
    plugin = Passwords()
    return fixtures(plugin, plugins={"everywhere": plugin})


BROKEN: dict[Callable[[], Any], set[str]] = {
    Paranoid: {"test_owner_is_known"},
    Promotes: {"test_owner_is_known"},
    GivesAName: {"test_owner_is_known"},
    KnowsEverybody: {"test_nobody_is_refused"},
    Lax: {"test_bad_is_refused", "test_bad_is_not_passed_on"},
    ByTheLetter: {"test_strange_is_refused"},
    Unprepared: {"test_nobody_is_refused", "test_not_its_own_is_passed_on"},
    Possessive: {"test_not_its_own_is_passed_on"},
    Jealous: {
        "test_neighbour_that_fails_denies",
        "test_neighbour_that_gives_no_identity_denies",
    },
    Optimist: {"test_breakdown_denies"},
    Forgetful: {"test_callers_are_not_mixed_up"},
    everywhere: {"test_gone_when_disabled"},
}


def made(broken: Callable[[], Any]) -> Callable[[], Mapping[str, Any]]:
    return broken if broken is everywhere else lambda: fixtures(broken())


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_broken_is_caught(broken: Callable[[], Any]) -> None:
    failed = failing(AuthenticationContract, made(broken))
    assert BROKEN[broken] <= failed
    # It fails because of its own fault, and passes the other tests.
    assert failed < suite_of(AuthenticationContract)


def test_sound_passes() -> None:
    assert failing(AuthenticationContract, made(Passwords)) == set()


def test_every_test_is_seen_to_fail() -> None:
    assert set().union(*BROKEN.values()) == suite_of(AuthenticationContract)


def test_missing_fixture_is_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "from pycom_core.testing import AuthenticationContract\n"
        "class TestMine(AuthenticationContract):\n    pass\n"
    )
    result = pytester.runpytest_inprocess("-x", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*NotImplementedError: supply the fixture credentials*"])
