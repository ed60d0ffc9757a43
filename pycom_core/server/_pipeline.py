"""The life of a call, from frames to frames: read this page from top to bottom.

    frames → decode → command → identity → interface and session → prehooks → invoke → posthooks
    → encode → frames

`answer` is the way in and out, the command decodes and encodes, and `call` is what lies between.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pycom_core import constants
from pycom_core.errors import AccessDenied, BadRequest, DeadlineExceeded, Overloaded, RemoteError
from pycom_core.log import logger
from pycom_core.loops._failures import is_failure, of_signal
from pycom_core.loops._waiting import Delivery, delivery, settle, waits
from pycom_core.messages import Attachment, Identity, Request, Response
from pycom_core.plugins._chains import Chains, Link
from pycom_core.server._interfaces import Interface, Method, run_hooks
from pycom_core.wire import _codec as codec

if TYPE_CHECKING:
    from pycom_core.server._server import Server
    from pycom_core.server._service import ServiceServer

_NO_ANSWER = codec.dict_to_wire(
    {"code": constants.ERROR_UNKNOWN, "error": "The server failed to answer"}, with_version=False
)
#: ms; beyond it are NaN, infinity and what no clock can be asked for.
_LONGEST_WAIT = 1e12


async def answer(
    server: Server, message: Sequence[Attachment], arrived: float, nested: bool = False
) -> list[Attachment]:
    """Answer one message to a ROUTER: frames in, frames out, whatever they hold."""
    address: Sequence[Attachment] = message[:1]
    delivery.set((arrived, nested))
    try:
        try:
            address, payload = codec.split_frames(message)
            command = _find_command(server, payload)
            if server.in_flight > server.max_in_flight:
                raise Overloaded("The server has too many calls in flight")
            # Checked, since a message that breaks off while it is sent spoils the next one.
            parts = [codec.as_frame(part) for part in await command.process_request(*payload[1:])]
        except RemoteError as error:
            refusal = Response(None, code=error.code, message=str(error))
            parts = [codec.dict_to_wire(codec.status_to_dict(refusal), with_version=False)]
    except BaseException as error:
        if of_signal(error):
            # It is not for this call, but for whoever runs the loop.
            asyncio.get_running_loop().call_soon(_raise, error)
        elif is_failure(error):
            logger().critical("A command broke", exc_info=True)
        return [*address, b"", constants.PROTO_STATUS_FAILURE, _NO_ANSWER]
    return [*address, b"", constants.PROTO_STATUS_SUCCESS, *parts]


def _raise(error: BaseException) -> None:
    raise error


def _find_command(server: Server, payload: Sequence[Attachment]) -> Any:
    if not payload:
        raise BadRequest("No command after the delimiter")
    name = bytes(payload[0])
    try:
        command = server.commands[name]
    except KeyError:
        shown = name[:64].decode("ascii", "backslashreplace")
        raise BadRequest(f"Unknown command: {shown}") from None
    if len(payload) < 2:
        raise BadRequest("No body after the command")
    return command


async def process(server: Server, request: Request) -> Response:
    """Take a decoded request through the server: what `Server.process` does."""
    arrived, _nested = _delivery()
    request.server = server
    request.deadline = _deadline(request, arrived)
    refuse_if_late(request)
    if server.opens_sessions:
        await server.sessions.open(request)
    try:
        prepared = server.prepare_call(request)
        if prepared is not request:
            prepared.continues(request)
        response = await server.dispatch(prepared)
    finally:
        if server.opens_sessions:
            await server.sessions.close(request, keep_empty=False)
    session = request.session if server.opens_sessions else prepared.session
    response.session_id = None if session is None else session.session_id
    return response


def _deadline(request: Request, arrived: float) -> float | None:
    left: Any = request.extensions.get(constants.DEADLINE_EXTENSION)
    if left is None:
        return None
    if type(left) not in (int, float) or not abs(left) <= _LONGEST_WAIT:
        raise BadRequest(f"Extension {constants.DEADLINE_EXTENSION} must be a number of ms left")
    return float(arrived + left / 1000)


def refuse_if_late(request: Request) -> None:
    """Raise `DeadlineExceeded` if the caller waits no longer."""
    if request.deadline is not None and time.monotonic() > request.deadline:
        raise DeadlineExceeded("The deadline passed before the call was run")


async def call(server: ServiceServer, request: Request) -> Response:
    """Take a request through its interface: what `ServiceServer.dispatch` does."""
    chains = server.runtime.plugins.chains
    _arrived, nested = _delivery()

    iface = server.find_interface(request.interface)
    method = server.find_method(iface, request.method)

    policy = iface.authentication or server.runtime.settings.authentication.policy
    if policy != "never":
        if chains.authenticate:
            request.identity = await _authenticate(chains, iface, method, request)
        if request.identity is None and policy == "required":
            raise AccessDenied("Authentication required")
    for hook in chains.authorize:
        hook(request.identity, iface, method, request)

    opened = request  # which a hook of the method may replace
    if iface.stateful:
        await server.sessions.open(opened)
    try:
        method.check_arguments(iface, request)
        blob = request.attachment
        if blob is not None and (type(blob) is memoryview) is not method.takes_view:
            request.attachment = memoryview(blob) if method.takes_view else bytes(blob)
        for hook in chains.prehook:
            hook(iface, method, request)
        if method.prehooks and not method.overrides_call:
            request = run_hooks(method.prehooks, iface, method, request)
        refuse_if_late(request)

        if chains.invoke:
            result = await _wrapped(server, chains, iface, method, request, nested)
        else:
            result = server.run(iface, method, request, nested)
            if waits(result):
                result = await settle(result, request.deadline)
        # A method with a `call` of its own has run its own hooks there.
        response: Response = (
            result if method.overrides_call else method.respond(iface, request, result)
        )

        for hook in chains.posthook:
            hook(iface, method, response)
    finally:
        if iface.stateful:
            await server.sessions.close(opened)
    return response


def _delivery() -> Delivery:
    # A command of somebody else's may call `process` from where no message is being answered.
    return delivery.get(None) or (time.monotonic(), False)


async def _authenticate(
    chains: Chains, iface: Interface, method: Method, request: Request
) -> Identity | None:
    """The first identity that a plugin gives. Whatever else happens, access is denied."""
    for hook in chains.authenticate:
        try:
            identity = hook(iface, method, request)
            if waits(identity):
                identity = await settle(identity, request.deadline)
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
    server: ServiceServer,
    chains: Chains,
    iface: Interface,
    method: Method,
    request: Request,
    nested: bool,
) -> Any:
    """Run the method inside the wrappers of plugins."""
    opened: list[tuple[Link, Any]] = []
    result: Any = None
    error: BaseException | None = None
    culprit: Link | None = None  # the wrapper that `error` is of, if it is not the method's
    try:
        for wrapper in chains.invoke:
            culprit = wrapper
            generator = wrapper(iface, method, request)
            if next(generator, generator) is generator:
                raise TypeError("a wrapper that never yields")
            opened.append((wrapper, generator))
        culprit = None
        result = await _run(server, iface, method, request, nested)
    except BaseException as raised:
        error = raised
    for wrapper, generator in reversed(opened):
        try:
            if error is None:
                generator.send(result)
            else:
                generator.throw(error)
        except StopIteration as stop:
            result, error = stop.value, None
        except BaseException as raised:
            if raised is not error:
                error, culprit = raised, wrapper
        else:
            generator.close()
            error, culprit = TypeError("a wrapper that yields twice"), wrapper
    if error is None:
        return result
    if culprit is not None and is_failure(error) and not isinstance(error, RemoteError):
        raise chains.failure(culprit, f"failed in pycom_invoke: {error!r}") from error
    raise error


async def _run(
    server: ServiceServer, iface: Interface, method: Method, request: Request, nested: bool
) -> Any:
    # A coroutine, since these let no StopIteration out: a wrapper would take it for its own.
    return await settle(server.run(iface, method, request, nested), request.deadline)
