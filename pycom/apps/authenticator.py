"""The authenticator, to be run as a module or beside other services."""

from __future__ import annotations

from pycom_plugins.authentication.service import Authenticator

__all__ = ["Authenticator"]
