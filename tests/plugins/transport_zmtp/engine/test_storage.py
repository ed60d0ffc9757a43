"""Room for large bodies: kept, and never given twice."""

from __future__ import annotations

import mmap
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycom_plugins.transport_zmtp.engine.storage import Storage

KIB_64 = 64 * 1024
MIB = 1024 * 1024


def room(view: memoryview) -> mmap.mmap:
    assert isinstance(view.obj, mmap.mmap)
    return view.obj


def test_room_is_used_again_when_nobody_has_a_view_of_it() -> None:
    storage = Storage()
    first = id(room(storage.take(MIB)))
    assert [id(room(storage.take(size))) for size in (MIB, MIB // 2, MIB)] == [first] * 3


def test_two_rooms_are_kept_for_those_who_hold_one_body_while_the_next_comes() -> None:
    storage = Storage()
    held = storage.take(MIB)
    rooms = {id(room(held))}
    for _ in range(10):
        held = storage.take(MIB)
        rooms.add(id(room(held)))
    assert len(rooms) == 2


@pytest.mark.parametrize(("before", "size"), [(MIB, KIB_64), (KIB_64, MIB), (MIB, MIB + 1)])
def test_room_is_neither_too_small_nor_much_too_large(before: int, size: int) -> None:
    storage = Storage()
    storage.take(before)
    assert len(room(storage.take(size))) == size


def test_very_large_room_goes_back_to_the_system() -> None:
    storage = Storage()
    size = 2 * MIB + 1
    assert len(storage.take(size)) == size
    assert not storage._rooms


def test_room_that_the_system_does_not_have() -> None:
    with pytest.raises(OSError, match="memory"):
        Storage().take(2**62)


@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.sampled_from([KIB_64, KIB_64 + 1, 2 * KIB_64, MIB])),
        max_size=40,
    )
)
def test_what_is_held_does_not_change(bodies: list[tuple[int, int]]) -> None:
    storage = Storage()
    held: deque[tuple[memoryview, bytes]] = deque()
    for number, (kept, size) in enumerate(bodies):
        view = storage.take(size)
        assert len(view) == size
        view[:8] = view[-8:] = content = number.to_bytes(8, "big")
        held.append((view[1:], content))
        del view
        while len(held) > kept:
            held.popleft()
        for part, content in held:
            assert bytes(part[:7]) == content[1:]
            assert bytes(part[-8:]) == content
