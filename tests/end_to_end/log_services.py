"""A service that logs: as it is, or with a configuration of its own, in the variable CONFIGURE."""

from __future__ import annotations

import logging
import os
import threading
import warnings
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

    @pycom.method
    def let_print(self, request: Any, how: str, text: str) -> None:
        """Cause a message that Python prints by itself."""
        if how == "record":
            log.error("%d items", text)
        elif how == "warning":
            warnings.warn(text, stacklevel=1)
        elif how == "finalizer":
            Raising(text)
        else:
            thread = threading.Thread(target=fail, args=[text])
            thread.start()
            thread.join()


def fail(text: str) -> None:
    raise ValueError(text)


class Raising:
    def __init__(self, text: str) -> None:
        self.text = text

    def __del__(self) -> None:
        fail(self.text)
