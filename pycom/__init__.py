"""PyCOM: services that find and call each other. Names to import; all of it lives elsewhere."""

from __future__ import annotations

from pycom import constants, interfaces, nsclient
from pycom.constants import __version__, __version_info__
from pycom_core import (
    AsyncContext,
    BaseComponent,
    Context,
    ProxyComponent,
    ProxyContext,
    configuration,
    configure,
    create_task,
    interface,
    ioloop,
    method,
)
from pycom_core.cli import service_main as main
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
