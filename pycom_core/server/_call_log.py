"""A log line for each call, for users who want to see everything."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from pycom_core import constants
from pycom_core.errors import RemoteError
from pycom_core.log import logger

if TYPE_CHECKING:
    from pycom_core.messages import Request, Response

#: Name of the logger that gets the lines, at the level DEBUG.
LOGGER = "pycom.calls"
_LONGEST_NAME = 300

Process = Callable[["Request"], Coroutine[Any, None, "Response"]]


def is_shown() -> bool:
    """Tell whether anybody would see the lines."""
    return logger(LOGGER).isEnabledFor(logging.DEBUG)


def logged(process: Process) -> Process:
    """Wrap `process` so that it logs a line for each request."""

    async def wrapper(request: Request) -> Response:
        started = time.perf_counter()
        code: int | None = constants.ERROR_UNKNOWN
        try:
            response = await process(request)
            code = response.code
        except RemoteError as error:
            code = error.code
            raise
        finally:
            ms = (time.perf_counter() - started) * 1000
            logger(LOGGER).debug("%s: code %s, %.1f ms", _shown(request), code, ms)
        return response

    return wrapper


def _shown(request: Request) -> str:
    name = f"{request.interface}.{request.method}"[:_LONGEST_NAME]
    return name if name.isprintable() else ascii(name)
