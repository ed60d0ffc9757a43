"""PyCOM: services that find and call each other. Names to import; all of it lives elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pycom_core
from pycom import constants, interfaces, nsclient
from pycom.constants import __version__, __version_info__
from pycom_core.cli import service_main as main
from pycom_core.errors import (
    AccessDenied,
    BadRequest,
    CallCancelled,
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

if TYPE_CHECKING:
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

__all__ = [
    "AccessDenied",
    "AsyncContext",
    "BadRequest",
    "BaseComponent",
    "CallCancelled",
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


def __getattr__(name: str) -> Any:
    """Load what is left of `__all__` when it is first used: a service may need no client."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(pycom_core, name)
    return value


def __dir__() -> list[str]:
    return list(__all__)
