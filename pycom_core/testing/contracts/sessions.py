"""The contract of session stores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pycom_core.backends import Guarantee, SessionStore
from pycom_core.testing.clock import Clock
from pycom_core.testing.contracts.common import LeaseContract, at_once, in_loop, in_threads, opened

Factory = Callable[[], SessionStore]

DATA: dict[str, Any] = {
    "user": "Jürgen ☃ 𝄞",
    "ключ": [1, -1.5, 2**53, True, False, None, "", [], {}],
    "deep": {"er": {"and": {"deeper": ["still"]}}},
    "": 'quote " backslash \\ newline \n nul \0',
}


class SessionStoreContract(LeaseContract):
    """Subclass it and supply the fixture `store_factory`: a callable giving a store."""

    @pytest.fixture
    def store_factory(self) -> Factory:
        raise NotImplementedError("supply the fixture store_factory")

    @in_loop
    async def test_unknown_is_none(self, store_factory: Factory) -> None:
        async with opened(store_factory) as store:
            await store.save("known", {"a": 1}, self.ttl)
            assert await store.load("unknown") is None

    @in_loop
    async def test_saved_is_loaded(self, store_factory: Factory) -> None:
        async with opened(store_factory) as store:
            await store.save("a", dict(DATA), self.ttl)
            await store.save("b", {"other": 1}, self.ttl)
            assert await store.load("a") == DATA
            assert await store.load("a") == DATA
            assert await store.load("b") == {"other": 1}

    @in_loop
    async def test_empty_session_is_a_session(self, store_factory: Factory) -> None:
        async with opened(store_factory) as store:
            await store.save("a", {}, self.ttl)
            assert await store.load("a") == {}

    @in_loop
    async def test_save_replaces(self, store_factory: Factory) -> None:
        async with opened(store_factory) as store:
            await store.save("a", {"one": 1, "two": 2}, self.ttl)
            await store.save("a", {"two": 3}, self.ttl)
            assert await store.load("a") == {"two": 3}

    @in_loop
    async def test_idle_life_ends(self, store_factory: Factory, clock: Clock) -> None:
        async with opened(store_factory) as store:
            await store.save("a", {"a": 1}, self.ttl)
            await self.advance(clock, 0.5 * self.ttl)
            await store.save("b", {"b": 1}, self.ttl)
            assert await store.load("a") == {"a": 1}
            await self.advance(clock, 0.75 * self.ttl)
            assert await store.load("a") is None
            assert await store.load("b") == {"b": 1}
            await self.advance(clock, self.ttl)
            assert await store.load("b") is None

    @in_loop
    async def test_save_prolongs(self, store_factory: Factory, clock: Clock) -> None:
        async with opened(store_factory) as store:
            for number in range(4):
                await store.save("a", {"a": number}, self.ttl)
                await self.advance(clock, 0.6 * self.ttl)
                assert await store.load("a") == {"a": number}
            await self.advance(clock, 0.65 * self.ttl)
            assert await store.load("a") is None

    @in_loop
    async def test_last_ttl_counts(self, store_factory: Factory, clock: Clock) -> None:
        async with opened(store_factory) as store:
            await store.save("a", {}, 10 * self.ttl)
            await store.save("b", {}, 10 * self.ttl)
            await store.save("a", {}, self.ttl)
            await self.advance(clock, 1.25 * self.ttl)
            assert await store.load("a") is None
            assert await store.load("b") == {}

    @in_loop
    async def test_dropped_is_gone(self, store_factory: Factory) -> None:
        async with opened(store_factory) as store:
            await store.save("a", {"a": 1}, self.ttl)
            await store.save("b", {"b": 1}, self.ttl)
            await store.drop("a")
            await store.drop("a")
            await store.drop("unknown")
            assert await store.load("a") is None
            assert await store.load("b") == {"b": 1}

    @in_loop
    async def test_saved_anew_has_a_new_life(self, store_factory: Factory, clock: Clock) -> None:
        async with opened(store_factory) as store:
            await store.save("a", {"a": 1}, self.ttl)
            await self.advance(clock, 0.6 * self.ttl)
            await store.drop("a")
            await store.save("a", {"a": 2}, self.ttl)
            await self.advance(clock, 0.6 * self.ttl)
            assert await store.load("a") == {"a": 2}

    @in_loop
    async def test_ids_are_taken_literally(self, store_factory: Factory) -> None:
        ids = (
            "a",
            "A",
            "a%",
            "a_",
            "*",
            "a'b\"c\\",
            " a",
            "a\n",
            "/../a",
            "é",
            "☃𝄞",
            "x" * 5000,
            "",
        )
        async with opened(store_factory) as store:
            for number, session_id in enumerate(ids):
                await store.save(session_id, {"number": number}, self.ttl)
            for number, session_id in enumerate(ids):
                assert await store.load(session_id) == {"number": number}

    @in_loop
    async def test_large_session(self, store_factory: Factory) -> None:
        large = {"text": "ü" * 500_000, "list": [{"n": number} for number in range(5000)]}
        async with opened(store_factory) as store:
            await store.save("a", large, self.ttl)
            assert await store.load("a") == large

    @in_loop
    async def test_many_at_once(self, store_factory: Factory) -> None:
        async with opened(store_factory) as store:

            async def use(number: int) -> None:
                for step in range(5):
                    await store.save(str(number), {"number": number, "step": step}, self.ttl)
                    assert await store.load(str(number)) == {"number": number, "step": step}

            await asyncio.gather(*map(use, range(20)))

    @in_loop
    async def test_in_threads(self, store_factory: Factory, clock: Clock) -> None:
        async with opened(store_factory, without_loop=("load", "save", "drop")) as store:

            def work(number: int) -> None:
                for step in range(25):
                    at_once(store.save(f"{number}", {"step": step}, self.ttl))
                    at_once(store.save("shared", {"step": step}, self.ttl))
                    assert at_once(store.load(f"{number}")) == {"step": step}
                    at_once(store.drop("shared"))

            in_threads(8, work)
            for number in range(8):
                assert await store.load(f"{number}") == {"step": 24}
            assert await store.load("shared") is None

    @in_loop
    async def test_persistent(self, store_factory: Factory, clock: Clock) -> None:
        async with opened(store_factory, Guarantee.PERSISTENT) as store:
            await store.save("a", {"a": 1}, self.ttl)
            await store.save("b", dict(DATA), 10 * self.ttl)
        async with opened(store_factory) as store:
            assert await store.load("a") == {"a": 1}
            assert await store.load("b") == DATA
            await self.advance(clock, 1.25 * self.ttl)
        async with opened(store_factory) as store:
            assert await store.load("a") is None
            assert await store.load("b") == DATA

    @in_loop
    async def test_shared(self, store_factory: Factory, clock: Clock) -> None:
        async with opened(store_factory, Guarantee.SHARED) as here, opened(store_factory) as there:
            await here.save("a", {"a": 1}, self.ttl)
            await here.save("b", {"b": 1}, self.ttl)
            await self.settle()
            assert await there.load("a") == {"a": 1}
            await there.save("a", {"a": 2}, self.ttl)
            await there.drop("b")
            await self.settle()
            assert await here.load("a") == {"a": 2}
            assert await here.load("b") is None
            await self.advance(clock, 1.25 * self.ttl)
            assert await here.load("a") is None
