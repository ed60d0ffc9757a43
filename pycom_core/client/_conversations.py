"""The exchanges of clients with services, written once for sync and asyncio.

A conversation is a generator. It yields each message to send as (address, payload, timeout in ms).
It is sent the reply, or the error is thrown into it. The drivers in `_drivers` do the sending.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from pycom_core import constants, timeouts
from pycom_core._steps import fail, finish
from pycom_core.client._binding import Calls
from pycom_core.client._caller import Caller
from pycom_core.client._choice import Use, choose, choose_again
from pycom_core.client._remote import RemoteClient, RemoteComponent
from pycom_core.client.discovery import _records
from pycom_core.client.discovery._cache import Key
from pycom_core.errors import (
    CallCancelled,
    ConfigurationError,
    MethodNotFound,
    PycomError,
    ServiceNotAvailable,
    ServiceNotFound,
)
from pycom_core.log import logger
from pycom_core.messages import Attachment, Request, Response
from pycom_core.plugins._wrappers import wrapped
from pycom_core.records import ServiceRecord
from pycom_core.wire import _codec as codec
from pycom_core.wire._commands import BaseCommand

Message = tuple[str, Sequence[Attachment], float]
_ResultT = TypeVar("_ResultT")
Conversation = Generator[Message, Sequence[Attachment], _ResultT]


# Commands.


def send_command(
    caller: Caller,
    server: str | RemoteComponent | Any,
    name: bytes,
    command: BaseCommand,
    request: Any,
    timeout: float | None,
    attachment: Attachment | None,
) -> Conversation[Any]:
    """Send a command. Returns the answer as it decodes it, or (answer, attachment)."""
    address = server if isinstance(server, str) else getattr(server, "_wrapped", server).address
    payload = _payload(name, command.request_to_wire(request), attachment)
    reply = yield address, payload, caller.time_left(timeout)
    answer, received = _answer(address, command, reply, caller.views)
    return answer if received is None else (answer, received)


def call(
    caller: Caller, address: str, request: Request, timeout: float, session_id: str | None
) -> Conversation[Response]:
    """Send a request with the command CALL."""
    command = _call_command(caller)
    reply = yield _message(command, address, request, timeout, session_id)
    return _response(command, address, request, reply, caller.views)


def _message(
    command: BaseCommand, address: str, request: Request, timeout: float, session_id: str | None
) -> Message:
    try:
        deadline = None if timeout > timeouts.LONGEST else round(timeout)
    except ValueError:
        deadline = round(timeouts.limit(timeout))  # which says what is wrong with it
    wire = command.request_to_wire(request, session_id=session_id, deadline=deadline)
    return address, _payload(constants.PROTO_CMD_CALL, wire, request.attachment), timeout


def _response(
    command: BaseCommand,
    address: str,
    request: Request,
    reply: Sequence[Attachment],
    views: bool,
) -> Response:
    response: Response
    response, attachment = _answer(address, command, reply, views)
    response.request, response.attachment = request, attachment
    return response


def _call_command(caller: Caller) -> BaseCommand:
    command = caller.runtime.commands.get(constants.PROTO_CMD_CALL)
    if command is None:
        raise ConfigurationError(
            "No active plugin brings the command CALL; is `call` in plugins.disable?"
        )
    return command


def _payload(name: bytes, wire: bytes, attachment: Attachment | None) -> list[Attachment]:
    return [name, wire] if attachment is None else [name, wire, codec.as_frame(attachment)]


def _answer(
    address: str, command: BaseCommand, reply: Sequence[Attachment], views: bool
) -> tuple[Any, Attachment | None]:
    if len(reply) < 2 or bytes(reply[0]) != constants.PROTO_STATUS_SUCCESS:
        raise ServiceNotAvailable(f"The server at {address} failed to answer")
    answer = command.response_from_wire(reply[1])
    if len(reply) == 2:
        return answer, None
    return answer, memoryview(reply[2]).toreadonly() if views else bytes(reply[2])


# Calls of a component.


def invoke(
    component: RemoteClient, request: Request, timeout: float | None
) -> Conversation[Response]:
    """Make a call for a caller: through its hooks, with its token and deadline."""
    context = component.context
    if context is None or context.is_plain():
        return invoke_with_request(component, request, timeout)
    return _invoke_hooked(component, request, timeout)


def _invoke_hooked(
    component: RemoteClient, request: Request, timeout: float | None
) -> Conversation[Response]:
    context = component.context
    chains = context.chains
    if not chains.client_invoke:
        request = context.before_call(component, request)
        response = yield from invoke_with_request(component, request, timeout)
        return context.after_call(component, response)  # type: ignore[no-any-return]
    wrappers = chains.client_invoke
    steps = wrapped(chains, "pycom_client_invoke", wrappers, component, request, gives=Response)
    try:
        next(steps)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    try:
        request = context.before_call(component, request)
        response = yield from invoke_with_request(component, request, timeout)
        response = context.after_call(component, response)
    except BaseException as error:
        return fail(steps, error)  # type: ignore[no-any-return]
    return finish(steps, response)  # type: ignore[no-any-return]


def invoke_with_request(
    component: RemoteClient, request: Request, timeout: float | None
) -> Conversation[Response]:
    """Make a call, and tell the balancer how it went."""
    caller, use = component._caller, component._use
    left = caller.time_left(component._timeout if timeout is None else timeout)
    command, address = _call_command(caller), component.address
    message = _message(command, address, request, left, component._held.session_id)
    started = 0.0
    if use is not None:
        use.begin()
        started = time.monotonic()
    try:
        response = _response(command, address, request, (yield message), caller.views)
    except BaseException as error:
        if isinstance(error, (ServiceNotAvailable, CallCancelled)):
            _name_call(error, request, use)
        if use is not None:
            if isinstance(error, CallCancelled):  # which says nothing of the service
                use.end(None, None)
            else:
                use.end(time.monotonic() - started, error)
        raise
    if use is not None:
        use.end(time.monotonic() - started, None)
    if response.session_id is not None:
        component._held.session_id = response.session_id
    return response


def _name_call(error: PycomError, request: Request, use: Use | None) -> None:
    """Add to an error the call that it ended, and the service, if known."""
    if request.interface == constants.NS_INTERFACE:
        return  # nobody asked for that call, and all replicas are named together
    service = "" if use is None else f" of {use.record.service}"
    error.args = (f"{request.interface}.{request.method}{service}: {error}",)


def describe(component: RemoteClient) -> Conversation[Calls]:
    """Return the methods of its interface; asks only once per connection."""
    caller, key = component._caller, (component.address, component.name)
    known = caller.descriptions.get(key)
    if known is None or not caller.is_connected(component.address):
        request = Request(component.name, constants.GENERIC_METHOD_INTROSPECT)
        response = yield from invoke(component, request, None)
        known = caller.descriptions[key] = Calls(component.name, response.result)
    return known


# Finding services.


def locate(caller: Caller, key: Key) -> Conversation[Use]:
    """Return one of the providers of an interface. Raises `ServiceNotFound`.

    Nameservers are not asked again while there is a connection to the chosen one and the last
    answer is younger than a lease.
    """
    records = caller.records.get(key)
    if records:
        use = choose(caller, records, key[0])
        if caller.is_connected(use.address):
            if caller.records.wants_refresh(key):
                caller.refresh(refresh(caller, key))
            return use
        use.release()
        records = (use.record,)
    found = yield from find(caller, key)
    return choose_again(caller, records, found, key[0])


def refresh(caller: Caller, key: Key) -> Conversation[None]:
    """Renew an answer that is still valid."""
    try:
        yield from find(caller, key)
    except PycomError as error:
        logger().debug("Could not refresh what is known of %s: %s", key[0], error)


def find(caller: Caller, key: Key) -> Conversation[list[ServiceRecord]]:
    """Ask the nameservers for all providers. Raises `ServiceNotFound`."""
    try:
        try:
            found = yield from ask_nameserver(
                caller, constants.NS_METHOD_FIND, _records.find_arguments(*key)
            )
        except MethodNotFound:  # a nameserver of 0.6.0
            found = yield from ask_nameserver(
                caller, constants.NS_METHOD_LIST_SERVICES, _records.list_arguments(*key)
            )
        records = _records.records_from(found.result, key[0])
    except _records.NoNameserver:
        raise
    except ServiceNotFound:
        caller.records.forget(key)
        raise
    caller.records.put(key, records)
    return records


def ask_nameserver(
    caller: Caller, method: str, args: Any = None, timeout: float | None = None
) -> Conversation[Response]:
    """Call the replica that answered last, and the others if it does not answer now."""
    request = Request(constants.NS_INTERFACE, method, args=args)
    return (yield from ask_nameserver_with_request(caller, request, timeout))


def ask_nameserver_with_request(
    caller: Caller, request: Request, timeout: float | None
) -> Conversation[Response]:
    """Do the same with a given request. Raises `NoNameserver`.

    The timeout (ms) holds for all replicas together. Nameservers get no credentials, and no hooks
    run.
    """
    share = caller.share(timeout)
    problems: list[str] = []
    for name in list(caller.nameservers):
        try:
            address = nameserver_address(caller, name)
            return (yield from call(caller, address, request, share, None))
        except ServiceNotAvailable as error:
            problems.append(str(error))
            pass_over(caller.nameservers, name)
    raise _records.NoNameserver("No nameserver answers: " + "; ".join(problems))


def pass_over(replicas: list[str], address: str) -> None:
    """Move a replica to the end, so that the next call begins with one that may be alive."""
    # Of a copy, and at one stroke: other threads look at the list and reorder it meanwhile.
    replicas[:] = sorted(replicas, key=address.__eq__)


def nameserver_address(caller: Caller, nameserver: str) -> str:
    """Return the address that stands for a nameserver. Raises `ServiceNotAvailable`."""
    if nameserver != constants.NS_NAME_LOCAL:
        return nameserver
    server = caller.runtime.server_of(constants.NS_INTERFACE)
    if server is None:
        raise ServiceNotAvailable(
            "no nameserver runs in this process; name the address of one in the configuration, "
            "in PYCOM_NAMESERVER, or with -n on the command line"
        )
    return server.addresses[0]


# Who calls.


def authenticate(caller: Caller, user: Any, credentials: Any, token: Any) -> Conversation[None]:
    """Get a token, or check one, and keep it. Raises `AccessDenied`, `ServiceNotFound`."""
    if token is not None:
        yield from _ask_authenticator(caller, constants.AUTH_METHOD_VALIDATE, {"token": token})
    else:
        args = {"user": user, "credentials": credentials}
        answer = yield from _ask_authenticator(caller, constants.AUTH_METHOD_AUTHENTICATE, args)
        token = answer["token"]
    caller.token = token


def user_info(caller: Caller) -> Conversation[Any]:
    """Ask the authenticator who the caller is; None: nobody. Raises `AccessDenied`."""
    if caller.token is None:
        return None
    method = constants.AUTH_METHOD_VALIDATE
    return (yield from _ask_authenticator(caller, method, {"token": caller.token}))


def _ask_authenticator(caller: Caller, method: str, args: dict[str, Any]) -> Conversation[Any]:
    use = yield from locate(caller, (constants.AUTH_INTERFACE, None))
    component = RemoteClient(constants.AUTH_INTERFACE, use.address, caller, caller, use)
    try:
        response = yield from invoke(component, Request(component.name, method, args=args), None)
    finally:
        component.close()
    return response.result
