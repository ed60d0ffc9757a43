"""Frames that were recorded from PyCOM 0.6.0, sent again: the answers must mean the same."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helpers
import pytest

VECTORS = [
    json.loads(line) for line in Path(__file__).with_name("vectors.jsonl").read_text().splitlines()
]
#: Each is a story of its own: its vectors build on each other, and on no other group's.
GROUPS = sorted({vector["name"].partition(".")[0] for vector in VECTORS})
#: The one deviation: 0.6.0 fails inside of the method, while a bad request is what this is.
CODES = {"call.decode.missing-attachment": 4}


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    with helpers.Processes() as processes:
        nameserver = processes.nameserver()
        services = {
            "nameserver": nameserver,
            "authenticator": processes.service("vector_authenticator", nameserver=nameserver),
            "service": processes.service("vector_services", nameserver=nameserver),
        }
        yield {name: service.address for name, service in services.items()}


@pytest.mark.parametrize("group", GROUPS)
def test_answers_mean_what_they_meant(group: str, addresses: dict[str, str]) -> None:
    expected, found = {}, {}
    session_ids: dict[str, str] = {}  # as recorded → as of now
    for vector in VECTORS:
        name = vector["name"]
        if not name.startswith(f"{group}."):
            continue
        request = [frame(item) for item in vector["request"]]
        for recorded, current in session_ids.items():
            request[1] = request[1].replace(recorded.encode(), current.encode())
        with helpers.Dealer(addresses[vector["to"]]) as dealer:
            reply = dealer.ask(*request)
        recorded_reply = [frame(item) for item in vector["response"]]
        if name == "session.first":
            session_ids[json.loads(recorded_reply[1])["session_id"]] = json.loads(reply[1])[
                "session_id"
            ]
        expected[name], found[name] = meaning(recorded_reply), meaning(reply)
        expected[name]["code"] = CODES.get(name, expected[name]["code"])
        if name == "ns.introspect":
            found[name]["result"] = known_part(found[name]["result"], expected[name]["result"])
    assert found == expected


def frame(item: Any) -> bytes:
    return item.encode("ascii") if isinstance(item, str) else base64.b64decode(item["b64"])


def meaning(reply: list[bytes]) -> dict[str, Any]:
    status, body, *attachment = reply
    answer = json.loads(body)
    return {
        "status": status,
        "code": answer["code"],
        "result": answer.get("result"),
        "has error": "error" in answer,
        "has session_id": "session_id" in answer,
        "attachment": attachment,
    }


def known_part(introspection: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    """The introspection without what may be added to it, and with the texts that were recorded."""
    methods = {}
    for name, old in recorded["methods"].items():
        new = introspection["methods"][name]
        optional = new["optional_arguments"]
        methods[name] = {
            **{key: new[key] for key in old},
            "docstring": old["docstring"] if new["docstring"] else None,
            "optional_arguments": [arg for arg in optional if arg in old["optional_arguments"]],
        }
    return {
        **{key: introspection[key] for key in recorded},
        "docstring": recorded["docstring"] if introspection["docstring"] else None,
        "methods": methods,
    }


def test_no_detail_of_an_exception_leaves_the_service(addresses: dict[str, str]) -> None:
    with helpers.Dealer(addresses["service"]) as dealer:
        reply = dealer.ask(b"CALL", b'{"interface": "com.foo.example", "method": "boom"}')
    assert b"secret" not in b"".join(reply)
