"""Names of hosts that only IPv6 reaches: 0MQ must know that before it looks them up."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from concurrent.futures import Future, TimeoutError

from pycom_core import threads
from pycom_core.addresses import tcp

#: s for which a look-up may delay a connection. It goes on afterwards, for the next one.
PATIENCE = 1.0


class Lookups:
    """Look-ups of names: once each, in a thread of its own, and again if not found."""

    def __init__(self) -> None:
        self._answers: dict[tuple[int, str], Future[bool]] = {}  # by process and host

    def only_ipv6(self, address: str) -> Future[bool]:
        """Return a future that tells whether only IPv6 reaches the host of an address."""
        parts = tcp(address)
        host = "*" if parts is None else parts.host
        answer: Future[bool] = Future()
        if host == "*" or _is_numeric(host):
            answer.set_result(":" in host)
            return answer
        key = (os.getpid(), host)
        found = self._answers.setdefault(key, answer)
        if found is answer:
            look = threading.Thread(target=self._look_up, args=(key, answer), daemon=True)
            threads.start(look)
        return found

    def wait(self, address: str) -> bool:
        """Wait for the same; False if it takes too long."""
        with contextlib.suppress(TimeoutError):
            return self.only_ipv6(address).result(PATIENCE)
        return False

    def _look_up(self, key: tuple[int, str], answer: Future[bool]) -> None:
        try:
            found = {family for family, *_ in socket.getaddrinfo(key[1], None)}
        except (OSError, UnicodeError):
            del self._answers[key]
            found = set()
        answer.set_result(found == {socket.AF_INET6})


def _is_numeric(host: str) -> bool:
    try:
        socket.inet_aton(host)
    except OSError:
        return ":" in host
    return True
