"""Keeps a service registered, from a thread that no method of the service can hold up."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from pycom_core import constants
from pycom_core.client._context import Context
from pycom_core.client.discovery._nameservers import Nameserver
from pycom_core.errors import AccessDenied, MethodNotFound, PycomError, RemoteError
from pycom_core.log import logger
from pycom_core.records import ServiceRecord

RENEWAL = constants.NS_SERVICE_TIMEOUT / 2000  #: s between registrations
RETRY = 1.0  #: s before another try at a nameserver that did not answer
PATIENCE = 2000.0  #: ms that a nameserver has to answer
FAREWELL = 1000.0  #: ms that nameservers have to answer when the service stops


class Registrar:
    """Registers one service with every replica, renews in time, and unregisters at the end.

    `records` are by nameserver: each is told the address that those who ask it can connect to.
    """

    def __init__(
        self,
        context: Context,
        records: Mapping[str, ServiceRecord],
        on_refused: Callable[[RemoteError], object],
    ) -> None:
        self._runtime = context.runtime
        self._addresses = list(records)
        self._records = list(records.values())
        self._replicas = [
            Nameserver(Context(address, runtime=context.runtime)) for address in records
        ]
        self._on_refused = on_refused
        self._pid = os.getpid()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._due = dict.fromkeys(range(len(self._replicas)), 0.0)  # s, monotonic
        self._known: set[int] = set()
        self._unheard: set[int] = set()  # they did not answer the last try
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
        known = sorted(self._known)
        for count, index in enumerate(known):
            left = max(0.0, deadline - time.monotonic()) * 1000
            self._unregister(index, left / (len(known) - count))
        if locked:
            self._lock.release()

    def _unregister(self, index: int, timeout: float) -> None:
        record = self._records[index]
        arguments = {"service": record.service, "address": record.address}
        try:
            self._replicas[index].invoke(constants.NS_METHOD_UNREGISTER, arguments, timeout)
            logger().debug("Unregistered %s from %s", record.service, self._addresses[index])
        except MethodNotFound:
            pass  # an old nameserver: the lease runs out
        except PycomError as error:
            logger().warning("Could not unregister: %s", error)

    def _renew(self) -> None:
        wait = 0.0
        while not self._stopped.wait(wait):
            for index, due in self._due.items():
                if due > time.monotonic():
                    continue
                with self._lock:
                    if self._stopped.is_set():
                        return
                    pause = RENEWAL if self._register(index) else RETRY
                self._due[index] = time.monotonic() + pause
            wait = max(0.0, min(self._due.values()) - time.monotonic())

    def _register(self, index: int) -> bool:
        record = self._records[index]
        arguments: dict[str, Any] = {
            "address": record.address,
            "service": record.service,
            "interfaces": list(record.interfaces),
        }
        if record.metadata:
            arguments["metadata"] = record.metadata
        try:
            self._replicas[index].invoke(constants.NS_METHOD_REGISTER, arguments, timeout=PATIENCE)
        except AccessDenied as error:
            self._on_refused(error)
            return True
        except PycomError as error:
            # Said at the first try only, as the next ones follow every second.
            if index in self._unheard:
                logger().debug("Could not register %s: %s", record.service, error)
            else:
                self._unheard.add(index)
                why = self._runtime.obstacle(self._addresses[index])
                reason = f" ({why})" if why else ""
                logger().warning("Could not register %s: %s%s", record.service, error, reason)
            return False
        self._unheard.discard(index)
        self._known.add(index)
        logger().debug("Registered %s with %s", record.service, self._addresses[index])
        self.registered.set()
        return True
