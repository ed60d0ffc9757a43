"""The contents of the audit log."""

from __future__ import annotations

import contextlib
import datetime
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from pycom_audit.redacting import DEPTH, Redaction

from pycom_core import (
    AccessDenied,
    ConfigurationError,
    Identity,
    Overloaded,
    PluginError,
    RemoteError,
    Request,
    Runtime,
    Settings,
    hookimpl,
    interface,
    method,
)
from pycom_core.testing import LocalNetwork


@interface("com.example.shop")
class Shop:
    @method
    def buy(self, request: Request, what: Any = None, password: Any = None) -> Any:
        if what == "nothing":
            raise RemoteError("sold out", code=42)
        if what == "trouble":
            raise ValueError("not for the log")
        if what == "less":
            return request.error(77)
        if isinstance(what, dict):
            what.clear()
        return f"the result for {password}"

    @method
    async def wait(self, request: Request) -> str:
        return "waited"


class Rules:
    """Knows callers, and refuses some."""

    @hookimpl
    def pycom_authenticate(self, request: Request) -> Identity | None:
        token = request.extensions.get("org.pycom.auth")
        return None if token is None else Identity(token, ["clerk"])

    @hookimpl
    def pycom_authorize(self, identity: Identity | None) -> None:
        if identity is not None and identity.name == "eve":
            raise AccessDenied("not you")

    @hookimpl
    def pycom_prehook(self, data: Request) -> None:
        if (data.args or {}).get("what") == "everything":
            raise Overloaded("too much")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def run(log: Path, *calls: Any, token: str | None = None, **options: Any) -> list[dict[str, Any]]:
    """Call `buy` with each of the given arguments, and return the lines in the log."""
    with LocalNetwork(audit={"file": str(log), **options}) as network:
        network.serve(Shop, name="/shop", plugins={"rules": Rules()}, service="/shop")
        context = network.context()
        context.token = token
        with context.locate("com.example.shop") as shop:
            for args in calls:
                with contextlib.suppress(RemoteError):
                    shop.invoke("buy", args)
    return [line for line in lines(log) if line["interface"] == "com.example.shop"]


def test_line(log: Path) -> None:
    before = datetime.datetime.now(datetime.timezone.utc)
    [line] = run(log, {"what": "apple"}, token="alice")
    time = datetime.datetime.fromisoformat(line.pop("time").replace("Z", "+00:00"))
    assert before <= time <= datetime.datetime.now(datetime.timezone.utc)
    assert line.pop("ms") >= 0
    assert line.pop("pid") > 0
    assert line == {
        "caller": "alice",
        "roles": ["clerk"],
        "interface": "com.example.shop",
        "method": "buy",
        "args": {"what": "apple"},
        "outcome": "ok",
        "code": 0,
        "service": "/shop",
    }


@pytest.mark.parametrize(
    ("what", "token", "outcome", "code"),
    [
        ("apple", None, "ok", 0),
        ("nothing", "alice", "failed", 42),
        ("trouble", "alice", "failed", 1),
        ("less", "alice", "failed", 77),
        ("apple", "eve", "refused", 5),
        ("everything", "alice", "refused", 8),
    ],
)
def test_ends(what: str, token: str | None, outcome: str, code: int, log: Path) -> None:
    [line] = run(log, {"what": what}, token=token)
    assert (line["caller"], line["outcome"], line["code"]) == (token, outcome, code)
    assert "not for the log" not in log.read_text()


def test_redaction(log: Path) -> None:
    secret = "swordfish"
    inside = [{"Pass-Word": secret, "passwordless": "no"}]
    [line] = run(log, {"what": inside, "password": {"deep": secret}, "TOKEN": secret})
    assert secret not in log.read_text()
    assert line["args"] == {
        "what": [{"Pass-Word": "[redacted]", "passwordless": "no"}],
        "password": "[redacted]",
        "TOKEN": "[redacted]",
    }


def test_names_that_are_told(log: Path) -> None:
    [line] = run(log, {"what": 1, "password": 2}, redact=["what"])
    assert line["args"] == {"what": "[redacted]", "password": 2}


def test_arguments_as_they_came(log: Path) -> None:
    [line] = run(log, {"what": {"kept": True}})
    assert line["args"] == {"what": {"kept": True}}


def test_what_is_long_and_strange() -> None:
    shown = Redaction(["secret"], 3).shown
    assert shown("abcd") == "abc…"
    assert shown([1, 2, 3, 4]) == [1, 2, 3, "…"]
    assert shown({str(number): number for number in range(9)}) == {"0": 0, "1": 1, "2": 2}
    assert shown({"abcd\ud83d": None}) == {"abc…": None}
    assert shown("\ud83d☃") == "\\ud83d☃"
    assert shown([None, True, 1.5]) == [None, True, 1.5]
    deep: Any = "bottom"
    for _ in range(900):
        deep = [deep]
    assert json.dumps(shown(deep)).count("[") == DEPTH


def test_calls_at_one_time(log: Path) -> None:
    with LocalNetwork(audit={"file": str(log)}) as network:
        network.serve(Shop)
        context = network.context()

        def work() -> None:
            with context.locate("com.example.shop") as shop:
                for _ in range(50):
                    shop.invoke("wait")

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(line["method"] == "wait" for line in lines(log)) == 200


def test_file_that_is_moved_away(log: Path) -> None:
    with LocalNetwork(audit={"file": str(log)}) as network:
        network.serve(Shop)
        with network.context().locate("com.example.shop") as shop:
            shop.invoke("buy")
            log.rename(log.with_suffix(".1"))
            shop.invoke("wait")
    assert lines(log.with_suffix(".1"))[-1]["method"] == "buy"
    assert lines(log)[0]["method"] == "wait"


def test_what_cannot_be_audited_is_an_error(log: Path) -> None:
    with LocalNetwork() as network:
        network.serve(Shop, audit={"file": str(log)})
        with network.context().locate("com.example.shop") as shop:
            log.unlink()
            log.mkdir()
            with pytest.raises(RemoteError) as caught:
                shop.invoke("buy")
            assert caught.value.code == 1


def test_file_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"audit\.file: cannot write .*: Is a directory"):
        Runtime(Settings(tables={"audit": {"file": str(tmp_path)}}))


def test_setting_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match=r"Unknown setting audit\.path"):
        Runtime(Settings(tables={"audit": {"path": "x"}}))


def test_without_a_file_nothing_is_written() -> None:
    with LocalNetwork() as network:
        network.serve(Shop)
        with network.context().locate("com.example.shop") as shop:
            assert shop.invoke("wait") == "waited"


def test_name_that_is_taken() -> None:
    with pytest.raises(PluginError, match="already a plugin 'audit' of pycom-audit"):
        Runtime(Settings(), plugins={"audit": object()})
