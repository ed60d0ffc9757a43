"""Commands and their wire format."""

from __future__ import annotations

from pycom_core import BaseCommand, dict_from_wire, dict_to_wire
from pycom_core.messages import Request, Response, Session

__all__ = ["BaseCommand", "Request", "Response", "Session", "dict_from_wire", "dict_to_wire"]
