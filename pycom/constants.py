"""Constants of PyCOM."""

from __future__ import annotations

from pycom_core.constants import (
    AUTH_EXTENSION,
    AUTH_INTERFACE,
    AUTH_METHOD_AUTHENTICATE,
    AUTH_METHOD_VALIDATE,
    GENERIC_METHOD_INTROSPECT,
    NS_INTERFACE,
    NS_METHOD_LIST_SERVICES,
    NS_METHOD_LOCATE,
    NS_METHOD_REGISTER,
    NS_METHOD_STAT,
    NS_NAME_LOCAL,
    NS_SERVICE_TIMEOUT,
    __version__,
    __version_info__,
)

__all__ = [
    "AUTH_EXTENSION",
    "AUTH_INTERFACE",
    "AUTH_METHOD_AUTHENTICATE",
    "AUTH_METHOD_VALIDATE",
    "GENERIC_METHOD_INTROSPECT",
    "NS_INTERFACE",
    "NS_METHOD_LIST_SERVICES",
    "NS_METHOD_LOCATE",
    "NS_METHOD_REGISTER",
    "NS_METHOD_STAT",
    "NS_NAME_LOCAL",
    "NS_SERVICE_TIMEOUT",
    "__version__",
    "__version_info__",
]
