"""The command CALL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import pycom
from pycom_core.testing import CommandContract, SampleCommand


@pycom.interface("com.foo.parrot")
class Echo:
    @pycom.method
    def echo(self, request: Any, value: Any) -> Any:
        return value


class TestContract(CommandContract):
    @pytest.fixture
    def command(self) -> SampleCommand:
        def request(number: int) -> Mapping[str, Any]:
            return {"interface": "com.foo.parrot", "method": "echo", "args": {"value": number}}

        def check(number: int, answer: Mapping[str, Any]) -> None:
            assert answer["result"] == number

        return SampleCommand(b"CALL", "call", request, check, providers=[Echo])
