"""The contract of transports."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import pytest

from pycom_core.errors import CallTimeout, ConfigurationError, ServiceNotAvailable
from pycom_core.messages import Attachment, Delivery
from pycom_core.testing.contracts.common import in_loop, in_threads
from pycom_core.transport import AsyncChannel, Channel, Transport

Factory = Callable[[], Transport]
Message = list[Attachment]

#: ms; nothing that is waited for takes a tenth of it on an idle machine.
AMPLE = 30_000.0
#: ms, for calls that get no answer.
SHORT = 50.0


class Receiver:
    """A server that sends back what comes after the command, at once or when the test lets it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: asyncio.AbstractEventLoop | None = loop
        self.closed = False
        self.heard: list[list[bytes]] = []
        self._gates: defaultdict[bytes, asyncio.Event] = defaultdict(asyncio.Event)
        self._answers: set[asyncio.Task[None]] = set()

    def accept(self, delivery: Delivery) -> None:
        assert self.loop is not None
        answer = self.loop.create_task(self._reply(delivery))
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

    async def _reply(self, delivery: Delivery) -> None:
        assert delivery.reply is not None
        delivery.reply(await self.answer(delivery.frames))

    async def answer(self, frames: Sequence[Attachment], nested: bool = False) -> Message:
        begin = [bytes(frame) for frame in frames].index(b"") + 1
        command, *others = frames[begin:]
        self.heard.append([bytes(frame) for frame in frames[begin:]])
        if command == b"HOLD":
            await self._gates[bytes(others[0])].wait()
        return [*frames[:begin], b"OK", *others]

    def release(self, name: bytes) -> None:
        """Let the calls of a name be answered."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(lambda: self._gates[name].set())

    def has(self, *payload: bytes) -> bool:
        """Tell whether a request has come."""
        return list(payload) in self.heard


class Serving:
    """A listener on an event loop in a thread of its own."""

    def __init__(self, transport: Transport, address: str) -> None:
        self._started = threading.Event()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run)
        loop = asyncio.new_event_loop()
        self._loop, self.receiver = loop, Receiver(loop)
        try:
            self.listener = transport.listen(address, self.receiver)
        except BaseException:
            loop.close()
            raise
        self.address = self.listener.address
        self._thread.start()
        assert self._started.wait(AMPLE / 1000)

    def _run(self) -> None:
        with contextlib.closing(self._loop) as loop:
            loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self.listener.start(self._loop)
        self._started.set()
        await self._end.wait()
        self.receiver.closed = True
        self.listener.close()
        answers = asyncio.all_tasks() - {asyncio.current_task()}
        for answer in answers:
            answer.cancel()
        await asyncio.gather(*answers, return_exceptions=True)

    def end(self) -> None:
        """Close the listener; requests in progress are not answered."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()


class TransportContract:
    """Subclass it and supply the fixture `transport_factory`: a callable giving a transport.

    Each call within one test must give another transport on the same network.
    """

    #: An address to listen on, which stands for a free one.
    address: ClassVar[str] = "tcp://127.0.0.1:*"
    #: The same with an asterisk, if `address` has none.
    wildcard: ClassVar[str] = ""
    #: More spellings of it.
    other_addresses: ClassVar[tuple[str, ...]] = ()
    #: Addresses that are none: neither to listen on nor to connect to.
    wrong_addresses: ClassVar[tuple[str, ...]] = ()
    #: Where nobody listens a call fails at once. Otherwise it waits for somebody.
    refuses_at_once: ClassVar[bool] = True
    #: When a server ends, calls in flight fail at once. Otherwise they wait for their timeout.
    notices_the_end: ClassVar[bool] = True
    #: A blocking call that is aborted from another thread fails at once. Otherwise it goes on.
    aborts_calls: ClassVar[bool] = True
    #: Channels hold something that `close` releases, so that their calls fail.
    holds_connections: ClassVar[bool] = True

    @pytest.fixture
    def transport_factory(self) -> Factory:
        raise NotImplementedError("supply the fixture transport_factory")

    @contextlib.contextmanager
    def transport(self, factory: Factory) -> Iterator[Transport]:
        """A transport, which is closed in the end."""
        transport = factory()
        try:
            yield transport
        finally:
            transport.close()

    @contextlib.contextmanager
    def serving(self, factory: Factory, address: str | None = None) -> Iterator[Serving]:
        """A server on a transport of its own."""
        with self.transport(factory) as transport:
            serving = Serving(transport, address or self.address)
            try:
                yield serving
            finally:
                serving.end()

    @contextlib.contextmanager
    def connected(self, factory: Factory, address: str) -> Iterator[Channel]:
        """A channel on a transport of its own."""
        with self.transport(factory) as transport:
            channel = transport.connect(address)
            try:
                yield channel
            finally:
                channel.close()

    @contextlib.contextmanager
    def connected_async(self, factory: Factory, address: str) -> Iterator[AsyncChannel]:
        """The same on the running event loop."""
        with self.transport(factory) as transport:
            channel = transport.connect_async(address)
            try:
                yield channel
            finally:
                channel.close()

    def unused(self, factory: Factory) -> str:
        """An address that nobody listens on."""
        with self.serving(factory) as serving:
            return serving.address

    # Requests and replies.

    @pytest.mark.parametrize(
        "frames", [(b"one",), (b"one", b"two", b"three"), (b"", b"x", b""), (b"\0" * 300, b"\xff")]
    )
    def test_reply_comes_back(self, frames: tuple[bytes, ...], transport_factory: Factory) -> None:
        with (
            self.serving(transport_factory) as serving,
            self.connected(transport_factory, serving.address) as channel,
        ):
            for _ in range(3):
                assert plain(channel.exchange([b"ECHO", *frames], AMPLE)) == [b"OK", *frames]
            assert serving.receiver.heard == [[b"ECHO", *frames]] * 3
            assert channel.is_alive()

    @pytest.mark.parametrize(
        "frames", [(b"one",), (b"one", b"two", b"three"), (b"", b"x", b""), (b"\0" * 300, b"\xff")]
    )
    def test_reply_comes_back_on_a_loop(
        self, frames: tuple[bytes, ...], transport_factory: Factory
    ) -> None:
        @in_loop
        async def test() -> None:
            with self.connected_async(transport_factory, serving.address) as channel:
                for _ in range(3):
                    reply = await channel.exchange([b"ECHO", *frames], AMPLE)
                    assert plain(reply) == [b"OK", *frames]
                assert channel.is_alive()

        with self.serving(transport_factory) as serving:
            test()
            assert serving.receiver.heard == [[b"ECHO", *frames]] * 3

    @pytest.mark.parametrize("size", [2**20, 20 * 2**20])
    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_large_frames_are_intact(
        self, kind: Callable[[bytes], Attachment], size: int, transport_factory: Factory
    ) -> None:
        blob = (b"%08x" % size + bytes(range(256)) * (size // 256))[:size]

        @in_loop
        async def test() -> None:
            with self.connected_async(transport_factory, serving.address) as channel:
                asked = [b"ECHO", b"before", kind(blob), b"after"]
                reply = await channel.exchange(asked, AMPLE)
                assert plain(reply) == [b"OK", b"before", blob, b"after"]

        with (
            self.serving(transport_factory) as serving,
            self.connected(transport_factory, serving.address) as channel,
        ):
            reply = channel.exchange([b"ECHO", b"before", kind(blob), b"after"], AMPLE)
            assert plain(reply) == [b"OK", b"before", blob, b"after"]
            test()

    def test_replies_in_any_order_find_their_callers(self, transport_factory: Factory) -> None:
        names = [b"%d" % number for number in range(100)]

        @in_loop
        async def test() -> None:
            with self.connected_async(transport_factory, serving.address) as channel:
                calls = [hold(channel, name) for name in names]
                await comes_true(lambda: len(serving.receiver.heard) == len(names))
                for call, name in reversed(list(zip(calls, names, strict=True))):
                    serving.receiver.release(name)
                    assert plain(await call) == [b"OK", name]

        with self.serving(transport_factory) as serving:
            test()

    def test_threads_have_channels_of_their_own(self, transport_factory: Factory) -> None:
        with (
            self.serving(transport_factory) as serving,
            self.transport(transport_factory) as transport,
        ):

            def call(number: int) -> None:
                with contextlib.closing(transport.connect(serving.address)) as channel:
                    for step in range(20):
                        frame = b"%d, %d" % (number, step)
                        assert plain(channel.exchange([b"ECHO", frame], AMPLE)) == [b"OK", frame]

            in_threads(8, call)

    def test_loops_have_channels_of_their_own(self, transport_factory: Factory) -> None:
        with (
            self.serving(transport_factory) as serving,
            self.transport(transport_factory) as transport,
        ):

            async def calls(number: int) -> None:
                with contextlib.closing(transport.connect_async(serving.address)) as channel:
                    frames = [b"%d, %d" % (number, step) for step in range(20)]
                    replies = await asyncio.gather(
                        *(channel.exchange([b"ECHO", frame], AMPLE) for frame in frames)
                    )
                    assert [plain(reply) for reply in replies] == [[b"OK", one] for one in frames]

            in_threads(4, lambda number: asyncio.run(calls(number)))

    # Timeouts.

    def test_timeout_of_a_call_that_may_have_run(self, transport_factory: Factory) -> None:
        with (
            self.serving(transport_factory) as serving,
            self.connected(transport_factory, serving.address) as channel,
        ):
            assert plain(channel.exchange([b"ECHO", b"first"], AMPLE)) == [b"OK", b"first"]
            started = time.monotonic()
            with pytest.raises(CallTimeout) as caught:
                channel.exchange([b"HOLD", b"it"], SHORT)
            assert time.monotonic() - started >= SHORT / 1000 * 0.9
            assert caught.value.sent

    def test_late_reply_is_dropped(self, transport_factory: Factory) -> None:
        @in_loop
        async def test() -> None:
            with self.connected_async(transport_factory, serving.address) as channel:
                await channel.exchange([b"ECHO", b"one"], AMPLE)
                with pytest.raises(CallTimeout) as caught:
                    await channel.exchange([b"HOLD", b"it"], SHORT)
                assert caught.value.sent
                assert serving.receiver.has(b"HOLD", b"it")
                serving.receiver.release(b"it")
                for number in range(10):
                    reply = await channel.exchange([b"ECHO", b"%d" % number], AMPLE)
                    assert plain(reply) == [b"OK", b"%d" % number]

        with self.serving(transport_factory) as serving:
            test()

    def test_cancelled_call_leaves_the_others(self, transport_factory: Factory) -> None:
        @in_loop
        async def test() -> None:
            with self.connected_async(transport_factory, serving.address) as channel:
                given_up, kept = hold(channel, b"given up"), hold(channel, b"kept")
                await comes_true(lambda: len(serving.receiver.heard) == 2)
                given_up.cancel()
                serving.receiver.release(b"given up")
                serving.receiver.release(b"kept")
                assert plain(await kept) == [b"OK", b"kept"]
                with pytest.raises(asyncio.CancelledError):
                    await given_up

        with self.serving(transport_factory) as serving:
            test()

    def test_unsent_call_is_never_sent(self, transport_factory: Factory) -> None:
        address = self.unused(transport_factory)
        with self.connected(transport_factory, address) as channel:
            with self.fails_unsent():
                channel.exchange([b"ECHO", b"early"], SHORT)
            assert not channel.is_alive()
        with (
            self.serving(transport_factory, address) as serving,
            self.connected(transport_factory, address) as channel,
        ):
            channel.exchange([b"ECHO", b"later"], AMPLE)
            assert serving.receiver.heard == [[b"ECHO", b"later"]]

    @in_loop
    async def test_unsent_call_of_a_loop_is_never_sent(self, transport_factory: Factory) -> None:
        address = self.unused(transport_factory)
        with self.connected_async(transport_factory, address) as channel:
            with self.fails_unsent():
                await channel.exchange([b"ECHO", b"early"], SHORT)
            assert not channel.is_alive()
            with self.serving(transport_factory, address) as serving:
                await channel.exchange([b"ECHO", b"later"], AMPLE)
                assert serving.receiver.heard == [[b"ECHO", b"later"]]

    @contextlib.contextmanager
    def fails_unsent(self) -> Iterator[None]:
        """Within it a call fails, as those do that were not sent."""
        with pytest.raises(ServiceNotAvailable) as caught:
            yield
        assert not caught.value.sent
        assert isinstance(caught.value, CallTimeout) is not self.refuses_at_once

    # Ends.

    def test_restarted_server_is_found_again(self, transport_factory: Factory) -> None:
        with contextlib.ExitStack() as left:
            with self.serving(transport_factory) as serving:
                address = serving.address
                channel = left.enter_context(self.connected(transport_factory, address))
                channel.exchange([b"ECHO", b"one"], AMPLE)
            until(lambda: not channel.is_alive())
            left.enter_context(self.serving(transport_factory, address))
            assert plain(channel.exchange([b"ECHO", b"again"], AMPLE)) == [b"OK", b"again"]

    @in_loop
    async def test_restarted_server_is_found_again_by_a_loop(
        self, transport_factory: Factory
    ) -> None:
        with contextlib.ExitStack() as left:
            with self.serving(transport_factory) as serving:
                address = serving.address
                channel = left.enter_context(self.connected_async(transport_factory, address))
                await channel.exchange([b"ECHO", b"one"], AMPLE)
            await comes_true(lambda: not channel.is_alive())
            left.enter_context(self.serving(transport_factory, address))
            assert plain(await channel.exchange([b"ECHO", b"again"], AMPLE)) == [b"OK", b"again"]

    @in_loop
    async def test_end_of_the_server_fails_calls_in_flight(
        self, transport_factory: Factory
    ) -> None:
        patience = AMPLE if self.notices_the_end else 10 * SHORT
        with (
            self.serving(transport_factory) as serving,
            self.connected_async(transport_factory, serving.address) as channel,
        ):
            await channel.exchange([b"ECHO", b"one"], AMPLE)
            calls = [hold(channel, b"%d" % number, patience) for number in range(10)]
            await comes_true(lambda: len(serving.receiver.heard) == 11)
            await asyncio.to_thread(serving.end)
            for call in calls:
                with pytest.raises(ServiceNotAvailable) as caught:
                    await call
                assert caught.value.sent
                assert isinstance(caught.value, CallTimeout) is not self.notices_the_end

    def test_abort_from_another_thread(self, transport_factory: Factory) -> None:
        aborted: list[bool | None] = []

        def call() -> None:
            try:
                reply = channel.exchange([b"HOLD", b"it"], AMPLE)
            except ServiceNotAvailable as error:
                aborted.append(None if isinstance(error, CallTimeout) else error.sent)
            else:
                aborted.append(plain(reply) != [b"OK", b"it"])

        with (
            self.serving(transport_factory) as serving,
            self.connected(transport_factory, serving.address) as channel,
        ):
            caller = threading.Thread(target=call)
            caller.start()
            until(lambda: serving.receiver.has(b"HOLD", b"it"))
            channel.abort()
            if not self.aborts_calls:
                serving.receiver.release(b"it")
            caller.join()
            assert aborted == [self.aborts_calls]

    @in_loop
    async def test_close_fails_calls_in_flight(self, transport_factory: Factory) -> None:
        if not self.holds_connections:
            pytest.skip("the channels hold nothing that can be closed")
        with (
            self.serving(transport_factory) as serving,
            self.connected_async(transport_factory, serving.address) as channel,
        ):
            calls = [hold(channel, b"1"), hold(channel, b"2")]
            await comes_true(lambda: len(serving.receiver.heard) == 2)
            channel.close()
            for call in calls:
                with pytest.raises(ServiceNotAvailable, match="closed") as caught:
                    await call
                assert caught.value.sent
            assert not channel.is_open()
            channel.close()

    @in_loop
    async def test_close_from_another_thread(self, transport_factory: Factory) -> None:
        if not self.holds_connections:
            pytest.skip("the channels hold nothing that can be closed")
        with (
            self.serving(transport_factory) as serving,
            self.connected_async(transport_factory, serving.address) as channel,
        ):
            call = hold(channel, b"1")
            await comes_true(lambda: bool(serving.receiver.heard))
            await asyncio.to_thread(channel.close)
            with pytest.raises(ServiceNotAvailable, match="closed"):
                await call
            await comes_true(lambda: not channel.is_open())

    # Addresses.

    def test_free_address_becomes_a_real_one(self, transport_factory: Factory) -> None:
        for address in (self.wildcard or self.address, *self.other_addresses):
            with (
                self.serving(transport_factory, address) as one,
                self.serving(transport_factory, address) as other,
            ):
                assert "*" not in one.address + other.address
                assert one.address != other.address
                assert one.listener.addresses == [one.address]
                for serving in (one, other):
                    with self.connected(transport_factory, serving.address) as channel:
                        channel.exchange([b"ECHO", b"one"], AMPLE)
                    assert serving.receiver.heard == [[b"ECHO", b"one"]]

    def test_further_address_leads_to_the_same_server(self, transport_factory: Factory) -> None:
        with self.transport(transport_factory) as transport:
            loop = asyncio.new_event_loop()
            listener = transport.listen(self.address, Receiver(loop))
            listener.also(self.address)
            first, second = listener.addresses
            assert first == listener.address != second
            listener.close()
            loop.close()
            for address in (first, second):
                with self.serving(transport_factory, address) as serving:
                    assert serving.address == address

    def test_address_in_use_is_refused(self, transport_factory: Factory) -> None:
        with self.serving(transport_factory) as serving:
            with (
                self.transport(transport_factory) as transport,
                pytest.raises(ConfigurationError, match=r"Cannot listen on .* in use"),
            ):
                Serving(transport, serving.address)
            with self.connected(transport_factory, serving.address) as channel:
                channel.exchange([b"ECHO", b"one"], AMPLE)

    def test_closed_listener_is_gone(self, transport_factory: Factory) -> None:
        with self.serving(transport_factory) as serving:
            address = serving.address
        with self.connected(transport_factory, address) as channel, self.fails_unsent():
            channel.exchange([b"ECHO", b"one"], SHORT)
        with self.serving(transport_factory, address) as serving:
            assert serving.address == address

    def test_wrong_addresses_are_refused(self, transport_factory: Factory) -> None:
        @in_loop
        async def connect_async() -> None:
            transport.connect_async(address)

        with self.transport(transport_factory) as transport:
            for address in self.wrong_addresses:
                with pytest.raises(ConfigurationError, match="address"):
                    transport.connect(address)
                with pytest.raises(ConfigurationError, match="address"):
                    connect_async()
                with pytest.raises(ConfigurationError, match=r"address|Cannot listen on"):
                    Serving(transport, address)


def plain(frames: Sequence[Attachment]) -> list[bytes]:
    """Frames to compare."""
    return [bytes(frame) for frame in frames]


def hold(channel: AsyncChannel, name: bytes, timeout: float = AMPLE) -> asyncio.Task[Message]:
    """Begin a call that is answered when the test releases its name."""
    return asyncio.ensure_future(channel.exchange([b"HOLD", name], timeout))


def until(happened: Callable[[], object]) -> None:
    """Wait until a condition without an event of its own holds."""
    deadline = time.monotonic() + AMPLE / 1000
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


async def comes_true(happened: Callable[[], object]) -> None:
    """Do the same, while the loop goes on."""
    deadline = time.monotonic() + AMPLE / 1000
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.001)
