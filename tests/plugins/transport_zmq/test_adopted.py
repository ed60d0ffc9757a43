"""Channels over sockets that users bring: the address that they tell."""

from __future__ import annotations

import pytest
import zmq

from pycom_plugins.transport_zmq.adopted import adopted

KINDS = pytest.mark.parametrize("kind", [zmq.DEALER, zmq.REQ])


@KINDS
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tcp://localhost:1", "inproc://a"])
def test_address_is_where_the_socket_is_connected(kind: int, address: str) -> None:
    with zmq.Context() as context, context.socket(kind) as socket:
        socket.connect(address)
        assert adopted(socket).address == address


@KINDS
def test_address_of_a_socket_that_is_not_connected_cannot_be_told(kind: int) -> None:
    with zmq.Context() as context, context.socket(kind) as socket:
        assert adopted(socket).address == "the socket"
