"""The kernel of PyCOM: everything a plugin or a service needs, and no feature of its own.

The names are loaded when they are first used, so that a plugin that needs one pays for one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__pycom_library__ = True

if TYPE_CHECKING:
    from pycom_core.backends import Balancer as Balancer
    from pycom_core.backends import Guarantee as Guarantee
    from pycom_core.backends import NameserverBackend as NameserverBackend
    from pycom_core.backends import SessionStore as SessionStore
    from pycom_core.client._async_component import AsyncComponent as AsyncComponent
    from pycom_core.client._async_context import AsyncContext as AsyncContext
    from pycom_core.client._client import Client as Client
    from pycom_core.client._component import BaseComponent as BaseComponent
    from pycom_core.client._context import Context as Context
    from pycom_core.client._detect import detect_ns as detect_ns
    from pycom_core.client._proxy import ProxyComponent as ProxyComponent
    from pycom_core.client._proxy import ProxyContext as ProxyContext
    from pycom_core.client._remote import RemoteComponent as RemoteComponent
    from pycom_core.errors import AccessDenied as AccessDenied
    from pycom_core.errors import BadRequest as BadRequest
    from pycom_core.errors import CallCancelled as CallCancelled
    from pycom_core.errors import CallTimeout as CallTimeout
    from pycom_core.errors import ConfigurationError as ConfigurationError
    from pycom_core.errors import DeadlineExceeded as DeadlineExceeded
    from pycom_core.errors import MethodNotFound as MethodNotFound
    from pycom_core.errors import Overloaded as Overloaded
    from pycom_core.errors import PluginError as PluginError
    from pycom_core.errors import PycomError as PycomError
    from pycom_core.errors import RemoteError as RemoteError
    from pycom_core.errors import ServiceNotAvailable as ServiceNotAvailable
    from pycom_core.errors import ServiceNotFound as ServiceNotFound
    from pycom_core.errors import SessionExpired as SessionExpired
    from pycom_core.hookspecs import hookimpl as hookimpl
    from pycom_core.log import logger as logger
    from pycom_core.loops._nested import stands_in as stands_in
    from pycom_core.loops._waiting import run_to_end as run_to_end
    from pycom_core.messages import Future as Future
    from pycom_core.messages import Identity as Identity
    from pycom_core.messages import Peer as Peer
    from pycom_core.messages import Request as Request
    from pycom_core.messages import Response as Response
    from pycom_core.messages import Session as Session
    from pycom_core.plugins._discovery import installed_names as installed_names
    from pycom_core.process._launcher import ServiceProcess as ServiceProcess
    from pycom_core.process._launcher import load_providers as load_providers
    from pycom_core.records import ServiceRecord as ServiceRecord
    from pycom_core.runtime._default import configuration as configuration
    from pycom_core.runtime._default import configure as configure
    from pycom_core.runtime._default import create_task as create_task
    from pycom_core.runtime._default import default_runtime as default_runtime
    from pycom_core.runtime._default import ioloop as ioloop
    from pycom_core.runtime._runtime import Runtime as Runtime
    from pycom_core.runtime._runtime import load_settings as load_settings
    from pycom_core.server._interfaces import Interface as Interface
    from pycom_core.server._interfaces import interface as interface
    from pycom_core.server._methods import Method as Method
    from pycom_core.server._methods import method as method
    from pycom_core.server._methods import run_hooks as run_hooks
    from pycom_core.server._server import Server as Server
    from pycom_core.server._service import ServiceServer as ServiceServer
    from pycom_core.settings import Settings as Settings
    from pycom_core.transport import Transport as Transport
    from pycom_core.transport._local import LocalTransport as LocalTransport
    from pycom_core.wire._codec import dict_from_wire as dict_from_wire
    from pycom_core.wire._codec import dict_to_wire as dict_to_wire
    from pycom_core.wire._commands import BaseCommand as BaseCommand
    from pycom_core.wire._type_codecs import TypeCodec as TypeCodec
    from pycom_core.wire._type_codecs import TypeCodecs as TypeCodecs

_HOMES = {
    "backends": (
        "Balancer",
        "Guarantee",
        "NameserverBackend",
        "SessionStore",
    ),
    "client._async_component": ("AsyncComponent",),
    "client._async_context": ("AsyncContext",),
    "client._client": ("Client",),
    "client._component": ("BaseComponent",),
    "client._context": ("Context",),
    "client._detect": ("detect_ns",),
    "client._proxy": (
        "ProxyComponent",
        "ProxyContext",
    ),
    "client._remote": ("RemoteComponent",),
    "errors": (
        "AccessDenied",
        "BadRequest",
        "CallCancelled",
        "CallTimeout",
        "ConfigurationError",
        "DeadlineExceeded",
        "MethodNotFound",
        "Overloaded",
        "PluginError",
        "PycomError",
        "RemoteError",
        "ServiceNotAvailable",
        "ServiceNotFound",
        "SessionExpired",
    ),
    "hookspecs": ("hookimpl",),
    "log": ("logger",),
    "loops._nested": ("stands_in",),
    "loops._waiting": ("run_to_end",),
    "messages": (
        "Future",
        "Identity",
        "Peer",
        "Request",
        "Response",
        "Session",
    ),
    "plugins._discovery": ("installed_names",),
    "process._launcher": (
        "ServiceProcess",
        "load_providers",
    ),
    "records": ("ServiceRecord",),
    "runtime._default": (
        "configuration",
        "configure",
        "create_task",
        "default_runtime",
        "ioloop",
    ),
    "runtime._runtime": (
        "Runtime",
        "load_settings",
    ),
    "server._interfaces": (
        "Interface",
        "interface",
    ),
    "server._methods": (
        "Method",
        "method",
        "run_hooks",
    ),
    "server._server": ("Server",),
    "server._service": ("ServiceServer",),
    "settings": ("Settings",),
    "transport": ("Transport",),
    "transport._local": ("LocalTransport",),
    "wire._codec": (
        "dict_from_wire",
        "dict_to_wire",
    ),
    "wire._commands": ("BaseCommand",),
    "wire._type_codecs": (
        "TypeCodec",
        "TypeCodecs",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
