"""The registration of a service, from a thread that no method of the service can delay."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from pycom_core import constants
from pycom_core.client._context import Context
from pycom_core.client._nameserver import Nameserver
from pycom_core.errors import AccessDenied, MethodNotFound, PycomError, RemoteError
from pycom_core.log import logger
from pycom_core.records import ServiceRecord

RENEWAL = constants.NS_SERVICE_TIMEOUT / 2000  #: s between registrations
RETRY = 1.0  #: s before another try at a nameserver that did not answer
PATIENCE = 2000.0  #: ms within which a nameserver must answer
FAREWELL = 1000.0  #: ms within which nameservers must answer when the service stops


class Registrar:
    """Registers one service with every replica, renews in time, and unregisters at the end.

    `records` are by nameserver: each gets the address that its clients can connect to.
    """

    def __init__(
        self,
        context: Context,
        records: Mapping[str, ServiceRecord],
        on_refused: Callable[[RemoteError], object],
    ) -> None:
        self._replicas = [
            _Replica(address, record, Context(address, runtime=context.runtime))
            for address, record in records.items()
        ]
        self._on_refused = on_refused
        self._pid = os.getpid()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self.registered = threading.Event()  #: set once a nameserver knows the service
        self._thread = threading.Thread(target=self._renew, name="pycom-registrar", daemon=True)

    def start(self) -> None:
        """Register, and go on until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Unregister where the service is known, within `FAREWELL` for all replicas together."""
        if self._stopped.is_set() or self._pid != os.getpid():  # a fork of the service
            return
        self._stopped.set()
        deadline = time.monotonic() + FAREWELL / 1000
        # A registration that is under way may take longer: then it has to be left alone.
        locked = self._lock.acquire(timeout=FAREWELL / 1000)
        known = [replica for replica in self._replicas if replica.knows]
        for count, replica in enumerate(known):
            left = max(0.0, deadline - time.monotonic()) * 1000
            replica.unregister(left / (len(known) - count))
        if locked:
            self._lock.release()

    def _renew(self) -> None:
        wait = 0.0
        while not self._stopped.wait(wait):
            for replica in self._replicas:
                if replica.due > time.monotonic():
                    continue
                with self._lock:
                    if self._stopped.is_set():
                        return
                    self._register(replica)
            next_due = min(replica.due for replica in self._replicas)
            wait = max(0.0, next_due - time.monotonic())

    def _register(self, replica: _Replica) -> None:
        pause = RENEWAL
        try:
            if replica.register():
                self.registered.set()
            else:
                pause = RETRY
        except AccessDenied as error:
            self._on_refused(error)
        replica.due = time.monotonic() + pause


class _Replica:
    """One nameserver, and the state of the registration there."""

    def __init__(self, address: str, record: ServiceRecord, context: Context) -> None:
        self._address, self._record, self._runtime = address, record, context.runtime
        self._nameserver = Nameserver(context)
        self._is_silent = False  # it did not answer the last try
        self.knows = False  #: whether it was ever told of the service
        self.due = 0.0  #: when to tell it next, s, monotonic

    def register(self) -> bool:
        """Register the service there; tells whether it answered. Raises `AccessDenied`."""
        record = self._record
        arguments: dict[str, Any] = {
            "address": record.address,
            "service": record.service,
            "interfaces": list(record.interfaces),
        }
        if record.metadata:
            arguments["metadata"] = record.metadata
        try:
            self._nameserver.invoke(constants.NS_METHOD_REGISTER, arguments, timeout=PATIENCE)
        except AccessDenied:
            raise
        except PycomError as error:
            self._complain(error)
            return False
        self._is_silent, self.knows = False, True
        logger().debug("Registered %s with %s", record.service, self._address)
        return True

    def _complain(self, error: PycomError) -> None:
        # At the first try only, as the next ones follow every second.
        if self._is_silent:
            logger().debug("Could not register %s: %s", self._record.service, error)
            return
        self._is_silent = True
        why = self._runtime.obstacle(self._address)
        reason = f" ({why})" if why else ""
        logger().warning("Could not register %s: %s%s", self._record.service, error, reason)

    def unregister(self, timeout: float) -> None:
        """Withdraw the registration, within `timeout` ms."""
        record = self._record
        arguments = {"service": record.service, "address": record.address}
        try:
            self._nameserver.invoke(constants.NS_METHOD_UNREGISTER, arguments, timeout)
            logger().debug("Unregistered %s from %s", record.service, self._address)
        except MethodNotFound:
            pass  # an old nameserver: the lease runs out
        except PycomError as error:
            logger().warning("Could not unregister: %s", error)
