"""The contract of commands finds broken commands: each of its tests fails for one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from core.testing.contracts.suites import failing, suite_of

from pycom_core import BadRequest, BaseCommand, Response, Server, hookimpl
from pycom_core.messages import Attachment
from pycom_core.testing import CommandContract, SampleCommand

pytest_plugins = ["pytester"]

NAME = b"DOUBLE"


class Impatient(CommandContract):
    timeout = 0.5


class Double(BaseCommand):
    """Doubles a number."""

    def request_from_dict(self, data: dict[str, Any]) -> Any:
        if type(data.get("number")) is not int:
            raise BadRequest("number is required")
        return data["number"]

    async def real_process_request(self, request: Any, *others: Attachment) -> Response:
        return Response(None, result=2 * request)

    def response_to_dict(self, response: Response) -> dict[str, Any]:
        return {} if response.code else {"result": response.result}


@attrs.frozen
class Plugin:
    command: type[BaseCommand]
    name: bytes = NAME

    @hookimpl
    def pycom_commands(self, server: Server | None) -> Mapping[bytes, BaseCommand]:
        return {self.name: self.command(server)}


class Triple(Double):
    async def real_process_request(self, request: Any, *others: Attachment) -> Response:
        return Response(None, result=3 * request)


class Mute(Double):
    async def real_process_request(self, request: Any, *others: Attachment) -> Response:
        await asyncio.Event().wait()
        raise AssertionError


class TakesAnything(Double):
    def request_from_wire(self, message: Attachment) -> Any:
        try:
            return super().request_from_wire(message)
        except BadRequest:
            return 0


class TripsOverJson(Double):
    def request_from_wire(self, message: Attachment) -> Any:
        return self.request_from_dict(json.loads(bytes(message)))


class NeverRecovers(Double):
    hurt = False

    def request_from_wire(self, message: Attachment) -> Any:
        if self.hurt:
            raise BadRequest("after what I was sent?")
        try:
            return super().request_from_wire(message)
        except BadRequest:
            self.hurt = True
            raise


class NoMoreFrames(Double):
    async def real_process_request(self, request: Any) -> Response:  # type: ignore[override]
        return Response(None, result=2 * request)


class KeepsTheAttachment(Double):
    """Takes what came with one request for a part of the next ones."""

    seen: tuple[Attachment, ...] = ()

    async def real_process_request(self, request: Any, *others: Attachment) -> Response:
        self.seen += others
        return Response(None, result=2 * request + len(self.seen))


class MixesUp(Double):
    async def real_process_request(self, request: Any, *others: Attachment) -> Response:
        self.request = request
        await asyncio.sleep(0)
        return Response(None, result=2 * self.request)


class OneAtATime(Double):
    busy = False

    async def real_process_request(self, request: Any, *others: Attachment) -> Response:
        if self.busy:
            raise BadRequest("busy")
        self.busy = True
        await asyncio.sleep(0)
        self.busy = False
        return Response(None, result=2 * request)


class Shared:
    """Gives all servers one command."""

    command = Double()

    @hookimpl
    def pycom_commands(self, server: Server | None) -> Mapping[bytes, BaseCommand]:
        return {NAME: self.command}


def sample(plugin: str | object) -> SampleCommand:
    def check(number: int, answer: Mapping[str, Any]) -> None:
        assert answer["result"] == 2 * number

    return SampleCommand(NAME, plugin, lambda number: {"number": number}, check)


CALL = SampleCommand(
    b"CALL",
    "checks",  # which CALL does not come from
    lambda number: {"interface": "org.pycom.nameserver", "method": "stat"},
)
BROKEN = {
    "Misnamed": (sample(Plugin(Double, b"double")), {"test_contributed_under_its_name"}),
    "Triple": (sample(Plugin(Triple)), {"test_answers"}),
    "Mute": (sample(Plugin(Mute)), {"test_answers"}),
    "TakesAnything": (sample(Plugin(TakesAnything)), {"test_bad_body_is_refused"}),
    "TripsOverJson": (sample(Plugin(TripsOverJson)), {"test_bad_body_is_refused"}),
    "NeverRecovers": (sample(Plugin(NeverRecovers)), {"test_bad_body_is_refused"}),
    "NoMoreFrames": (sample(Plugin(NoMoreFrames)), {"test_extra_frames_break_nothing"}),
    "KeepsTheAttachment": (
        sample(Plugin(KeepsTheAttachment)),
        {"test_extra_frames_break_nothing"},
    ),
    "MixesUp": (
        sample(Plugin(MixesUp)),
        {"test_concurrent_requests_get_their_own_answers"},
    ),
    "OneAtATime": (
        sample(Plugin(OneAtATime)),
        {"test_concurrent_requests_get_their_own_answers"},
    ),
    "Shared": (sample(Shared()), {"test_each_server_has_its_own"}),
    "ComesFromElsewhere": (CALL, {"test_gone_when_disabled"}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_is_caught(name: str) -> None:
    command, expected = BROKEN[name]
    failed = failing(Impatient, lambda: {"command": command})
    assert expected <= failed
    # It fails because of its own fault, and passes the other tests.
    assert failed < suite_of(CommandContract)


def test_sound_passes() -> None:
    assert failing(CommandContract, lambda: {"command": sample(Plugin(Double))}) == set()


def test_every_test_is_seen_to_fail() -> None:
    assert set().union(*(expected for _, expected in BROKEN.values())) == suite_of(CommandContract)


def test_missing_fixture_is_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "from pycom_core.testing import CommandContract\n"
        "class TestMine(CommandContract):\n    pass\n"
    )
    result = pytester.runpytest_inprocess("-x", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*NotImplementedError: supply the fixture command*"])
