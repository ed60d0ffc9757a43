"""PyCOM: services that find and call each other. Names to import; all of it lives elsewhere."""

from __future__ import annotations

from pycom import constants, interfaces, nsclient
from pycom.constants import __version__, __version_info__
from pycom_core.client._async_context import AsyncContext
from pycom_core.client._component import BaseComponent
from pycom_core.client._context import Context
from pycom_core.client._proxy import ProxyComponent, ProxyContext
from pycom_core.errors import (
    AccessDenied,
    BadRequest,
    CallTimeout,
    ConfigurationError,
    DeadlineExceeded,
    MethodNotFound,
    Overloaded,
    PluginError,
    PycomError,
    RemoteError,
    ServiceNotAvailable,
    ServiceNotFound,
    SessionExpired,
)
from pycom_core.log import logger
from pycom_core.process._cli import service_main as main
from pycom_core.runtime._default import configuration, configure, create_task, ioloop
from pycom_core.server._interfaces import interface, method
from pycom_plugins.introspection.service import Service

__all__ = [
    "AccessDenied",
    "AsyncContext",
    "BadRequest",
    "BaseComponent",
    "CallTimeout",
    "ConfigurationError",
    "Context",
    "DeadlineExceeded",
    "MethodNotFound",
    "Overloaded",
    "PluginError",
    "ProxyComponent",
    "ProxyContext",
    "PycomError",
    "RemoteError",
    "Service",
    "ServiceNotAvailable",
    "ServiceNotFound",
    "SessionExpired",
    "__version__",
    "__version_info__",
    "configuration",
    "configure",
    "constants",
    "create_task",
    "interface",
    "interfaces",
    "ioloop",
    "logger",
    "main",
    "method",
    "nsclient",
]
