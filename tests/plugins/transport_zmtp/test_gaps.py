"""Gaps between looks at a socket: times of arrival, and requests that wait."""

from __future__ import annotations

import time

import pytest
from zmtp_peers import wire
from zmtp_stage import Stage, requests

from pycom_plugins.transport_zmtp import gaps as module
from pycom_plugins.transport_zmtp import served
from pycom_plugins.transport_zmtp.dialect import cancel
from pycom_plugins.transport_zmtp.gaps import Gaps

SHORT, GAP, LONG = 0.005, 0.5, 2.0  # s


def test_what_is_read_without_a_gap_comes_now() -> None:
    gaps = Gaps(0.0)
    for look in range(1, 10):
        assert not gaps.look(look * SHORT)
        assert gaps.looked == look * SHORT
        assert gaps.since is None
    assert not gaps.is_gap(gaps.looked + SHORT)


def test_what_is_read_after_a_gap_may_have_come_since_the_look_before() -> None:
    gaps = Gaps(10.0)
    assert gaps.is_gap(10.0 + GAP)
    assert gaps.look(10.0 + GAP)
    assert gaps.since == 10.0
    # It was not read to its end before the next gap.
    assert gaps.look(10.0 + 2 * GAP)
    assert gaps.since == 10.0
    gaps.since = None
    assert not gaps.catch_up(True)
    assert not gaps.look(10.0 + 2 * GAP + SHORT)
    assert gaps.since is None


def test_what_is_left_unread_has_come_since_then() -> None:
    gaps = Gaps(10.0)
    gaps.leave()
    assert not gaps.look(10.0 + SHORT)
    gaps.leave()
    assert gaps.since == 10.0


@pytest.mark.parametrize(
    ("gap", "messages", "waiting", "is_held"),
    [
        (GAP, 1000, True, False),
        (LONG, 100, True, False),
        (LONG, 1000, False, False),
        (LONG, 1000, True, True),
    ],
)
def test_doubt_goes_on_after_a_long_gap_if_the_socket_was_full(
    gap: float, messages: int, waiting: bool, is_held: bool
) -> None:
    gaps = Gaps(0.0)
    gaps.taken = 5000  # before
    gaps.look(gap)
    assert gaps.is_in_doubt
    gaps.taken += messages
    assert gaps.catch_up(waiting) is is_held
    assert gaps.is_in_doubt is is_held
    gaps.trust()
    assert not gaps.is_in_doubt


def test_what_came_in_a_gap_is_read_in_several_looks() -> None:
    gaps = Gaps(0.0)
    for look in range(5):
        assert gaps.look(LONG + look * SHORT)
        assert gaps.is_in_doubt
        assert gaps.is_gap(gaps.looked)
        gaps.taken += 30
    assert gaps.catch_up(True)  # the five were many, and the gap was long
    gaps.trust()
    assert not gaps.look(LONG + 5 * SHORT)
    assert not gaps.is_in_doubt


def test_moment_that_ends_before_all_is_read_leaves_the_doubt() -> None:
    gaps = Gaps(0.0)
    gaps.look(LONG)
    gaps.taken += 1000
    assert gaps.catch_up(True)
    gaps.look(LONG + GAP)
    gaps.trust()
    assert gaps.is_in_doubt
    assert not gaps.catch_up(True)
    assert not gaps.is_in_doubt


def test_moment_does_not_begin_again_while_it_lasts() -> None:
    gaps = Gaps(0.0)
    gaps.look(LONG)
    gaps.taken += 1000
    assert gaps.catch_up(True)
    for later in (LONG, 2 * LONG):
        gaps.look(LONG + later)
        assert not gaps.catch_up(True)
        assert gaps.is_in_doubt
    gaps.trust()
    gaps.look(4 * LONG)
    gaps.taken += 1000
    assert gaps.catch_up(True)


@pytest.mark.parametrize("kept", [1, 200], ids=["one", "all"])
def test_requests_of_many_messages_after_a_gap_wait_for_what_takes_them_back(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONG_GAP", 0.0)
    monkeypatch.setattr(served, "MOMENT", 0.5)
    with Stage() as stage, stage.client() as client:
        assert client.ask(b"first") == b"first"
        time.sleep(2 * module._GAP)
        request = b"".join(requests(client, b"taken back"))
        taking_back = wire(client.connection, cancel(b"1"))
        client.send_bytes((request + taking_back) * (200 - kept) + request * kept)
        client.send_bytes(taking_back)
        assert client.ask(b"last") == b"last"
        assert stage.ran == [b"first", b"last"]
