"""Sources of descriptions: services and files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from pycom_core import BadRequest, ConfigurationError, Context, cli
from pycom_plugins.descriptions.description import NotUnderstood, understand


def introspect(context: Context, interface: str, service: str | None = None) -> Any:
    """Ask a service for its description. Raises `RemoteError`, `ServiceNotAvailable`."""
    with cli.located(context, interface, service) as component:
        return component.introspect()


def read(context: Context, source: str, interface: str) -> Any:
    """Read a description from a file, or from the service or nameserver at an address.

    Raises `PycomError`.
    """
    if "://" not in source:
        return _read_file(source)
    cli.check_service(context, source, interface)
    try:
        with context.connect(source, interface) as component:
            return component.introspect()
    except BadRequest:  # it does not provide the interface, but may know who does
        elsewhere = Context(source, runtime=context.runtime, timeout=context.timeout)
        elsewhere.token = context.token
        return introspect(elsewhere, interface)


def _read_file(name: str) -> Any:
    try:
        found = msgspec.json.decode(Path(name).read_bytes())
        understand(found)
    except OSError as error:
        raise ConfigurationError(f"Cannot read {name}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, NotUnderstood) as error:
        raise ConfigurationError(
            f"{name} does not hold what `pycom describe --json` prints: {error}"
        ) from error
    return found


@contextmanager
def not_too_deep() -> Iterator[None]:
    """Raise `NotUnderstood` for data that is nested too deeply for recursive functions."""
    try:
        yield
    except RecursionError:
        raise NotUnderstood("This description is nested too deep") from None
