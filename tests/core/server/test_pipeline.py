"""The life of a call, through a server without sockets."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any

import pytest
from awaited import comes_true
from in_process import MakeRuntime, answer, call, payload, running

from pycom_core import (
    AccessDenied,
    BaseCommand,
    Context,
    DeadlineExceeded,
    Future,
    Identity,
    Interface,
    Method,
    RemoteError,
    Request,
    Response,
    ServiceServer,
    SessionExpired,
    hookimpl,
    interface,
    method,
)
from pycom_core.constants import DEADLINE_EXTENSION
from pycom_core.settings import Authentication

SECRET = "the password is swordfish"
FAILED = {"code": 1, "error": "Unknown error during request"}


@interface("com.foo.steps")
class Steps:
    """Methods of every kind; each notes when it runs."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @method
    def now(self, request: Request, value: Any = None) -> Any:
        self.seen.append("method")
        return value

    @method
    async def later(self, request: Request, value: Any = None) -> Any:
        await asyncio.sleep(0)
        self.seen.append("method")
        return value

    @method
    def promised(self, request: Request, value: Any = None) -> Future:
        self.seen.append("method")
        future = Future(request)
        threading.Thread(target=future.response, args=[value]).start()
        return future

    @method
    def answered(self, request: Request, value: Any = None) -> Response:
        self.seen.append("method")
        return request.response(value)

    @method
    def refuse(self, request: Request, code: int = 42) -> None:
        raise RemoteError("teapot", code=code)

    @method
    async def refuse_later(self, request: Request, code: int = 42) -> None:
        await asyncio.sleep(0)
        raise RemoteError("teapot", code=code)

    @method
    def fail(self, request: Request) -> None:
        raise ValueError(SECRET)

    @method
    async def fail_later(self, request: Request) -> None:
        await asyncio.sleep(0)
        raise ValueError(SECRET)

    @method
    def unencodable(self, request: Request) -> object:
        return {SECRET: object()}

    @method
    def who(self, request: Request) -> str | None:
        return request.identity and request.identity.name

    @method
    async def stuck(self, request: Request) -> None:
        self.seen.append("started")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise


ALL_KINDS = pytest.mark.parametrize("kind", ["now", "later", "promised", "answered"])


def plugin(**hooks: Any) -> object:
    """A plugin that has these functions as its hooks."""
    return SimpleNamespace(
        **{
            name: hook if hasattr(hook, "pycom_impl") else hookimpl(hook)
            for name, hook in hooks.items()
        }
    )


def wrapping(function: Callable[..., Any]) -> Any:
    return hookimpl(wrapper=True)(function)


@pytest.fixture
def serve(make_runtime: MakeRuntime) -> Callable[..., ServiceServer]:
    """Makes a server of `Steps` with plugins, which are called in this order."""

    def serve(*plugins: object, **settings: Any) -> ServiceServer:
        named = {f"plugin{index}": hooks for index, hooks in enumerate(plugins)}
        runtime = make_runtime(dict(reversed(named.items())), **settings)
        return ServiceServer(["local://a"], [Steps()], runtime)

    return serve


Serve = Callable[..., ServiceServer]


def seen_by(server: ServiceServer) -> list[Any]:
    seen: list[Any] = server.interfaces["com.foo.steps"].instance.seen
    return seen


# The order of everything.


@ALL_KINDS
def test_order_of_a_call(kind: str, make_runtime: MakeRuntime) -> None:
    steps = Steps()
    seen = steps.seen

    def noting(step: str) -> Callable[..., None]:
        return lambda *_: seen.append(step)

    @wrapping
    def invoke(request: Request) -> Generator[None, Any, Any]:
        seen.append("invoke: before")
        result = yield
        seen.append("invoke: after")
        return result

    async def authenticate(request: Request) -> None:
        seen.append("authenticate")

    hooks = {
        name: hookimpl(eval(f"lambda data: note({name!r})", {"note": seen.append}))
        for name in ("prehook", "posthook", "client_prehook", "client_posthook")
    }
    mine = plugin(
        pycom_authenticate=authenticate,
        pycom_authorize=lambda request: seen.append("authorize"),
        pycom_invoke=invoke,
        **{f"pycom_{name}": hook for name, hook in hooks.items()},
    )
    runtime = make_runtime({"mine": mine})
    server = ServiceServer(["local://a"], [steps], runtime)
    info = server.interfaces["com.foo.steps"].methods[kind]
    context = Context(runtime=runtime)
    context.prehooks.append(noting("prehook of the context"))
    context.posthooks.append(noting("posthook of the context"))
    info.prehooks.append(noting("prehook of the method"))
    info.posthooks.append(noting("posthook of the method"))
    try:
        result = context.connect("local://a", "com.foo.steps").invoke(kind, {"value": [1]})
    finally:
        info.prehooks.clear()
        info.posthooks.clear()
        context.close()
    assert result == [1]
    assert seen == [
        "prehook of the context",
        "client_prehook",
        "authenticate",
        "authorize",
        "prehook",
        "prehook of the method",
        "invoke: before",
        "method",
        "invoke: after",
        "posthook of the method",
        "posthook",
        "client_posthook",
        "posthook of the context",
    ]


# What hooks and methods raise.


def before_yield(error: BaseException) -> Any:
    @wrapping
    def pycom_invoke() -> Generator[None, Any, Any]:
        raise error
        yield

    return pycom_invoke


def after_yield(error: BaseException) -> Any:
    @wrapping
    def pycom_invoke() -> Generator[None, Any, Any]:
        yield
        raise error

    return pycom_invoke


def raising(error: BaseException) -> Callable[[], None]:
    def hook() -> None:
        raise error

    return hook


HOOKS: dict[str, Callable[[BaseException], object]] = {
    "authorize": lambda error: plugin(pycom_authorize=raising(error)),
    "prehook": lambda error: plugin(pycom_prehook=raising(error)),
    "invoke, before": lambda error: plugin(pycom_invoke=before_yield(error)),
    "invoke, after": lambda error: plugin(pycom_invoke=after_yield(error)),
    "posthook": lambda error: plugin(pycom_posthook=raising(error)),
}
every_hook = pytest.mark.parametrize("hook", HOOKS)
RUNS_BEFORE_METHOD = ("authorize", "prehook", "invoke, before")


@every_hook
@pytest.mark.parametrize("kind", ["now", "later"])
def test_hook_that_raises_remote_error(hook: str, kind: str, serve: Serve) -> None:
    server = serve(HOOKS[hook](RemoteError("teapot", code=42)))
    assert call(server, "com.foo.steps", kind) == {"code": 42, "error": "teapot"}
    assert seen_by(server) == ([] if hook in RUNS_BEFORE_METHOD else ["method"])


@every_hook
@pytest.mark.parametrize("kind", ["now", "later"])
def test_hook_that_raises_another_exception(
    hook: str, kind: str, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(HOOKS[hook](ValueError(SECRET)))
    denied = {"code": 5, "error": "Access denied"}
    assert call(server, "com.foo.steps", kind) == (denied if hook == "authorize" else FAILED)
    assert seen_by(server) == ([] if hook in RUNS_BEFORE_METHOD else ["method"])
    assert SECRET in caplog.text


@pytest.mark.parametrize("name", ["refuse", "refuse_later"])
def test_method_that_raises_remote_error(name: str, serve: Serve) -> None:
    server = serve()
    assert call(server, "com.foo.steps", name) == {"code": 42, "error": "teapot"}
    assert call(server, "com.foo.steps", name, {"code": 0})["code"] == 1


@pytest.mark.parametrize("name", ["fail", "fail_later", "unencodable"])
def test_no_text_of_an_exception_leaks(
    name: str, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve()
    reply = asyncio.run(server.answer([b"client", b"", *payload("com.foo.steps", name)]))
    assert SECRET.encode() not in b"".join(reply)
    assert call(server, "com.foo.steps", name) == FAILED
    assert f"com.foo.steps.{name}" in caplog.text


@pytest.mark.parametrize("how", ["data", "method"])
def test_prehook_may_replace_or_change(how: str, serve: Serve) -> None:
    """Hooks of plugins change the data in place; those of a method may also replace it."""

    def change(data: Request) -> None:
        data.args["value"] += 1

    def replace(iface: Interface, method: Method, data: Request) -> Request:
        return Request(data.interface, data.method, args={"value": data.args["value"] + 1})

    server = serve(plugin(pycom_prehook=change) if how == "data" else plugin())
    info = server.interfaces["com.foo.steps"].methods["now"]
    if how == "method":
        info.prehooks.append(replace)
    try:
        assert call(server, "com.foo.steps", "now", {"value": 1})["result"] == 2
    finally:
        info.prehooks.clear()


def test_hook_of_a_plugin_that_returns_something(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(plugin(pycom_prehook=lambda data: data))
    assert call(server, "com.foo.steps", "now") == FAILED
    assert seen_by(server) == []
    assert "returned Request from pycom_prehook" in caplog.text


# Wrappers of pycom_invoke.


@ALL_KINDS
def test_wrappers_see_results_the_first_outermost(kind: str, serve: Serve) -> None:
    def adding(word: str) -> object:
        @wrapping
        def pycom_invoke(method: Method) -> Generator[None, Any, Any]:
            result = yield
            if isinstance(result, Response):
                result.result += word
                return result
            return result + word

        return plugin(pycom_invoke=pycom_invoke)

    server = serve(adding(" outer"), adding(" inner"))
    answer = call(server, "com.foo.steps", kind, {"value": "method"})
    assert answer["result"] == "method inner outer"


@pytest.mark.parametrize("name", ["fail", "fail_later"])
def test_wrappers_see_exceptions_and_may_mend_them(name: str, serve: Serve) -> None:
    seen: list[str] = []

    @wrapping
    def mends() -> Generator[None, Any, Any]:
        try:
            return (yield)
        except ValueError as error:
            seen.append(f"mends {error}")
            return "mended"

    @wrapping
    def watches() -> Generator[None, Any, Any]:
        try:
            return (yield)
        finally:
            seen.append("watched")

    server = serve(plugin(pycom_invoke=mends), plugin(pycom_invoke=watches))
    assert call(server, "com.foo.steps", name)["result"] == "mended"
    assert seen == ["watched", f"mends {SECRET}"]


def test_wrapper_may_raise_another_error(serve: Serve) -> None:
    @wrapping
    def pycom_invoke() -> Generator[None, Any, Any]:
        try:
            return (yield)
        except ValueError:
            raise RemoteError("Closed", code=77) from None

    server = serve(plugin(pycom_invoke=pycom_invoke))
    assert call(server, "com.foo.steps", "fail") == {"code": 77, "error": "Closed"}


def test_wrapper_that_fails_before_the_method_is_seen_by_those_around_it(serve: Serve) -> None:
    seen: list[str] = []

    @wrapping
    def around() -> Generator[None, Any, Any]:
        try:
            return (yield)
        except ValueError as error:
            seen.append(str(error))
            raise

    server = serve(plugin(pycom_invoke=around), HOOKS["invoke, before"](ValueError("inner")))
    assert call(server, "com.foo.steps", "now") == FAILED
    assert seen == ["inner"]
    assert seen_by(server) == []


def never(request: Request) -> Generator[None, Any, Any]:
    if request.interface == "":
        yield


def twice(request: Request) -> Generator[None, Any, Any]:
    yield
    yield


@pytest.mark.parametrize(
    ("function", "says", "ran"), [(never, "never yields", []), (twice, "yields twice", ["method"])]
)
def test_wrapper_that_is_none(
    function: Any, says: str, ran: list[str], serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(plugin(pycom_invoke=wrapping(function)))
    assert call(server, "com.foo.steps", "now") == FAILED
    assert says in caplog.text
    assert seen_by(server) == ran


@pytest.mark.parametrize("wrapped", [False, True])
def test_method_with_a_call_of_its_own(wrapped: bool, make_runtime: MakeRuntime) -> None:
    seen: list[str] = []

    class Loud(Method):
        def call(self, iface: Interface, request: Request) -> Response:
            seen.append("call")
            response = super().call(iface, request)
            response.result = response.result.upper()
            return response

    @interface("com.foo.loud")
    class Service:
        @method(method_factory=Loud)
        def say(self, request: Request, word: str) -> str:
            return word

    Service.say.__method__.prehooks.append(lambda *_: seen.append("prehook"))
    Service.say.__method__.posthooks.append(lambda *_: seen.append("posthook"))

    @wrapping
    def pycom_invoke() -> Generator[None, Any, Any]:
        seen.append("invoke")
        return (yield)

    runtime = make_runtime({"mine": plugin(pycom_invoke=pycom_invoke)} if wrapped else {})
    server = ServiceServer(["local://a"], [Service], runtime)
    assert call(server, "com.foo.loud", "say", {"word": "hi"})["result"] == "HI"
    assert seen == [*(["invoke"] if wrapped else []), "call", "prehook", "posthook"]
    assert call(server, "com.foo.loud", "say")["code"] == 4
    assert call(server, "com.foo.loud", "say", [])["code"] == 4


# Who calls.


def giving(identity: Any) -> object:
    return plugin(pycom_authenticate=lambda: identity)


def test_first_identity_wins_and_the_rest_are_not_asked(serve: Serve) -> None:
    never = plugin(pycom_authenticate=raising(AssertionError("asked")))
    server = serve(giving(None), giving(Identity("anna")), never)
    assert call(server, "com.foo.steps", "who")["result"] == "anna"


@pytest.mark.parametrize("identity", [Identity("anna"), None])
def test_authentication_may_be_async(identity: Identity | None, serve: Serve) -> None:
    async def pycom_authenticate(request: Request) -> Identity | None:
        await asyncio.sleep(0)
        return identity

    server = serve(plugin(pycom_authenticate=pycom_authenticate), giving(Identity("bert")))
    expected = "anna" if identity else "bert"
    assert call(server, "com.foo.steps", "who")["result"] == expected


async def fail_later() -> None:
    await asyncio.sleep(0)
    raise ValueError(SECRET)


@pytest.mark.parametrize(
    "hook",
    [
        raising(ValueError(SECRET)),
        raising(RemoteError("teapot", code=42)),
        lambda: "anna",
        lambda: ("anna",),
        lambda: True,
        lambda: False,
        fail_later,
    ],
)
@pytest.mark.parametrize("policy", ["required", None])
def test_authentication_fails_closed(
    hook: Any, policy: str | None, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(
        plugin(pycom_authenticate=hook),
        giving(Identity("bert")),
        authentication=Authentication(policy),
    )
    answer = call(server, "com.foo.steps", "now")
    assert answer == {"code": 5, "error": "Authentication failed"}
    assert seen_by(server) == []
    assert "Authentication for com.foo.steps.now failed" in caplog.text


def test_authentication_that_knows_better(serve: Serve) -> None:
    server = serve(plugin(pycom_authenticate=raising(AccessDenied("Token expired"))))
    assert call(server, "com.foo.steps", "now") == {"code": 5, "error": "Token expired"}


@pytest.mark.parametrize("own", ["required", "never", None])
@pytest.mark.parametrize("general", ["required", "never", None])
@pytest.mark.parametrize("known", [True, False])
def test_policy(
    own: str | None, general: str | None, known: bool, make_runtime: MakeRuntime
) -> None:
    @interface("com.foo.guarded", authentication=own)
    class Guarded:
        @method
        def who(self, request: Request) -> Any:
            return request.identity and request.identity.name

    asked: list[bool] = []

    def pycom_authenticate() -> Identity | None:
        asked.append(True)
        return Identity("anna") if known else None

    mine = plugin(pycom_authenticate=pycom_authenticate)
    runtime = make_runtime({"mine": mine}, authentication=Authentication(general))
    server = ServiceServer(["local://a"], [Guarded], runtime)
    policy = own or general
    answer = call(server, "com.foo.guarded", "who")
    if policy == "required" and not known:
        assert answer == {"code": 5, "error": "Authentication required"}
    else:
        assert answer["result"] == ("anna" if known and policy != "never" else None)
    assert bool(asked) == (policy != "never")


def test_required_without_any_plugin_denies(serve: Serve) -> None:
    server = serve(authentication=Authentication("required"))
    assert call(server, "com.foo.steps", "now")["code"] == 5


def test_every_plugin_authorizes(serve: Serve) -> None:
    seen: list[Any] = []
    server = serve(
        giving(Identity("anna")),
        plugin(pycom_authorize=lambda identity: seen.append(identity)),
        plugin(pycom_authorize=raising(AccessDenied("No"))),
        plugin(pycom_authorize=lambda identity: seen.append("too late")),
    )
    assert call(server, "com.foo.steps", "now") == {"code": 5, "error": "No"}
    assert seen == [Identity("anna")]


def test_unknown_interface_and_method_ask_nobody_who_calls(serve: Serve) -> None:
    server = serve(plugin(pycom_authenticate=raising(AssertionError("asked"))))
    assert call(server, "com.nobody", "now") == {
        "code": 4,
        "error": "Unsupported interface: com.nobody",
    }
    assert call(server, "com.foo.steps", "nothing")["code"] == 2


# Deadlines.


def with_deadline(server: ServiceServer, name: str, left: Any) -> dict[str, Any]:
    return call(server, "com.foo.steps", name, extensions={DEADLINE_EXTENSION: left})


@pytest.mark.parametrize("left", [0, -1, -1e9, -0.5])
@pytest.mark.parametrize("kind", ["now", "later"])
def test_expired_is_not_run(left: float, kind: str, serve: Serve) -> None:
    server = serve(plugin(pycom_authorize=raising(AssertionError("asked"))))
    assert with_deadline(server, kind, left)["code"] == 7
    assert seen_by(server) == []


@pytest.mark.parametrize("left", [60_000, 60_000.5, 1e12])
def test_in_time(left: float, serve: Serve) -> None:
    assert with_deadline(serve(), "later", left)["code"] == 0


@pytest.mark.parametrize("left", ["soon", [], {}, True, 1e300, -1e300])
def test_deadline_that_is_none(left: Any, serve: Serve) -> None:
    server = serve()
    assert with_deadline(server, "now", left)["code"] == 4
    assert seen_by(server) == []


def test_deadline_of_null_is_none(serve: Serve) -> None:
    assert with_deadline(serve(), "now", None)["code"] == 0


def test_async_method_past_its_deadline_is_cancelled(serve: Serve) -> None:
    server = serve()
    assert with_deadline(server, "stuck", 50)["code"] == 7
    assert seen_by(server) == ["started", "cancelled"]


def test_wrapper_sees_that_the_deadline_passed(serve: Serve) -> None:
    seen: list[BaseException] = []

    @wrapping
    def pycom_invoke() -> Generator[None, Any, Any]:
        try:
            return (yield)
        except DeadlineExceeded as error:
            seen.append(error)
            raise

    server = serve(plugin(pycom_invoke=pycom_invoke))
    assert with_deadline(server, "stuck", 50)["code"] == 7
    assert len(seen) == 1


def test_deadline_passed_in_a_hook(serve: Serve) -> None:
    def pycom_prehook(data: Request) -> None:
        assert data.deadline is not None
        while time.monotonic() <= data.deadline:
            pass

    server = serve(plugin(pycom_prehook=pycom_prehook))
    assert with_deadline(server, "now", 20)["code"] == 7
    assert seen_by(server) == []


def test_authentication_that_takes_too_long(serve: Serve) -> None:
    async def pycom_authenticate() -> None:
        await asyncio.Event().wait()

    server = serve(plugin(pycom_authenticate=pycom_authenticate))
    assert with_deadline(server, "now", 20)["code"] == 7
    assert seen_by(server) == []


# Load.


def test_overload(serve: Serve) -> None:
    server = serve(max_in_flight=2)

    async def run() -> list[dict[str, Any]]:
        calls = [asyncio.create_task(answer(server, "com.foo.steps", "stuck")) for _ in range(2)]
        await comes_true(lambda: seen_by(server) == ["started"] * 2)
        refused = await answer(server, "com.foo.steps", "now")
        calls.pop().cancel()
        await comes_true(lambda: server.in_flight <= 1)
        accepted = await answer(server, "com.foo.steps", "now")
        calls.pop().cancel()
        return [refused, accepted]

    refused, accepted = asyncio.run(run())
    assert refused == {"code": 8, "error": "The server has too many calls in flight"}
    assert accepted["code"] == 0
    assert server.in_flight == 0


def test_async_methods_run_concurrently_and_sync_ones_do_not(make_runtime: MakeRuntime) -> None:
    @interface("com.foo.meeting")
    class Meeting:
        def __init__(self) -> None:
            self.here = 0
            self.inside = self.most = 0

        @method
        async def meet(self, request: Request) -> int:
            self.here += 1
            while self.here < 3:
                await asyncio.sleep(0)
            return self.here

        @method
        def alone(self, request: Request) -> None:
            self.inside += 1
            self.most = max(self.most, self.inside)
            time.sleep(0.001)
            self.inside -= 1

    meeting = Meeting()
    server = ServiceServer(["local://a"], [meeting], make_runtime())

    async def run(name: str) -> list[dict[str, Any]]:
        return await asyncio.gather(*(answer(server, "com.foo.meeting", name) for _ in range(3)))

    assert [each["result"] for each in asyncio.run(run("meet"))] == [3, 3, 3]
    asyncio.run(run("alone"))
    assert meeting.most == 1


def test_workers_run_sync_methods_beside_one_another(make_runtime: MakeRuntime) -> None:
    barrier = threading.Barrier(3)

    @interface("com.foo.meeting")
    class Meeting:
        @method
        def meet(self, request: Request) -> str:
            barrier.wait(30)
            return threading.current_thread().name

    server = ServiceServer(["local://a"], [Meeting], make_runtime(threads=3))

    async def run() -> list[dict[str, Any]]:
        return await asyncio.gather(*(answer(server, "com.foo.meeting", "meet") for _ in range(3)))

    names = {each["result"] for each in asyncio.run(run())}
    assert len(names) == 3
    assert all(name.startswith("pycom-worker") for name in names)
    server.close()


def test_call_that_waits_for_a_worker_beyond_its_deadline_is_not_run(
    make_runtime: MakeRuntime,
) -> None:
    release = threading.Event()
    ran: list[str] = []

    @interface("com.foo.slow")
    class Slow:
        @method
        def hold(self, request: Request) -> None:
            release.wait(30)

        @method
        def work(self, request: Request) -> None:
            ran.append("work")

    server = ServiceServer(["local://a"], [Slow], make_runtime(threads=1))

    async def run() -> dict[str, Any]:
        held = asyncio.create_task(answer(server, "com.foo.slow", "hold"))
        await asyncio.sleep(0)
        late = await answer(server, "com.foo.slow", "work", extensions={DEADLINE_EXTENSION: 20})
        release.set()
        await held
        return late

    assert asyncio.run(run())["code"] == 7
    server.close()
    assert ran == []


# Messages that are none.


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ([b"client"], "No empty delimiter frame before the command"),
        ([b"client", b"CALL", b"{}"], "No empty delimiter frame before the command"),
        ([b"client", b""], "No command after the delimiter"),
        ([b"client", b"", b"call", b"{}"], "Unknown command: call"),
        ([b"client", b"", b"\xff\xfe", b"{}"], "Unknown command: \\\\xff\\\\xfe"),
        ([b"client", b"", b"x" * 1000, b"{}"], f"Unknown command: {'x' * 64}"),
        ([b"client", b"", b"CALL"], "No body after the command"),
        ([b"client", b"", b"CALL", b"{}"], "Field interface is required"),
        (
            [b"client", b"", *payload("com.foo.steps", "now", attachment=b""), b""],
            "Expected 2-3 parts, got 4",
        ),
    ],
)
def test_malformed(message: list[bytes], error: str, serve: Serve) -> None:
    delimiter, status, body = asyncio.run(serve().answer(message))[1:]
    assert (delimiter, status) == (b"", b"OK")
    assert body.decode() == f'{{"code":4,"error":"{error}"}}'


def test_envelope_goes_back_as_it_came(serve: Serve) -> None:
    envelope = [b"client", b"one", b"\x00\xff", b"three"]
    reply = asyncio.run(serve().answer([*envelope, b"", *payload("com.foo.steps", "now")]))
    assert reply[:-1] == [*envelope, b"", b"OK"]


@pytest.mark.parametrize("error", [ValueError(SECRET), KeyError(SECRET)])
def test_command_that_breaks(
    error: Exception, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(BaseCommand):
        def request_from_dict(self, data: dict[str, Any]) -> Any:
            raise error

    server = serve()
    server.commands[b"BROKEN"] = Broken(server)
    reply = asyncio.run(server.answer([b"client", b"", b"BROKEN", b"{}"]))
    assert reply[:3] == [b"client", b"", b"FAIL"]
    assert reply[3] == b'{"code":1,"error":"The server failed to answer"}'
    assert "A command broke" in caplog.text


# Around a call.


def test_request_of_a_call_in_the_method(make_runtime: MakeRuntime) -> None:
    seen: list[Request] = []

    @interface("com.foo.seen")
    class Seen:
        @method
        def see(self, request: Request, value: int) -> None:
            seen.append(request)

    runtime = make_runtime({"mine": giving(Identity("anna"))})
    server = ServiceServer(["local://a"], [Seen], runtime)
    extensions = {DEADLINE_EXTENSION: 10_000, "com.foo": 1}
    before = time.monotonic()
    call(server, "com.foo.seen", "see", {"value": 1, "more": 2}, b"\x00", extensions=extensions)
    [request] = seen
    assert (request.interface, request.method) == ("com.foo.seen", "see")
    assert request.args == {"value": 1, "more": 2}
    assert request.attachment == b"\x00"
    assert request.extensions == extensions
    assert request.identity == Identity("anna")
    assert request.session is request.session_id is None
    assert request.deadline is not None
    assert before + 10 <= request.deadline <= time.monotonic() + 10
    assert request.context().deadline == request.deadline


def test_request_that_replaces_another_is_of_the_same_call(make_runtime: MakeRuntime) -> None:
    @interface("com.foo.kept", stateful=True)
    class Kept:
        @method
        def count(self, request: Request) -> Any:
            request.session["calls"] = request.session.get("calls", 0) + 1
            assert request.deadline is not None
            assert request.server is server
            return [request.identity.name, request.session["calls"], request.args]

    def replace(iface: Interface, method: Method, data: Request) -> Request:
        return Request(data.interface, data.method, args="replaced")

    Kept.count.__method__.prehooks.append(replace)
    runtime = make_runtime({"mine": giving(Identity("anna"))})
    server = ServiceServer(["local://a"], [Kept], runtime)
    extensions = {DEADLINE_EXTENSION: 30_000}
    first = call(server, "com.foo.kept", "count", extensions=extensions)
    assert first["result"] == ["anna", 1, "replaced"]
    again = {"session_id": first["session_id"], "extensions": extensions}
    assert call(server, "com.foo.kept", "count", **again)["result"] == ["anna", 2, "replaced"]


def test_local_call_of_a_server_that_runs(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    with running(ServiceServer(["local://a"], [Steps()], runtime)):
        context = Context(runtime=runtime)
        component = context.connect("local://a", "com.foo.steps")
        assert component.invoke("later", {"value": 1}) == 1
        with pytest.raises(RemoteError, match="teapot"):
            component.invoke("refuse")
        context.close()


@pytest.mark.parametrize("name", ["now", "fail", "refuse"])
def test_session_of_a_client_that_has_none(name: str, serve: Serve) -> None:
    """A stateless interface ignores sessions, also those that are not there."""
    answer = call(serve(), "com.foo.steps", name, session_id="unknown")
    assert "session_id" not in answer
    assert answer["code"] != SessionExpired.code
