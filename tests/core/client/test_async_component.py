"""Components of asyncio, whose methods are awaited."""

from __future__ import annotations

import asyncio
import inspect
import pydoc
import time
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import helpers
import pytest
from awaited import awaited
from doubles import CODES, AsyncScripted, ok
from in_process import MakeRuntime

from pycom_core import (
    AsyncContext,
    CallTimeout,
    DeadlineExceeded,
    MethodNotFound,
    RemoteError,
    Request,
    Response,
    ServiceNotAvailable,
    ServiceNotFound,
    ServiceRecord,
    ServiceServer,
    hookimpl,
    interface,
    method,
)
from pycom_core.client._async_component import AsyncComponent, Opening
from pycom_core.constants import AUTH_EXTENSION, DEADLINE_EXTENSION
from pycom_core.transport._async_pool import AsyncPool
from pycom_plugins.introspection.service import Service

IFACE = "com.foo.kit"


@pytest.fixture
def context(make_runtime: MakeRuntime) -> AsyncContext:
    return AsyncContext(runtime=make_runtime())


def component(channel: AsyncScripted, context: AsyncContext) -> AsyncComponent:
    """A component that has this channel."""
    context.pool = AsyncPool(lambda address: channel)
    return AsyncComponent("anywhere", IFACE, context)


# What is sent.


@awaited
async def test_request(context: AsyncContext) -> None:
    channel = AsyncScripted(ok(result=1))
    assert await component(channel, context).invoke("bar", {"a": 1}, attachment=b"\x00") == 1
    command, _body, attachment, timeout = channel.sent[0]
    assert (command, attachment, timeout) == (b"CALL", b"\x00", 5000)
    assert channel.body() == {
        "version": "1.0",
        "interface": IFACE,
        "method": "bar",
        "args": {"a": 1},
        "extensions": {DEADLINE_EXTENSION: 5000},
    }


@awaited
async def test_timeout_of_the_call_and_of_the_context(make_runtime: MakeRuntime) -> None:
    channel = AsyncScripted(ok(), ok())
    far = component(channel, AsyncContext(runtime=make_runtime(), timeout=70))
    await far.invoke("bar")
    await far.invoke("bar", timeout=30.4)
    assert [sent[-1] for sent in channel.sent] == [70, 30.4]
    deadlines = [channel.body(number)["extensions"][DEADLINE_EXTENSION] for number in (0, 1)]
    assert deadlines == [70, 30]


@awaited
async def test_call_without_an_answer_is_named(context: AsyncContext) -> None:
    far = component(AsyncScripted(CallTimeout("No"), ServiceNotAvailable("Closed")), context)
    with pytest.raises(CallTimeout, match=f"^{IFACE}.bar: No$"):
        await far.invoke("bar")
    with pytest.raises(ServiceNotAvailable, match=f"^{IFACE}.foo: Closed$"):
        await far.invoke("foo")
    use: Any = Told()
    component(AsyncScripted([b"FAIL", b"{}"]), context)
    located = AsyncComponent("anywhere", IFACE, context, use)
    with pytest.raises(ServiceNotAvailable, match=f"^{IFACE}.bar of /com/foo/one: "):
        await located.invoke("bar")


@awaited
async def test_deadline(context: AsyncContext) -> None:
    channel = AsyncScripted(ok())
    far = component(channel, context)
    context.deadline = time.monotonic() + 2
    await far.invoke("bar", timeout=5000)
    assert 0 < channel.sent[0][-1] <= 2000
    context.deadline = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="call that this one is made for"):
        await far.invoke("bar")
    assert len(channel.sent) == 1, "nothing is sent any more"


@awaited
async def test_token_is_sent(context: AsyncContext) -> None:
    channel = AsyncScripted(ok(), ok())
    far = component(channel, context)
    await far.invoke("bar")
    context.token = "secret"
    await far.invoke("bar")
    tokens = [channel.body(number)["extensions"].get(AUTH_EXTENSION) for number in (0, 1)]
    assert tokens == [None, "secret"]


@pytest.mark.parametrize(
    ("args", "attachment", "message"),
    [
        ({"a": object()}, None, r"args\.a: object is nothing that JSON knows"),
        (None, "text", "An attachment must be bytes"),
        (None, 1, "An attachment must be bytes"),
    ],
)
@awaited
async def test_what_cannot_be_sent(
    args: Any, attachment: Any, message: str, context: AsyncContext
) -> None:
    channel = AsyncScripted()
    with pytest.raises(TypeError, match=message):
        await component(channel, context).invoke("bar", args, attachment=attachment)
    assert channel.sent == []


# What comes back.


@pytest.mark.parametrize("views", [False, True])
@awaited
async def test_attachment_as_bytes_or_as_a_view(views: bool, make_runtime: MakeRuntime) -> None:
    context = AsyncContext(runtime=make_runtime(), views=views)
    result, blob = await component(AsyncScripted(ok(b"\x00ab", result=1)), context).invoke("bar")
    assert (result, blob) == (1, b"\x00ab")
    assert type(blob) is (memoryview if views else bytes)


@awaited
async def test_response(context: AsyncContext) -> None:
    channel = AsyncScripted(ok(b"x", result=1, extensions={"a": 1}, session_id="id"))
    request = Request(IFACE, "bar")
    response = await component(channel, context).invoke_with_request(request)
    assert response.request is request
    assert (response.result, response.attachment, response.code) == (1, b"x", 0)
    assert (response.extensions, response.session_id) == ({"a": 1}, "id")


@pytest.mark.parametrize(("code", "kind"), CODES.items())
@awaited
async def test_errors(code: int, kind: type[RemoteError], context: AsyncContext) -> None:
    with pytest.raises(RemoteError) as caught:
        await component(AsyncScripted(ok(code=code, error="teapot")), context).invoke("bar")
    assert type(caught.value) is kind
    assert (caught.value.code, str(caught.value)) == (code, "teapot")


@awaited
async def test_service_that_failed_to_answer(context: AsyncContext) -> None:
    with pytest.raises(ServiceNotAvailable, match=r"The server at .* failed to answer"):
        await component(AsyncScripted([b"FAIL", b"{}"]), context).invoke("bar")


@awaited
async def test_session(context: AsyncContext) -> None:
    channel = AsyncScripted(ok(session_id="one"), ok(), ok(session_id="two"), ok(), ok())
    far = component(channel, context)
    for _ in range(4):
        await far.invoke("bar")
    await AsyncComponent("anywhere", IFACE, context).invoke("bar")
    ids = [channel.body(number).get("session_id") for number in range(5)]
    assert ids == [None, "one", "one", "two", None], "each component has its own"


@pytest.mark.parametrize("error", [CallTimeout("late"), asyncio.CancelledError()])
@awaited
async def test_channel_outlives_a_call_that_failed(
    error: BaseException, context: AsyncContext
) -> None:
    channel = AsyncScripted(error, ok(result=1))
    far = component(channel, context)
    with pytest.raises(type(error)):
        await far.invoke("bar")
    assert await far.invoke("bar") == 1
    assert not channel.closed


@awaited
async def test_closing_it_leaves_the_channel_to_the_context(context: AsyncContext) -> None:
    channel = AsyncScripted(ok())
    async with component(channel, context) as far:
        await far.invoke("bar")
    assert not channel.closed
    context.close()
    assert channel.closed


# Hooks.


@awaited
async def test_hooks_in_their_order_and_what_they_return(context: AsyncContext) -> None:
    channel = AsyncScripted(ok(result=1))
    far = component(channel, context)
    seen: list[Any] = []

    def replaces(component: Any, data: Request) -> Request:
        return Request(data.interface, "other", args=[component.name])

    def leaves(component: Any, data: Any) -> None:
        seen.append((component, type(data)))

    context.prehooks += [replaces, leaves]
    context.posthooks += [lambda component, data: data.request.response("replaced"), leaves]
    assert await far.invoke("bar") == "replaced"
    assert (channel.body()["method"], channel.body()["args"]) == ("other", [IFACE])
    assert seen == [(far._wrapped, Request), (far._wrapped, Response)]
    called = seen[0][0]
    assert (called.name, called.address, called.context) == (IFACE, "anywhere", context)


@awaited
async def test_hooks_of_plugins(make_runtime: MakeRuntime) -> None:
    seen: list[Any] = []

    def before(component: Any, data: Request) -> None:
        seen.append((component.name, data.method))

    def after(component: Any, data: Response) -> None:
        seen.append((component.name, data.result))

    plugin = SimpleNamespace(
        pycom_client_prehook=hookimpl(before), pycom_client_posthook=hookimpl(after)
    )
    context = AsyncContext(runtime=make_runtime({"mine": plugin}))
    await component(AsyncScripted(ok(result=1)), context).invoke("bar")
    assert seen == [(IFACE, "bar"), (IFACE, 1)]


@awaited
async def test_hook_that_raises_gives_the_call_up(context: AsyncContext) -> None:
    def refuse(component: Any, data: Any) -> None:
        raise KeyError("no")

    channel = AsyncScripted()
    context.prehooks.append(refuse)
    with pytest.raises(KeyError, match="no"):
        await component(channel, context).invoke("bar")
    assert channel.sent == []


# Methods.


@interface(IFACE)
class Tools(Service):
    """Tools of every kind."""

    @method
    def cut(self, request: Request, what: Any, where: Any, how: Any = "well") -> Any:
        """Cut something."""
        return [what, where, how]

    @method(results=("one",))
    async def single(self, request: Request, value: Any) -> Any:
        return value

    @method(results=("left", "right"))
    def both(self, request: Request) -> Any:
        return 1, 2

    @method(results=("size", "blob"), attachments=("blob", "blob"))
    def mirror(self, request: Request, blob: bytes) -> Any:
        return len(blob), bytes(blob)[::-1]

    @method
    def refuse(self, request: Request) -> None:
        raise RemoteError("teapot", code=42)

    @method
    def close(self, request: Request) -> str:
        return "closed remotely"


@pytest.fixture
def opening(make_runtime: MakeRuntime) -> Iterator[Callable[[], Any]]:
    """Opens a component of the tools."""
    runtime = make_runtime()
    ServiceServer(["local://tools"], [Tools()], runtime)
    context = AsyncContext(runtime=runtime)
    yield lambda: context.connect("local://tools", IFACE)
    context.close()


Open = Callable[[], Any]


@pytest.mark.parametrize(
    ("call", "result"),
    [
        (lambda tools: tools.cut(1, 2), [1, 2, "well"]),
        (lambda tools: tools.cut(1, where=2), [1, 2, "well"]),
        (lambda tools: tools.cut(where=2, what=1, how="badly"), [1, 2, "badly"]),
        (lambda tools: tools.single({"a": 1}), {"a": 1}),
        (lambda tools: tools.both(), (1, 2)),
        (lambda tools: tools.mirror(b"ab"), (2, b"ba")),
        (lambda tools: tools.mirror(blob=b"ab"), (2, b"ba")),
        (lambda tools: tools.invoke("cut", {"what": 1, "where": 2}), [1, 2, "well"]),
        (lambda tools: tools.invoke("close"), "closed remotely"),
    ],
)
@awaited
async def test_methods(call: Callable[[Any], Any], result: Any, opening: Open) -> None:
    assert await call(await opening()) == result


@awaited
async def test_several_results_have_names(opening: Open) -> None:
    tools = await opening()
    both, mirrored = await asyncio.gather(tools.both(), tools.mirror(b"ab"))
    assert (both.left, both.right) == (1, 2)
    assert (mirrored.size, mirrored.blob) == (2, b"ba")


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1,), {}), ((1, 2, 3), {}), ((1, 2), {"well": 1})]
)
@awaited
async def test_arguments_that_do_not_fit(args: Any, kwargs: Any, opening: Open) -> None:
    tools = await opening()
    called: list[Any] = []
    tools.context.prehooks.append(lambda component, data: called.append(data))
    for one in (tools, tools.with_timeout(1000)):
        with pytest.raises(TypeError, match=r"cut\(\)"):
            await one.cut(*args, **kwargs)
    assert called == []


@awaited
async def test_error_of_a_method(opening: Open) -> None:
    tools = await opening()
    with pytest.raises(RemoteError, match="teapot") as caught:
        await tools.refuse()
    assert caught.value.code == 42
    with pytest.raises(MethodNotFound, match="missing"):
        await tools.invoke("missing")


@awaited
async def test_method_that_the_interface_has_not(opening: Open) -> None:
    tools = await opening()
    with pytest.raises(AttributeError, match=r"com\.foo\.kit has no method 'missing'"):
        _ = tools.missing
    assert not hasattr(AsyncComponent("local://tools", IFACE, tools.context), "cut"), "unknown yet"


@awaited
async def test_method_has_a_name_and_a_docstring(opening: Open) -> None:
    tools = await opening()
    assert (tools.cut.__name__, tools.cut.__doc__) == ("cut", "Cut something.")
    assert tools.cut is tools.cut
    assert inspect.iscoroutinefunction(tools.cut)
    assert str(inspect.signature(tools.cut)) == "(what, where, *, how=…)"
    assert "cut(what, where, *, how=…)" in pydoc.render_doc(tools.cut, renderer=pydoc.plaintext)


@awaited
async def test_completion_finds_the_methods(opening: Open) -> None:
    tools = await opening()
    names = {"cut", "both", "invoke", "close", "name", "session_id", "with_timeout"}
    assert names <= set(dir(tools))
    assert "cut" not in dir(AsyncComponent("anywhere", IFACE, tools.context))


@pytest.mark.parametrize(
    "probe",
    [
        lambda tools: [getattr(tools, name, None) for name in PROBES],
        inspect.getmembers,
        inspect.unwrap,
        inspect.isawaitable,
        pydoc.render_doc,
        lambda tools: mock.create_autospec(tools, instance=True),
    ],
    ids=["names", "members", "unwrap", "awaitable", "help", "autospec"],
)
@awaited
async def test_probes_of_tools_never_call(probe: Callable[[Any], Any], opening: Open) -> None:
    tools = await opening()
    called: list[Any] = []
    tools.context.prehooks.append(lambda component, data: called.append(data))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as that a coroutine was not awaited
        probe(tools)
    assert called == []


PROBES = (
    *("_repr_html_", "_ipython_display_", "_ipython_canary_method_should_not_exist_"),
    *("__rich_repr__", "__wrapped__", "__await__", "__len__", "__getstate__", "keys", "shape"),
)


@awaited
async def test_its_own_names_come_first(opening: Open) -> None:
    tools = await opening()
    assert tools.name == IFACE
    assert repr(tools) == "<AsyncComponent of com.foo.kit at local://tools>"
    assert set((await tools.introspect())["methods"]) >= {"cut", "both", "close"}
    assert tools.close() is None


# Entering.


@awaited
async def test_opening_is_awaited_or_entered(opening: Open) -> None:
    for tools in (await opening(), await opening()):
        assert await tools.single(1) == 1
    async with opening() as tools:
        assert await tools.single(2) == 2
    async with await opening() as tools:
        assert await tools.single(3) == 3


class Told:
    """Stands in for the use of a record."""

    record = ServiceRecord("/com/foo/one", "anywhere", ())

    def __init__(self) -> None:
        self.told: list[Any] = []

    def begin(self) -> None:
        self.told.append("begin")

    def end(self, latency: float, error: BaseException | None) -> None:
        assert 0 <= latency < helpers.PATIENCE
        self.told.append(error)

    def release(self) -> None:
        self.told.append("release")


@awaited
async def test_use_is_told_of_each_call_and_of_the_end(context: AsyncContext) -> None:
    use: Any = Told()
    late, cancelled = CallTimeout("late"), asyncio.CancelledError()
    component(AsyncScripted(ok(), late, cancelled, ok(code=1, error="no")), context)
    async with AsyncComponent("anywhere", IFACE, context, use) as far:
        await far.invoke("bar")
        for kind in (CallTimeout, asyncio.CancelledError, RemoteError):
            with pytest.raises(kind):
                await far.invoke("bar")
    *before, refused, last = use.told
    assert before == ["begin", None, "begin", late, "begin", cancelled, "begin"]
    assert isinstance(refused, RemoteError)
    assert last == "release"


@awaited
async def test_entering_gives_the_component_and_leaving_closes_it(context: AsyncContext) -> None:
    use: Any = Told()

    async def open_component() -> AsyncComponent:
        return AsyncComponent("anywhere", IFACE, context, use)

    async with Opening(open_component) as far:
        assert use.told == []
        assert far.name == IFACE
    assert use.told == ["release"]
    await Opening(open_component)
    assert use.told == ["release"], "awaited, it is closed by whoever has it"


@awaited
async def test_component_that_cannot_be_opened() -> None:
    async def refuse() -> AsyncComponent:
        raise ServiceNotFound("nowhere")

    with pytest.raises(ServiceNotFound, match="nowhere"):
        async with Opening(refuse):
            pytest.fail("it was entered")
    with pytest.raises(ServiceNotFound, match="nowhere"):
        await Opening(refuse)
