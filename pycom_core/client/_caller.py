"""The common base of sync and asyncio contexts: identity, hooks and deadline of a caller."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from pycom_core import constants, timeouts
from pycom_core.client._binding import Calls
from pycom_core.client.discovery._cache import RecordCache
from pycom_core.errors import ConfigurationError, DeadlineExceeded
from pycom_core.messages import Request, Response
from pycom_core.runtime._default import default_runtime
from pycom_core.runtime._runtime import Runtime

ClientHook = Callable[[Any, Any], Any]
_CallerT = TypeVar("_CallerT", bound="Caller")


class Caller(ABC):
    """The base of contexts. Raises `ConfigurationError` for an empty list of nameservers."""

    def __init__(
        self,
        nameserver: str | Sequence[str] | None = None,
        *,
        timeout: float | None = constants.PROTO_DEFAULT_TIMEOUT,
        views: bool = False,
        runtime: Runtime | None = None,
    ) -> None:
        self.runtime = runtime = runtime or default_runtime()
        self.timeout = None if timeout is None else timeouts.limit(timeout)
        self.views = views
        self.deadline: float | None = None  #: s, monotonic; no call goes on after it
        self.prehooks: list[ClientHook] = []
        self.posthooks: list[ClientHook] = []
        self.token: Any = None  #: sent with every call, to identify the caller
        self.chains = runtime.plugins.chains
        self.records = RecordCache(runtime.clock)
        #: Methods by address and interface, as their services described them.
        self.descriptions: dict[tuple[str, str], Calls] = {}
        addresses = runtime.settings.nameserver if nameserver is None else nameserver
        #: Addresses of the nameserver's replicas, the one that is asked first at the head.
        self.nameservers = [addresses] if isinstance(addresses, str) else list(addresses)
        if not self.nameservers:
            raise ConfigurationError("nameserver is an empty list; name at least one address")
        self._open()

    def __copy__(self: _CallerT) -> _CallerT:
        """Return an independent copy of this context, over the same connections."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.nameservers = list(self.nameservers)
        twin.prehooks, twin.posthooks = list(self.prehooks), list(self.posthooks)
        return twin

    def __deepcopy__(self: _CallerT, memo: object) -> _CallerT:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        # The caller and the hooks are for the unpickling program to set. A token must not lie
        # wherever the bytes are kept.
        kind, nameservers = type(self), list(self.nameservers)
        return partial(kind, nameservers, timeout=self.timeout, views=self.views), ()

    def on_behalf_of(self: _CallerT, token: Any, deadline: float | None) -> _CallerT:
        """Return a context for another caller that shares the cache and the connections."""
        twin = self.__copy__()
        twin.token, twin.deadline = token, deadline
        twin.prehooks, twin.posthooks = [], []
        return twin

    def time_left(self, timeout: float | None) -> float:
        """Return the time that a call may take, in ms, or infinity. Raises `DeadlineExceeded`."""
        if timeout is None:
            timeout = math.inf if self.timeout is None else self.timeout
        if self.deadline is None:
            return timeout
        left = (self.deadline - time.monotonic()) * 1000
        if left <= 0:
            raise DeadlineExceeded("The deadline of the call that this one is made for has passed")
        return min(timeout, left)

    def share(self, timeout: float | None) -> float:
        """Return the time that each replica of the nameserver may take, in ms.

        It is always finite, so that the next one is asked.
        """
        left = self.time_left(timeout)
        if left > timeouts.LONGEST:
            left = constants.PROTO_DEFAULT_TIMEOUT
        return left / len(self.nameservers)

    def is_plain(self) -> bool:
        """Tell whether its calls pass no hook, and bring no token."""
        chains = self.chains
        return (
            self.token is None
            and not self.prehooks
            and not self.posthooks
            and not chains.client_invoke
            and not chains.client_prehook
            and not chains.client_posthook
        )

    def before_call(self, component: Any, request: Request) -> Request:
        """Pass a request through the hooks, with the token of the caller."""
        if self.token is not None:
            request.extensions[constants.AUTH_EXTENSION] = self.token
        for hook in self.prehooks:
            replacement = hook(component, request)
            request = request if replacement is None else replacement
        for hook in self.chains.client_prehook:
            hook(component, request)
        return request

    def after_call(self, component: Any, response: Response) -> Response:
        """Pass a response through the hooks."""
        for hook in self.chains.client_posthook:
            hook(component, response)
        for hook in self.posthooks:
            replacement = hook(component, response)
            response = response if replacement is None else replacement
        return response

    @abstractmethod
    def _open(self) -> None:
        """Make the pool that connections come from."""

    @abstractmethod
    def is_connected(self, address: str) -> bool:
        """Tell whether there is a live connection to an address now."""

    @abstractmethod
    def refresh(self, conversation: Any) -> None:
        """Run a conversation in the background."""

    @abstractmethod
    def close(self) -> None:
        """Close the connections."""
