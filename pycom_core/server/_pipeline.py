"""The life of a call, from frames to frames: read this page from top to bottom.

    frames → command → decode → interface → identity → session → checks → prehooks → invoke
    → posthooks → encode → frames

`answer` is the way in and out, for any command. `process` is what the command CALL does with a
request, and `call` takes it through its interface.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol

from pycom_core import constants
from pycom_core._steps import fail, finish
from pycom_core.errors import (
    AccessDenied,
    BadRequest,
    CallCancelled,
    DeadlineExceeded,
    Overloaded,
    RemoteError,
)
from pycom_core.log import logger
from pycom_core.loops._failures import Cancelled, is_failure, of_signal
from pycom_core.loops._waiting import settle, waits
from pycom_core.messages import Attachment, Delivery, Identity, Request, Response
from pycom_core.plugins._chains import Chains
from pycom_core.plugins._wrappers import wrapped
from pycom_core.runtime._sessions import Sessions
from pycom_core.server._interfaces import Interface
from pycom_core.server._methods import Method
from pycom_core.wire import _codec as codec
from pycom_core.wire._commands import BaseCommand, refusal

#: ms; excludes NaN, infinity, and times that no clock can handle.
_LONGEST_WAIT = 1e12
#: The steps of a command that does not override them as a whole; `answer` takes them one by one.
_CHAIN = BaseCommand.process_request


async def answer(server: AnyServer, delivery: Delivery) -> list[Attachment]:
    """Answer one message: frames in, frames out, whatever their content."""
    envelope: Sequence[Attachment] = delivery.frames[:1]
    packer, request, parts = server.fallback, None, None
    response: Any
    try:
        try:
            # Frames: the return address before the delimiter, and what follows it.
            envelope, payload = codec.split_frames(delivery.frames)

            # Command.
            command = _command(server.commands, payload)
            if server.in_flight > server.max_in_flight:
                raise Overloaded("The server has too many calls in flight")

            if getattr(command.process_request, "__func__", None) is not _CHAIN:
                # A plugin's, which does all the steps itself.
                whole = command.process_request(*payload[1:])
                whole = whole if isinstance(whole, list) else await settle(whole)
                parts, response = [codec.as_frame(part) for part in whole], Response(None)
            else:
                packer = command

                # Decode.
                request = command.request_from_wire(payload[1])
                if isinstance(request, Request):
                    request.delivery = delivery

                # Run: for CALL, `process` below.
                response = command.real_process_request(request, *payload[2:])
                if waits(response):
                    ours = getattr(response, "cr_code", None) is process.__code__
                    response = await (response if ours else settle(response))
        except RemoteError as error:
            response = refusal(error)

        # Encode.
        if parts is None:
            parts = packer.reply(response)
        status = constants.PROTO_STATUS_SUCCESS
    except BaseException as error:
        if not isinstance(error, Cancelled):
            logger().critical("A command broke", exc_info=True)
            _pass_on(error)
        elif not delivery.is_cancelled:  # a call of this process: its task was cancelled
            delivery.cancel()
        response = Response(
            None, code=constants.ERROR_UNKNOWN, message="The server failed to answer"
        )
        parts, status = server.fallback.reply(response), constants.PROTO_STATUS_FAILURE

    # The end: for access logs and metrics.
    for hook in server.chains.end:
        if not isinstance(request, Request):
            # Unreadable requests have no names; other commands make of theirs what they like.
            request = Request("", "")
            request.delivery = delivery
        try:
            hook(request, response)
        except BaseException as error:  # of a signal: failures are logged, not raised
            asyncio.get_running_loop().call_soon(_raise, error)
    return [*envelope, b"", status, *parts]


def _pass_on(error: BaseException) -> None:
    """Pass an exception of a signal handler on to the runner of the loop."""
    if of_signal(error):
        # It broke the call off on its way, and Python cannot resume that.
        asyncio.get_running_loop().call_soon(_raise, error)


def _raise(error: BaseException) -> None:
    raise error


def _command(commands: Mapping[bytes, BaseCommand], payload: Sequence[Attachment]) -> BaseCommand:
    if not payload:
        raise BadRequest("No command after the delimiter")
    name = bytes(payload[0])
    try:
        command = commands[name]
    except KeyError:
        shown = name[:64].decode("ascii", "backslashreplace")
        raise BadRequest(f"Unknown command: {shown}") from None
    if len(payload) < 2:
        raise BadRequest("No body after the command")
    return command


async def process(server: AnyServer, request: Request) -> Response:
    """Take a decoded request through a server. No text of an unexpected exception gets out."""
    opens_sessions = server.opens_sessions
    try:
        request.server = server
        request.deadline = _deadline(request)
        refuse_if_late(request)
        if opens_sessions:
            await server.sessions.open(request)
        try:
            prepared = server.prepare_call(request)
            if prepared is not request:
                prepared.continues(request)
            response = await server.dispatch(prepared)
        finally:
            if opens_sessions:
                await server.sessions.close(request, keep_empty=False)
        session = request.session if opens_sessions else prepared.session
        response.session_id = None if session is None else session.session_id
        return response
    except RemoteError as error:
        if isinstance(error, DeadlineExceeded) and request.delivery is not None:
            request.delivery.expire()  # a worker may still run the method
        return request.error(error.code or constants.ERROR_UNKNOWN, str(error))
    except BaseException as error:
        if isinstance(error, Cancelled):
            raise
        if isinstance(error, CallCancelled) and _is_cancelled(request):
            raise Cancelled from error  # a sync method that ends with its call
        logger().exception("%s.%s failed", request.interface, request.method)
        _pass_on(error)
        return request.error(constants.ERROR_UNKNOWN, "Unknown error during request")


def _is_cancelled(request: Request) -> bool:
    return request.delivery is not None and request.delivery.is_cancelled


def _deadline(request: Request) -> float | None:
    left: Any = request.extensions.get(constants.DEADLINE_EXTENSION)
    if left is None:
        return None
    if type(left) not in (int, float) or not abs(left) <= _LONGEST_WAIT:
        raise BadRequest(f"Extension {constants.DEADLINE_EXTENSION} must be a number of ms left")
    arrived = time.monotonic() if request.delivery is None else request.delivery.arrived
    return float(arrived + left / 1000)


def refuse_if_late(request: Request) -> None:
    """Raise `DeadlineExceeded` if the caller no longer waits."""
    if request.deadline is not None and time.monotonic() > request.deadline:
        raise DeadlineExceeded("The deadline passed before the call was run")


async def call(server: InterfaceServer, request: Request) -> Response:
    """Take a request through its interface: what `ServiceServer.dispatch` does."""
    chains = server.chains

    # Interface and method.
    iface = server.find_interface(request.interface)
    method = server.find_method(iface, request.method)

    # Identity.
    policy = iface.authentication or server.policy
    if policy != "never":
        if chains.authenticate:
            request.identity = await _authenticate(chains, iface, method, request)
        if request.identity is None and policy == "required":
            raise AccessDenied("Authentication required")
    for hook in chains.authorize:
        hook(request.identity, iface, method, request)

    # Session.
    if iface.stateful:
        await server.sessions.open(request)
    try:
        # Checks and prehooks.
        running = method.prepare(iface, request, chains)
        refuse_if_late(running)

        # Invoke.
        if chains.invoke:
            result = await _wrapped(server, chains, iface, method, running)
        else:
            result = server.run(iface, method, running)
            if waits(result):
                result = await settle(result, running.deadline, running)

        # Posthooks.
        return method.conclude(iface, running, result, chains)
    finally:
        if iface.stateful:
            await server.sessions.close(request)


async def _authenticate(
    chains: Chains, iface: Interface, method: Method, request: Request
) -> Identity | None:
    """Return the first identity that a plugin gives. In all other cases access is denied."""
    for hook in chains.authenticate:
        try:
            identity = hook(iface, method, request)
            if waits(identity):
                identity = await settle(identity, request.deadline, request)
            if isinstance(identity, Identity):
                return identity
            if identity is not None:
                raise TypeError(f"an Identity was expected, not {type(identity).__name__}")
        except (AccessDenied, DeadlineExceeded):
            raise
        except BaseException as error:
            if not is_failure(error):
                raise
            failure = chains.failure(hook, f"failed in pycom_authenticate: {error!r}")
            logger().exception(
                "Authentication for %s.%s failed. %s", iface.name, method.name, failure
            )
            raise AccessDenied("Authentication failed") from error
    return None


async def _wrapped(
    server: InterfaceServer, chains: Chains, iface: Interface, method: Method, request: Request
) -> Any:
    """Run the method inside the wrappers of plugins."""
    steps = wrapped(chains, "pycom_invoke", chains.invoke, iface, method, request)
    try:
        next(steps)
    except StopIteration as stop:
        return stop.value
    try:
        result = await _run(server, iface, method, request)
    except BaseException as error:
        return fail(steps, error)
    return finish(steps, result)


async def _run(server: InterfaceServer, iface: Interface, method: Method, request: Request) -> Any:
    # A coroutine, since these let no StopIteration out: a wrapper would take it for its own.
    return await settle(server.run(iface, method, request), request.deadline, request)


class AnyServer(Protocol):
    """The members that the pipeline needs in every server."""

    commands: dict[bytes, BaseCommand]
    fallback: BaseCommand  #: packs the refusals of messages that reach no command
    chains: Chains
    in_flight: int
    max_in_flight: int
    sessions: Sessions
    opens_sessions: bool

    @property
    def peers(self) -> Sequence[Any]:
        """The clients that are connected."""

    def prepare_call(self, request: Request) -> Request:
        """Return the request to dispatch."""

    def dispatch(self, request: Request) -> Awaitable[Response]:
        """Answer a prepared request."""

    def context_for(self, request: Request) -> Any:
        """A context on behalf of the caller."""

    def async_context_for(self, request: Request) -> Any:
        """Return the same for an event loop."""


class InterfaceServer(AnyServer, Protocol):
    """The members that the pipeline needs in a server of interfaces."""

    policy: str | None  #: of authentication, for interfaces without their own

    def find_interface(self, name: str) -> Interface:
        """The interface of that name. Raises `BadRequest`."""

    def find_method(self, iface: Interface, name: str) -> Method:
        """The method of that name. Raises `MethodNotFound`."""

    def run(self, iface: Interface, method: Method, request: Request) -> Any:
        """Run a method, here or in a worker."""
