"""The nameserver as a component of asyncio: any of its replicas."""

from __future__ import annotations

from typing import Any

import pytest
from awaited import awaited
from doubles import Directory
from in_process import MakeRuntime

from pycom_core import (
    AsyncContext,
    CallTimeout,
    MethodNotFound,
    ServiceNotFound,
    ServiceServer,
    constants,
)


@awaited
async def test_others_are_called_when_one_has_gone(make_runtime: MakeRuntime) -> None:
    one, two = (ServiceServer([f"local://{n}"], [Directory()], make_runtime()) for n in (1, 2))
    context = AsyncContext(["local://1", "local://2"], runtime=make_runtime())
    async with context, context.nameserver() as nameserver:
        assert nameserver.address == "local://1"
        one.close()
        assert await nameserver.stat() == {}
        assert nameserver.address == "local://2"
        assert await nameserver.invoke("stat") == {}
        with pytest.raises(MethodNotFound):
            await nameserver.invoke("nothing")
        two.close()
        with pytest.raises(ServiceNotFound, match=r"answers: .*local://2; .*local://1"):
            await nameserver.stat()


@awaited
async def test_replicas_share_the_time_of_a_call(make_runtime: MakeRuntime) -> None:
    ServiceServer(["local://1"], [Directory()], make_runtime())
    given: list[float] = []

    class Silent:
        async def exchange(self, payload: Any, timeout: float) -> Any:
            given.append(timeout)
            raise CallTimeout("silent")

    async with AsyncContext(["local://1", "local://2"], runtime=make_runtime()) as context:
        nameserver = await context.nameserver()
        context.pool.to = lambda address: Silent()  # type: ignore[assignment,return-value,method-assign]
        for call in (nameserver.with_timeout(600).stat(), nameserver.invoke("stat", None, 400)):
            with pytest.raises(ServiceNotFound, match="silent; silent"):
                await call
    assert given == [300, 300, 200, 200]


@awaited
async def test_neither_token_nor_hooks_are_for_it(make_runtime: MakeRuntime) -> None:
    directory = Directory()
    ServiceServer(["local://1"], [directory], make_runtime())
    async with AsyncContext("local://1", runtime=make_runtime()) as context:
        context.token = "secret"
        context.prehooks.append(lambda component, data: pytest.fail("a hook ran"))
        nameserver = await context.nameserver()
        await nameserver.stat()
        assert (nameserver.name, nameserver.context) == (constants.NS_INTERFACE, None)
    assert [constants.AUTH_EXTENSION in one.extensions for one in directory.asked] == [False] * 2
