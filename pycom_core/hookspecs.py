"""Every hook of PyCOM, on one page.

A plugin is a module or an object with functions of these names, marked with
`pycom_core.hookimpl`. An implementation may take fewer arguments than the hook offers, not others.

Order: plugins are called in the order of their names, those marked `tryfirst` before and those
marked `trylast` after the rest. All hooks are plain functions unless it is said that they may be
`async def`. `wrapper=True` is for `pycom_invoke` and `pycom_client_invoke`, and for the other hooks
of a call but `pycom_authenticate`, `pycom_address` and `pycom_end`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

if TYPE_CHECKING:
    import click
    import zmq

    # By their public names: nothing below this page imports it.
    from pycom_core import (
        Balancer,
        BaseCommand,
        Identity,
        Interface,
        Method,
        NameserverBackend,
        Peer,
        RemoteComponent,
        Request,
        Response,
        Runtime,
        Server,
        ServiceRecord,
        SessionStore,
        Transport,
        TypeCodec,
    )

hookspec = pluggy.HookspecMarker("pycom")
#: Marks the hooks that a plugin implements.
hookimpl = pluggy.HookimplMarker("pycom")


_SpecT = TypeVar("_SpecT", bound=Callable[..., Any])


def of_call(part: str) -> Callable[[_SpecT], _SpecT]:
    """Mark a hook that is run within calls, for which it is compiled. Its part is one of:

    "changes" the data in place, "denies" (and `AccessDenied` passes as it is), "wraps" what the
    kernel does, "answers" (the first answer wins), "admits" connections, "listens".
    """

    def mark(spec: _SpecT) -> _SpecT:
        vars(spec)["of_call"] = part
        return spec

    return mark


# Contributions. Asked once; two plugins that contribute one name are an error at start.


@hookspec
def pycom_commands(server: Server | None) -> Mapping[bytes, BaseCommand]:  # type: ignore[empty-body]
    """Commands by their name on the wire (`b"CALL"`), asked when a server is made.

    Clients need them too: for those `server` is None, and they are asked for at the first call.
    None contributes nothing. An exception stops the start; for clients it contributes nothing.
    """


@hookspec
def pycom_nameserver_backends() -> Mapping[str, Callable[[str], NameserverBackend]]:  # type: ignore[empty-body]
    """URL scheme → `factory(url)`, asked when a runtime starts, and when it opens one.

    A factory with a parameter `clock` is given that of the runtime, which gives seconds. None
    contributes nothing. An exception stops the start, as do a factory and a result of it that are
    unfit for use.
    """


@hookspec
def pycom_session_stores() -> Mapping[str, Callable[[str], SessionStore]]:  # type: ignore[empty-body]
    """URL scheme → `factory(url)`, asked when a runtime starts, and when it opens one.

    A factory with a parameter `clock` is given that of the runtime, which gives seconds. None
    contributes nothing. An exception stops the start, as do a factory and a result of it that are
    unfit for use.
    """


@hookspec
def pycom_balancers() -> Mapping[str, Callable[[str], Balancer]]:  # type: ignore[empty-body]
    """Name → `factory(url)`, asked when a runtime starts, and when it makes one.

    A factory with a parameter `clock` is given that of the runtime, which gives seconds. None
    contributes nothing. An exception stops the start, as do a factory and a result of it that are
    unfit for use.
    """


@hookspec
def pycom_transports() -> Mapping[str, Callable[[Runtime], Transport]]:  # type: ignore[empty-body]
    """Name → `factory(runtime)`, asked when a runtime starts, and when it opens one.

    The setting `transport` names those that are used. None contributes nothing. An exception stops
    the start.
    """


@hookspec
def pycom_types() -> Mapping[type, TypeCodec]:  # type: ignore[empty-body]
    """Class → how its objects, and those of its subclasses, travel as JSON.

    Asked when an annotation or a value is met that is no JSON, and again after plugins have come
    or gone; in development at the start, too. The nearest base counts. None contributes nothing.
    An exception stops the start of the service, or fails the call.
    """


@hookspec
def pycom_cli(group: click.Group) -> None:
    """Add click commands to the `pycom` command line, before it is parsed.

    The result is ignored. An exception, or a name that another command has, is a warning.
    """


# A call, in the order of its life. `iface` and `method` are `pycom.interfaces` objects.


@of_call("answers")
@hookspec(firstresult=True)
def pycom_authenticate(
    iface: Interface, method: Method, request: Request
) -> Identity | Awaitable[Identity | None] | None:
    """Say who calls, before anything else happens to a request. May be `async def`.

    Asked for every interface whose policy is not "never". None means "not mine": the next plugin
    is asked. The first `Identity` wins. Raise `AccessDenied` for "mine, and bad". Any other
    exception, and any other result, denies access too. Where the policy is "required" and no
    plugin knows the caller, access is denied.
    """


@of_call("denies")
@hookspec
def pycom_authorize(
    identity: Identity | None, iface: Interface, method: Method, request: Request
) -> None:
    """Raise `AccessDenied` to refuse a call, after the caller is known. Every plugin is asked.

    `identity` is None for a caller that no plugin knows. Any other exception denies access too.
    """


@of_call("changes")
@hookspec
def pycom_prehook(iface: Interface, method: Method, data: Request) -> None:
    """See or change a request in place, before its arguments are bound; raise to refuse it.

    A `RemoteError` is answered with its code and text, any other exception with code 1.
    """


@of_call("wraps")
@hookspec
def pycom_invoke(iface: Interface, method: Method, request: Request) -> Generator[None, Any, Any]:  # type: ignore[empty-body]
    """Wrap the running of a method, to time, trace, cache or limit it.

    Write it as `@hookimpl(wrapper=True)` with one `yield`: the `yield` gives the method's result,
    or raises its exception, also where the method is `async def`; what the wrapper returns is the
    result from then on. The kernel runs the method itself, so only wrappers are accepted. They
    nest in the order of the plugins, the first outermost.
    """


@of_call("changes")
@hookspec
def pycom_posthook(iface: Interface, method: Method, data: Response) -> None:
    """See or change a response in place, before it is encoded; raise to answer an error instead.

    Called for the answers of methods, not for errors that a request was refused with.
    """


@of_call("listens")
@hookspec
def pycom_end(request: Request, response: Response) -> None:
    """A request was answered: for access logs and metrics.

    Called for every answer, refusals included. `response.code` and `response.message` say how it
    ended. Of a request that could not be read `interface` and `method` are empty. Nothing that is
    changed here changes the answer. Exceptions are logged; every plugin is called.
    """


# The calling side.


@of_call("changes")
@hookspec
def pycom_client_prehook(component: RemoteComponent, data: Request) -> None:
    """See or change a request in place before it is sent; raise to give the call up.

    Runs after the `prehooks` of the context.
    """


@of_call("changes")
@hookspec
def pycom_client_posthook(component: RemoteComponent, data: Response) -> None:
    """See or change a response in place before its caller gets it.

    Runs before the `posthooks` of the context.
    """


@of_call("wraps")
@hookspec
def pycom_client_invoke(  # type: ignore[empty-body]
    component: RemoteComponent, request: Request
) -> Generator[None, Response, Response]:
    """Wrap a whole call of a client, to time, trace, count or break it. Sync and asyncio alike.

    Write it as `@hookimpl(wrapper=True)` with one `yield`: the `yield` gives the response, or
    raises what the caller is to see; what the wrapper returns is the response from then on. It is
    around the other hooks of the client. Only wrappers are accepted.
    """


# Discovery.


@hookspec
def pycom_record(server: Server, record: ServiceRecord) -> None:
    """A service is about to register: add to `record.metadata`. An exception stops the start."""


@of_call("answers")
@hookspec(firstresult=True)
def pycom_address(record: ServiceRecord) -> str | None:
    """The address by which this process reaches a record; None: "not mine".

    Asked when a component is located. The first answer wins; where there is none it is the record's
    own. An exception fails the call of `locate`.
    """


# Life.


@hookspec
def pycom_configure(runtime: Runtime) -> None:
    """The runtime has its settings and plugins; nothing runs yet. An exception stops the start."""


@hookspec
def pycom_provide(server: Server, iface: Interface) -> None:
    """A server is about to provide an interface: add methods to it, or raise to refuse it.

    The `Interface` is this server's own: others that provide the same class see nothing of what
    is changed in it. Its methods are shared; replace one in `iface.methods` by a changed copy.
    """


@hookspec
def pycom_startup(server: Server) -> None:
    """The server is bound and about to answer its first call. An exception stops the start."""


@hookspec
def pycom_shutdown(server: Server) -> None:
    """The server has answered its last call. Exceptions are logged; every plugin is called."""


@hookspec
def pycom_close(runtime: Runtime) -> None:
    """The runtime closes: let go of what was opened for it. Exceptions are logged.

    Called once. For the default runtime of a process that is at the end of the process.
    """


@of_call("admits")
@hookspec
def pycom_admit(peer: Peer) -> None:
    """A connection has shown who it is: raise `AccessDenied` to refuse it.

    Any other exception refuses it too. Called by transports that know their peers.
    """


@hookspec
def pycom_socket(socket: zmq.Socket[bytes], side: str, address: str) -> None:
    """A socket of the transport `zmq` is about to bind or connect to `address`.

    `side` is "server" where it binds, and "client" where it connects. As long as a plugin
    implements this, the transport `zmtp` leaves its addresses to `zmq`.
    The place to set its options: keys, keepalive. An exception gives the socket up.
    """
