"""The transport as a whole: the contract, over TCP and over Unix sockets."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import pytest

from pycom_core.testing import TransportContract
from pycom_core.testing.contracts.common import in_loop
from pycom_core.testing.contracts.transports import AMPLE, Factory
from pycom_plugins.transport_zmtp.transport import ZmtpTransport


class TestOverTcp(TransportContract):
    other_addresses = ("tcp://127.0.0.1:0", "tcp://[::1]:*", "tcp://localhost:*")
    wrong_addresses = (
        "",
        "nonsense",
        "inproc://here",
        "tcp://nowhere",
        "tcp://1.2.3.4:99999",
        "tcp://1.2.3.4.5:1",
        "tcp://::1:2013",
        "tcp://;127.0.0.1:2013",
        "ipc:///" + "x" * 200,
    )

    @pytest.fixture
    def transport_factory(self) -> Factory:
        return ZmtpTransport


class TestOverUnixSockets(TransportContract):
    wildcard = "ipc://*"

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self._free = (f"ipc://{tmp_path}/{number}" for number in itertools.count())

    @property
    def address(self) -> str:  # type: ignore[override]
        return next(self._free)

    @pytest.fixture
    def transport_factory(self) -> Factory:
        return ZmtpTransport

    @in_loop
    async def test_service_that_restarts_behind_a_link(
        self, transport_factory: Factory, tmp_path: Path
    ) -> None:
        link = tmp_path / "link"
        with contextlib.ExitStack() as left:
            channel = left.enter_context(self.connected(transport_factory, f"ipc://{link}"))
            own = left.enter_context(self.connected_async(transport_factory, f"ipc://{link}"))
            for name in ("one", "two"):
                link.unlink(missing_ok=True)
                link.symlink_to(name)
                with self.serving(transport_factory, f"ipc://{tmp_path / name}"):
                    assert channel.exchange([b"ECHO", b"1"], AMPLE) == [b"OK", b"1"]
                    assert await own.exchange([b"ECHO", b"2"], AMPLE) == [b"OK", b"2"]
                with self.fails_unsent():
                    channel.exchange([b"ECHO", b"1"], AMPLE)
                with self.fails_unsent():
                    await own.exchange([b"ECHO", b"2"], AMPLE)
