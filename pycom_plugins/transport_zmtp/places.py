"""Addresses as the sockets of the system know them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import sys
import tempfile
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from pycom_core import addresses
from pycom_core.errors import ConfigurationError

#: Bytes that the path of a Unix socket may have (sun_path of unix(7), less its end).
_LONGEST_PATH = 107
#: s between two tries to connect to a Unix socket with a full queue; nothing tells when it is not.
FULL = 0.005
#: Requests of clients that the system completes before the server takes them.
_BACKLOG = 4096
#: Signs of a silent host that may be missing.
_PROBES = 3
_INT = struct.Struct("@i")
#: SO_LINGER: to close at once.
_AT_ONCE = struct.pack("ii", True, 0)
#: Times that the system has sent again what is not acknowledged, of all that is not (tcp_info of
#: linux/tcp.h: tcpi_retransmits, tcpi_unacked), and the times after which the peer is cut off.
_TCP_INFO = struct.Struct("@2xB21xI")
_CUT_OFF = 2
#: Pieces of input that are passed over before a connection is closed.
_PIECES = 64


class QuietSocket(socket.socket):
    """A socket that closes silently when it is dropped, so that programs need not close it."""

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # the system had no descriptor for it
            self.close()


@attrs.frozen
class Place:
    """One address of a host, and perhaps the address to connect from."""

    family: int
    where: Any
    source: Any = None

    @property
    def is_of_host(self) -> bool:
        """True for a socket of this host's file system."""
        return self.family == socket.AF_UNIX

    def socket(self) -> socket.socket:
        """A socket of its kind, at its source, that does not block. Raises OSError."""
        made = QuietSocket(self.family, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            if self.source is not None:
                # As libzmq does, for connections to several hosts from one port.
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                made.bind(self.source)
        except BaseException:
            made.close()
            raise
        return made


def accept(listening: socket.socket) -> tuple[socket.socket, Any]:
    """The next connection, which does not block, and where it comes from. Raises OSError."""
    accepted, where = listening.accept()
    made = QuietSocket(listening.family, listening.type, fileno=accepted.detach())
    made.setblocking(False)
    return made, where


def has_input(connected: socket.socket) -> bool:
    """Tell whether there is something to receive from a connection, or its end."""
    try:
        connected.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def is_hung_up(connected: socket.socket) -> bool:
    """Tell whether the other end has closed, though what it sent before was not received yet."""
    # What only Linux tells; elsewhere it is seen when all is received.
    ends = getattr(select, "POLLRDHUP", 0)
    news = select.poll()
    news.register(connected, ends)
    return bool(news.poll(0))


def under_way(connected: socket.socket) -> int:
    """Bytes that were sent and that the other end has not taken, where the system can tell."""
    # SIOCOUTQ of tcp(7) has the number of TIOCOUTQ.
    with contextlib.suppress(OSError):
        answer = fcntl.ioctl(connected, termios.TIOCOUTQ, bytes(_INT.size))
        return int(_INT.unpack(answer)[0])
    return 0


def is_cut_off(connected: socket.socket) -> bool | None:
    """Tell whether packets get lost on the way to a peer; None: it has got all that was sent.

    False says that it may be on its way. Nothing is lost on the way to a peer of this host.
    """
    if connected.family == socket.AF_UNIX or sys.platform != "linux":
        return None
    info = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    again, unacknowledged = _TCP_INFO.unpack(info)
    return again >= _CUT_OFF if unacknowledged else None


def reset(connected: socket.socket) -> None:
    """Close a connection, and let the system forget what has not reached the peer yet.

    It would go on to send it, and a request would be run when nobody waits for it any more.
    """
    if connected.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    connected.close()


def tune(connected: socket.socket, silence: float = 30) -> None:
    """Set the options of a connection: small messages leave at once, a dead host is noticed.

    That is asked for a sign after so many s of silence, and for as long again.
    """
    if connected.family == socket.AF_UNIX:
        return
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle, interval = max(1, round(silence)), max(1, round(silence / _PROBES))
    values = {"TCP_KEEPIDLE": idle, "TCP_KEEPINTVL": interval, "TCP_KEEPCNT": _PROBES}
    for option, value in values.items():
        if hasattr(socket, option):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def check_connected(made: socket.socket) -> None:
    """Raise the OSError of a connection that could not be made."""
    error = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))
    # The system may give the port that nobody listens on to the very socket that connects to it.
    if made.family != socket.AF_UNIX and made.getsockname() == made.getpeername():
        raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


# To connect to.


def to_connect(address: str) -> str:
    """Return an address to connect to, checked, without a key. Raises `ConfigurationError`."""
    address = addresses.checked(addresses.parted(address)[0])
    if address.startswith("ipc://"):
        path = os.fsencode(_path(address))
        if not 0 < len(path) <= _LONGEST_PATH:
            raise ConfigurationError(
                f"Invalid address {address!r}: a path has 1 to {_LONGEST_PATH} bytes"
            )
    elif _parts(address)[2] == "":
        raise ConfigurationError(f"Invalid address {address!r}: there is no source before the ;")
    return address


def known(address: str) -> Sequence[Place] | None:
    """The places of an address that can be told without looking up a name, or None."""
    if address.startswith("ipc://"):
        return (Place(socket.AF_UNIX, _path(address)),)
    host, port, source = _parts(address)
    with contextlib.suppress(socket.gaierror):
        return _looked_up(host, port, source, socket.AI_NUMERICHOST)
    return None


def look_up(address: str) -> Sequence[Place]:
    """The places of an address with a name, however long it takes. Raises OSError."""
    return _looked_up(*_parts(address), 0)


def _parts(address: str) -> tuple[str, str, str | None]:
    found = addresses.tcp(address)
    if found is None:
        raise ConfigurationError(
            f"Invalid address {address!r}: write tcp://HOST:PORT, or ipc://PATH"
        )
    source, separator, _ = address.removeprefix("tcp://").rpartition(";")
    return found.host, found.port, source if separator else None


def _looked_up(host: str, port: str, source: str | None, flags: int) -> Sequence[Place]:
    found = _resolved(host, port, flags)
    begins = {} if source is None else _sources(source, flags)
    return [Place(family, where, begins.get(family)) for family, _, _, _, where in found]


def _resolved(host: str | None, port: str, flags: int) -> Sequence[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except UnicodeError as error:  # it cannot be a name of DNS, nor is it one of the system
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from None


def _sources(source: str, flags: int) -> Mapping[int, Any]:
    """The addresses to connect from, by family. A source is HOST or HOST:PORT."""
    parts = addresses.tcp(f"tcp://{source}") or addresses.tcp(f"tcp://{source}:0")
    if parts is None:
        raise socket.gaierror(socket.EAI_NONAME, f"{source!r} is no source")
    host = None if parts.host == "*" else _of_interface(parts.host) or parts.host
    port = "0" if parts.port in ("*", "") else parts.port
    flags |= socket.AI_PASSIVE
    found = _resolved(host, port, flags)
    # Of several addresses of one family the first counts.
    return {family: where for family, _, _, _, where in reversed(found)}


def _path(address: str) -> str:
    path = address.removeprefix("ipc://")
    return f"\0{path[1:]}" if path.startswith("@") else path


# To listen on.


def bound(address: str) -> tuple[socket.socket, str]:
    """A listening socket, and its address with the port that it got.

    Raises `ConfigurationError`.
    """
    try:
        if address.startswith("ipc://"):
            return _bound_path(address)
        return _bound_port(address)
    except OSError as error:
        raise ConfigurationError(f"Cannot listen on {address!r}: {reason(error)}") from error


def _bound_port(address: str) -> tuple[socket.socket, str]:
    host, port, _ = _parts(address)
    wildcard = host == "*"
    port = "0" if port == "*" else port
    if wildcard:
        host = "0.0.0.0"
    elif (interface := _of_interface(host)) is not None:
        host = interface
    # A name of several addresses stands for the first, as in libzmq.
    family, _, _, _, where = _resolved(host, port, socket.AI_PASSIVE)[0]
    listening = QuietSocket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(where)
        _listen(listening)
    except BaseException:
        listening.close()
        raise
    own = listening.getsockname()
    return listening, str(addresses.Tcp(own[0], str(own[1])))


def _listen(listening: socket.socket) -> None:
    listening.setblocking(False)
    listening.listen(_BACKLOG)


def _of_interface(name: str) -> str | None:
    """The address of a network interface; libzmq takes its name for a host."""
    if name not in {known for _, known in socket.if_nameindex()}:
        return None
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        found = fcntl.ioctl(any_socket, 0x8915, name.encode()[:15].ljust(256, b"\0"))  # SIOCGIFADDR
    return socket.inet_ntoa(found[20:24])


class _PathSocket(QuietSocket):
    """A Unix socket that listens, and its file, which others may have replaced."""

    file: os.stat_result | None = None
    folder: str | None = None  #: that was made for it

    def remove(self) -> None:
        """Remove the file, before the socket is closed: till then no other has its number."""
        path = self.getsockname()
        with contextlib.suppress(OSError):
            if self.file is not None and os.path.samestat(os.stat(path), self.file):
                os.unlink(path)
        if self.folder is not None:
            with contextlib.suppress(OSError):
                os.rmdir(self.folder)


def _bound_path(address: str) -> tuple[socket.socket, str]:
    path, listening = _path(address), _PathSocket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path == "*":
            listening.folder = tempfile.mkdtemp(prefix="pycom-")
            path = str(Path(listening.folder, "socket"))
            address = f"ipc://{path}"
        _free(path)
        listening.bind(path)
        if not path.startswith("\0"):
            listening.file = os.stat(path)
        _listen(listening)
    except BaseException:
        unbind(listening)
        raise
    return listening, address


def _free(path: str) -> None:
    """Remove a socket that nobody listens on any more. Raises OSError."""
    if path.startswith("\0") or not Path(path).is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except BlockingIOError:  # its queue is full
            pass


def pass_over_input(connected: socket.socket, room: memoryview) -> None:
    """Take what has come, so that closing the socket does not reset the connection.

    A reset would drop what was sent and has not arrived (RFC 1122, 4.2.2.13).
    """
    with contextlib.suppress(OSError):
        for _ in range(_PIECES):
            if not connected.recv_into(room):
                return


def forget(shared: socket.socket) -> None:
    """Close this process's descriptor of a socket that goes on in the parent."""
    # Not by its own `close`, which waits for the event loop of uvloop to let go of it.
    descriptor = shared.detach()
    if descriptor >= 0:
        os.close(descriptor)


def unbind(listening: socket.socket) -> None:
    """Close a socket that listens, and remove its file."""
    if isinstance(listening, _PathSocket):
        listening.remove()
    listening.close()


def host(client: Any) -> str:
    """The host of a client, by its socket name; empty for this one, over a Unix socket.

    Of IPv6 it is the network of 64 bits, of which one host may use all addresses (RFC 4291, 2.5.4).
    """
    name = _name(client)
    if ":" not in name:
        return name
    network = socket.inet_pton(socket.AF_INET6, name.partition("%")[0])[:8]
    return f"{socket.inet_ntop(socket.AF_INET6, network + bytes(8))}/64"


def _name(client: Any) -> str:
    if not isinstance(client, tuple):
        return ""
    name: str = client[0]
    # IPv4 on a socket for both families (RFC 4291, 2.5.5.2).
    return name.removeprefix("::ffff:") if "." in name else name


def shown(client: Any) -> str:
    """The address of a client, by its socket name."""
    name = _name(client)
    return str(addresses.Tcp(name, str(client[1]))) if name else "ipc://"


# What may be wrong.


def obstacle(address: str, timeout: float) -> str | None:
    """Say why no connection to an address is possible now; None if one is, or nobody can tell.

    A host that keeps silent for `timeout` s may be far: that is no reason.
    """
    try:
        found = known(address) or look_up(address)
        failure: OSError | None = None
        for place in found:
            try:
                with place.socket() as probe:
                    probe.settimeout(timeout)
                    probe.connect(place.where)
                return None
            except (TimeoutError, BlockingIOError):  # nobody refuses, and nobody accepts
                return None
            except OSError as error:
                failure = error
    except OSError:
        return f"the host name {_parts(address)[0]!r} cannot be resolved"
    return None if failure is None else reason(failure)


def reason(error: Exception) -> str:
    """Say why an address cannot be used."""
    if isinstance(error, socket.gaierror):
        return "the host name cannot be resolved"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)
