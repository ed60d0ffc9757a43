"""ZeroJSON: the protocol below PyCOM. What programs import; all of it lives elsewhere."""

from __future__ import annotations

from pycom_core import Client, Server, create_task, ioloop
from pycom_core.errors import (
    AccessDenied,
    BadRequest,
    CallCancelled,
    CallTimeout,
    DeadlineExceeded,
    MethodNotFound,
    Overloaded,
    RemoteError,
    ServiceNotAvailable,
    ServiceNotFound,
    SessionExpired,
)
from pycom_core.log import logger
from pycom_core.messages import Future, Request, Response, Session
from zerojson import call, common, constants

__all__ = [
    "AccessDenied",
    "BadRequest",
    "CallCancelled",
    "CallTimeout",
    "Client",
    "DeadlineExceeded",
    "Future",
    "MethodNotFound",
    "Overloaded",
    "RemoteError",
    "Request",
    "Response",
    "Server",
    "ServiceNotAvailable",
    "ServiceNotFound",
    "Session",
    "SessionExpired",
    "call",
    "common",
    "constants",
    "create_task",
    "ioloop",
    "logger",
]
