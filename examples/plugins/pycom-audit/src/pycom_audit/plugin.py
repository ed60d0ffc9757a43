"""The plugin."""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Generator
from typing import Any

import attrs

from pycom_audit.redacting import Redaction
from pycom_core import (
    ConfigurationError,
    Identity,
    Interface,
    Method,
    RemoteError,
    Request,
    Response,
    Runtime,
    hookimpl,
    settings,
)


@attrs.frozen
class Options:
    """The options in the table `audit` of the configuration."""

    file: str | None = None  #: where the lines go; nowhere without it
    redact: tuple[str, ...] = ("password", "credentials", "secret", "token")
    longest: int = 200  #: characters of a text, items of a list


class Audit:
    """The audit log of one runtime."""

    def __init__(self) -> None:
        self._options = Options()
        self._service: str | None = None

    @hookimpl
    def pycom_configure(self, runtime: Runtime) -> None:
        """Read the settings, and see that the file can be written."""
        self._options = options = settings.table(runtime.settings, "audit", Options)
        self._redaction = Redaction(options.redact, options.longest)
        self._service = runtime.settings.service
        if options.file is not None:
            try:
                self._append(options.file, b"")
            except OSError as error:
                raise ConfigurationError(
                    f"audit.file: cannot write {options.file}: {error.strerror}"
                ) from error

    @hookimpl(wrapper=True, tryfirst=True)
    def pycom_authorize(
        self, identity: Identity | None, request: Request
    ) -> Generator[None, Any, Any]:
        """Note a call that is not authorized."""
        return (yield from self._noting_refusals(request))

    @hookimpl(wrapper=True, tryfirst=True)
    def pycom_prehook(self, data: Request) -> Generator[None, Any, Any]:
        """Note a call that another plugin refuses."""
        return (yield from self._noting_refusals(data))

    @hookimpl(wrapper=True, tryfirst=True)
    def pycom_invoke(
        self, iface: Interface, method: Method, request: Request
    ) -> Generator[None, Any, Any]:
        """Note how a call ended."""
        args = self._redaction.shown(request.args)  # as they came: the method may change them
        started = time.perf_counter()
        try:
            result = yield
        except BaseException as error:
            self._note(request, args, "failed", _code(error), started)
            raise
        code = result.code if isinstance(result, Response) else 0
        self._note(request, args, "failed" if code else "ok", code, started)
        return result

    def _noting_refusals(self, request: Request) -> Generator[None, Any, Any]:
        started = time.perf_counter()
        try:
            return (yield)
        except Exception as error:
            args = self._redaction.shown(request.args)
            self._note(request, args, "refused", _code(error), started)
            raise

    def _note(self, request: Request, args: Any, outcome: str, code: int, started: float) -> None:
        if self._options.file is None:
            return
        caller = request.identity
        now = datetime.datetime.now(datetime.timezone.utc)
        line = {
            "time": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "caller": None if caller is None else caller.name,
            "roles": [] if caller is None else list(caller.roles),
            "interface": request.interface,
            "method": request.method,
            "args": args,
            "outcome": outcome,
            "code": code,
            "ms": round((time.perf_counter() - started) * 1000, 3),
            "service": self._service,
            "pid": os.getpid(),
        }
        self._append(self._options.file, json.dumps(line).encode() + b"\n")

    @staticmethod
    def _append(path: str, line: bytes) -> None:
        # In one piece, so that lines of other processes stay whole.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def _code(error: BaseException) -> int:
    return (error.code or 1) if isinstance(error, RemoteError) else 1
