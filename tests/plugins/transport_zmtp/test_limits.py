"""The limits of a message."""

from __future__ import annotations

from pycom_plugins.transport_zmtp.limits import Limits


def test_message_has_room_for_json_and_an_attachment_of_the_largest_size() -> None:
    assert Limits(frame=100).message >= 200
    assert Limits(frame=100).message < 200 + 100_000
