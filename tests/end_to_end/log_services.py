"""A service that logs: as it is, or with a configuration of its own, in the variable CONFIGURE."""

from __future__ import annotations

import logging
import os
from typing import Any

import pycom

log = logging.getLogger(__name__)
exec(os.environ.get("CONFIGURE", ""))
log.info("imported")


@pycom.interface("test.logs")
class Logs(pycom.Service):
    @pycom.method
    def say(self, request: Any, text: str, level: str = "INFO") -> None:
        number = logging.getLevelName(level)
        log.log(number, "ours: %s", text)
        pycom.logger("calls").log(number, "calls: %s", text)
        logging.log(number, "root: %s", text)

    @pycom.method
    def fail(self, request: Any, text: str) -> None:
        raise ValueError(text)
