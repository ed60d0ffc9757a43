"""The authenticator: passwords in, tokens out."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import helpers
import pytest
from in_process import MakeRuntime, answer, call

from pycom_core import ConfigurationError, ServiceServer
from pycom_core.testing import Clock
from pycom_plugins.authentication import passwords, service
from pycom_plugins.authentication.expiring import Expiring
from pycom_plugins.authentication.service import Authenticator
from pycom_plugins.authentication.tokens import Tokens
from pycom_plugins.authentication.users import User, Users

NAME = "org.pycom.authenticator"
WRONG = {"code": 5, "error": "Wrong user or credentials"}
VOID = {"code": 5, "error": "The token is not valid, or no longer"}


@pytest.fixture
def authenticator() -> Authenticator:
    return Authenticator()


@pytest.fixture
def server(
    authenticator: Authenticator, make_runtime: MakeRuntime, users_file: Path
) -> ServiceServer:
    runtime = make_runtime(tables={"authenticator": {"users": str(users_file)}})
    return ServiceServer(["tcp://authenticator:1"], [authenticator], runtime)


def log_in(server: ServiceServer, user: Any, credentials: Any) -> dict[str, Any]:
    return call(server, NAME, "authenticate", {"user": user, "credentials": credentials})


def token_of(server: ServiceServer, user: str) -> str:
    token: str = log_in(server, user, "pw")["result"]["token"]
    return token


def validate(server: ServiceServer, token: Any) -> dict[str, Any]:
    return call(server, NAME, "validate", {"token": token})


def test_who_knows_the_password_gets_a_token(server: ServiceServer) -> None:
    answer = validate(server, token_of(server, "root"))
    assert answer == {"code": 0, "result": {"name": "root", "roles": ["user", "admin"]}}


@pytest.mark.parametrize(
    ("user", "credentials"),
    [
        ("ann", "PW"),
        ("ann", ""),
        ("ann", "p" * 5000),
        ("ann" * 5000, "pw"),
        ("bob", "pw"),
        ("", ""),
        ("half of a pair: \ud83d", "\ud83d"),
        ("ann", None),
        (None, None),
        ("ann", ["pw"]),
        ({"$ne": ""}, "pw"),
        (1, True),
    ],
)
def test_nobody_else_does(user: Any, credentials: Any, server: ServiceServer) -> None:
    assert log_in(server, user, credentials) == WRONG


@pytest.mark.parametrize("token", ["", "x" * 43, "\ud83d", None, 1, ["x"], {}])
def test_what_is_no_token(token: Any, server: ServiceServer) -> None:
    assert validate(server, token) == VOID


def test_as_much_is_computed_for_strangers(
    server: ServiceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    original = passwords.matches

    def matches(kept: str, password: str) -> bool:
        checked.append(kept.rpartition("$")[0].rpartition("$")[0])  # without salt and hash
        return original(kept, password)

    monkeypatch.setattr(passwords, "matches", matches)
    assert log_in(server, "ann", "wrong") == log_in(server, "bob", "wrong") == WRONG
    assert len(checked) == 2
    assert len(set(checked)) == 1


def test_tokens_end(server: ServiceServer, authenticator: Authenticator) -> None:
    clock = Clock()
    authenticator._tokens = Tokens(60, clock.now)
    token = token_of(server, "ann")
    clock.advance(59)
    assert validate(server, token)["code"] == 0
    clock.advance(1)
    assert validate(server, token) == VOID


def test_the_lifetime_is_a_setting(
    authenticator: Authenticator, users_file: Path, make_runtime: MakeRuntime
) -> None:
    table = {"users": str(users_file), "token_lifetime": 90}
    authenticator.open(make_runtime(tables={"authenticator": table}))
    assert authenticator._tokens._owners._lifetime == 90


class TestChanges:
    @pytest.fixture
    def token(self, server: ServiceServer) -> str:
        return token_of(server, "ann")

    def test_other_roles_count_at_once(
        self, server: ServiceServer, token: str, users_file: Path, password: str
    ) -> None:
        with Users(users_file).changed() as found:
            found["ann"] = User(password, ("boss",))
        assert validate(server, token)["result"] == {"name": "ann", "roles": ["boss"]}

    def test_another_password_ends_tokens(
        self, server: ServiceServer, token: str, users_file: Path
    ) -> None:
        with Users(users_file).changed() as found:
            found["ann"] = User(passwords.hashed("pw"), ("user",))
        assert validate(server, token) == VOID
        assert log_in(server, "ann", "pw")["code"] == 0

    def test_who_is_removed_has_no_token(
        self, server: ServiceServer, token: str, users_file: Path
    ) -> None:
        with Users(users_file).changed() as found:
            del found["ann"]
        assert validate(server, token) == VOID
        assert log_in(server, "ann", "pw") == WRONG

    def test_who_is_added_can_log_in(
        self, server: ServiceServer, users_file: Path, password: str
    ) -> None:
        assert log_in(server, "bob", "pw") == WRONG
        with Users(users_file).changed() as found:
            found["bob"] = User(password)
        assert validate(server, token_of(server, "bob"))["result"] == {"name": "bob", "roles": []}

    @pytest.mark.parametrize("content", [None, "{"])
    def test_without_a_good_file_nobody_is_known(
        self, content: str | None, server: ServiceServer, token: str, users_file: Path
    ) -> None:
        if content is None:
            users_file.unlink()
        else:
            users_file.write_text(content)
        assert validate(server, token)["code"] == 1
        assert log_in(server, "ann", "pw")["code"] == 1


class TestBruteForce:
    def test_a_name_has_to_wait_after_ten_wrong_passwords(
        self, server: ServiceServer, authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = Clock()
        authenticator._tries = Expiring(service.PAUSE, 100, clock.now)
        monkeypatch.setattr(passwords, "matches", lambda _kept, password: password == "pw")
        for name in ("ann", "bob"):  # whether there is one or not
            for _ in range(10):
                assert log_in(server, name, "wrong") == WRONG
            refused = log_in(server, name, "pw")
            assert refused["code"] == 5
            assert "try again in a minute" in refused["error"]
        assert log_in(server, "root", "pw")["code"] == 0
        clock.advance(60)
        assert log_in(server, "ann", "pw")["code"] == 0

    def test_the_right_password_makes_up_for_wrong_ones(
        self, server: ServiceServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(passwords, "matches", lambda _kept, password: password == "pw")
        for _ in range(3):
            for _ in range(9):
                assert log_in(server, "ann", "wrong") == WRONG
            assert log_in(server, "ann", "pw")["code"] == 0

    def test_few_are_checked_at_a_time_while_the_loop_goes_on(
        self, server: ServiceServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = token_of(server, "ann")
        released, lock = threading.Event(), threading.Lock()
        side_by_side = threading.Barrier(service.CHECKS, timeout=helpers.PATIENCE)
        running = most = 0

        def matches(kept: str, password: str) -> bool:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            assert released.wait(helpers.PATIENCE)
            side_by_side.wait()
            with lock:
                running -= 1
            return True

        async def main() -> list[int]:
            calls = [
                asyncio.ensure_future(
                    answer(server, NAME, "authenticate", {"user": f"{n}", "credentials": "pw"})
                )
                for n in range(service.MOST_WAITING + 3)
            ]
            # Those who are one too many are told so at once.
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            validated = await answer(server, NAME, "validate", {"token": token})
            assert validated["code"] == 0
            released.set()
            return [answer["code"] for answer in await asyncio.gather(*calls)]

        monkeypatch.setattr(passwords, "matches", matches)
        codes = asyncio.run(main())
        assert sorted(codes) == [5] * service.MOST_WAITING + [8] * 3
        assert most == service.CHECKS


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({}, "Where are the users"),
        ({"user": "x"}, r"Unknown setting authenticator\.user; did you mean 'users'"),
        ({"users": 1}, "authenticator: Expected `str | null`"),
        ({"users": "/nowhere/users.json"}, "Cannot read the file of users /nowhere/users.json"),
        ({"users": "x", "token_lifetime": 0}, "token_lifetime must be more than 0"),
    ],
)
def test_settings_that_stop_the_start(
    table: dict[str, Any], problem: str, make_runtime: MakeRuntime
) -> None:
    runtime = make_runtime(tables={"authenticator": table})
    with pytest.raises(ConfigurationError, match=problem):
        ServiceServer(["tcp://authenticator:1"], [Authenticator()], runtime)


def test_its_threads_end_with_the_server(
    server: ServiceServer, authenticator: Authenticator
) -> None:
    server.close()
    with pytest.raises(RuntimeError):
        authenticator._checks.submit(print)


def test_the_face() -> None:
    import pycom.apps.authenticator

    assert pycom.apps.authenticator.Authenticator is Authenticator
