"""The contract of commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import attrs
import pytest

from pycom_core.errors import BadRequest
from pycom_core.server._service import Provider
from pycom_core.testing.real import RealNetwork
from pycom_core.testing.threads import ServiceThread
from pycom_core.testing.wire import Dealer, answer_in

BAD_BODIES = (
    *(b"", b" ", b"{", b"{}{}", b"nonsense", b'{"a": }', b"\xff\xfe", b'{"\xff": 1}', b"\0" * 1000),
    *(b"[]", b"null", b"true", b"1", b'"text"', b"[" * 100_000, b"x" * 1_000_000),
)


def _any(_number: int, _answer: Mapping[str, Any]) -> None:
    pass


@attrs.frozen
class SampleCommand:
    """A command, and requests that it answers well."""

    name: bytes  #: on the wire
    #: The plugin that contributes it: the name of an installed one, or an object.
    plugin: str | object
    #: Gives the body of the request of a number, an object of JSON values.
    request: Callable[[int], Mapping[str, Any]]
    #: Asserts that an answer is the one to the request of a number.
    check: Callable[[int, Mapping[str, Any]], None] = _any
    providers: Sequence[Provider] = ()  #: what the server provides

    def body(self, number: int) -> bytes:
        """A request as it travels."""
        return json.dumps(self.request(number)).encode()


class CommandContract:
    """Subclass it and supply the fixture `command`: a `SampleCommand`.

    The suite talks to real sockets, with frames of its own.
    """

    #: s; how long the command may take to answer.
    timeout: ClassVar[float] = 10.0

    @pytest.fixture
    def command(self) -> SampleCommand:
        raise NotImplementedError("supply the fixture command")

    def test_contributed_under_its_name(self, command: SampleCommand) -> None:
        with RealNetwork() as network:
            assert command.name in _serve(network, command).server.commands

    def test_answers(self, command: SampleCommand) -> None:
        with RealNetwork() as network, self._client(_serve(network, command)) as client:
            for number in range(3):
                self._answers(client, command, number)

    def test_bad_body_is_refused(self, command: SampleCommand) -> None:
        with RealNetwork() as network, self._client(_serve(network, command)) as client:
            for body in BAD_BODIES:
                answer = answer_in(client.ask(command.name, body))
                assert answer["code"] == BadRequest.code, f"{body[:20]!r}: {answer}"
            assert answer_in(client.ask(command.name))["code"] == BadRequest.code
            self._answers(client, command, 0)

    def test_extra_frames_break_nothing(self, command: SampleCommand) -> None:
        with RealNetwork() as network, self._client(_serve(network, command)) as client:
            for extra in ([b""], [b"attachment"], [b"", b""], [b"x"] * 50, [b"\xff" * 1_000_000]):
                answer_in(client.ask(command.name, command.body(0), *extra))
                self._answers(client, command, 0)

    def test_concurrent_requests_get_their_own_answers(self, command: SampleCommand) -> None:
        with RealNetwork() as network:
            service = _serve(network, command)
            with self._client(service) as one, self._client(service) as two:
                numbers = range(50)
                for number in numbers:
                    for client in (one, two):
                        client.send(b"%d" % number, b"", command.name, command.body(number))
                for client in (one, two):
                    replies = [client.receive() for _ in numbers]
                    assert {int(reply[0]) for reply in replies} == {*numbers}
                    for reply in replies:
                        _check(command, int(reply[0]), answer_in(reply[2:]))

    def test_each_server_has_its_own(self, command: SampleCommand) -> None:
        with RealNetwork() as network:
            one, two = _serve(network, command), _serve(network, command)
            one_command, two_command = (
                service.server.commands[command.name] for service in (one, two)
            )
            assert one_command is not two_command
            one.stop()
            with self._client(two) as client:
                self._answers(client, command, 0)

    def test_gone_when_disabled(self, command: SampleCommand) -> None:
        with RealNetwork() as network, self._client(_without(network, command)) as client:
            answer = answer_in(client.ask(command.name, command.body(0)))
            assert answer["code"] == BadRequest.code
            assert answer["error"].startswith("Unknown command")

    def _client(self, service: ServiceThread) -> Dealer:
        return Dealer(service.address, self.timeout)

    def _answers(self, client: Dealer, command: SampleCommand, number: int) -> None:
        _check(command, number, answer_in(client.ask(command.name, command.body(number))))


def _serve(network: RealNetwork, command: SampleCommand) -> ServiceThread:
    plugins = {} if isinstance(command.plugin, str) else {"contract": command.plugin}
    return network.serve(*command.providers, plugins=plugins)


def _without(network: RealNetwork, command: SampleCommand) -> ServiceThread:
    return network.serve(
        *command.providers, disable=[command.plugin] if isinstance(command.plugin, str) else []
    )


def _check(command: SampleCommand, number: int, answer: Mapping[str, Any]) -> None:
    assert answer["code"] == 0, f"request {number} was refused: {answer}"
    command.check(number, answer)
