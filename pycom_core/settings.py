"""Settings: command line beats environment beats file beats default."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import attrs
import msgspec

from pycom_core import constants
from pycom_core.errors import ConfigurationError
from pycom_core.log import logger

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_TableT = TypeVar("_TableT")

ENVIRONMENT_PREFIX = "PYCOM_"
#: Variables of that prefix that are no settings.
ENVIRONMENT_OTHERS = frozenset({"PYCOM_CONFIG", "PYCOM_LOGGING_LEVEL"})


@attrs.frozen
class Authentication:
    """Who must say who they are, where an interface does not decide it."""

    policy: str | None = attrs.field(default=None)  #: "required", "never" or None

    @policy.validator
    def _known(self, _attribute: object, value: str | None) -> None:
        if value not in (None, "required", "never"):
            raise ConfigurationError(
                f'authentication.policy is {value!r}; write "required", "never" or leave it out'
            )


@attrs.frozen
class Plugins:
    """Which plugins are taken out, and which may fail to load."""

    disable: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    optional: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    trace: bool = False  #: log every call of a hook


@attrs.frozen
class Settings:
    """What one runtime was told. Times are ms, sizes bytes."""

    address: str | None = None
    advertise: str | None = None  #: the address that others reach it by, where that is another
    service: str | None = None
    nameserver: tuple[str, ...] = (constants.NS_NAME_LOCAL,)
    transport: tuple[str, ...] = ("zmq",)  #: in order of preference
    authentication: Authentication = Authentication()
    nameserver_backend: str = "memory:"
    session_store: str = "memory:"
    session_timeout: int = constants.PROTO_SESSION_TIMEOUT
    balancer: str = "random"
    threads: int = 0  #: workers for sync methods; 0: one at a time, on the event loop
    max_message_size: int = 2**30  #: of one frame; larger ones are cut off before they are read
    max_in_flight: int = 10_000  #: calls accepted and not answered, before code 8
    drain_timeout: int = 10_000  #: how long what runs may go on after SIGTERM
    event_loop: str = "auto"  #: "asyncio", "uvloop", or "auto": uvloop where it is installed
    ipc: bool = True  #: let services of the same host and user connect over a Unix socket
    #: look closer than production can afford; from the start in Python's development mode
    development: bool = attrs.field(factory=lambda: sys.flags.dev_mode)
    plugins: Plugins = Plugins()
    guarantees: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)  #: asked of backends
    tables: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)  #: by plugin


def names() -> list[str]:
    """The names of all settings."""
    return list(_FIELDS)


def table(settings: Settings, name: str, cls: type[_TableT]) -> _TableT:
    """The table of a plugin, read as an attrs class. Raises `ConfigurationError`."""
    return _convert(name, settings.tables.get(name, {}), cls)


def plain(settings: Settings) -> dict[str, Any]:
    """The settings as they stand in a file."""
    found: dict[str, Any] = msgspec.to_builtins(attrs.asdict(settings))
    found["nameserver"] = (
        settings.nameserver[0] if len(settings.nameserver) == 1 else list(settings.nameserver)
    )
    return {**found.pop("tables"), **found}


_FIELDS = tuple(field.name for field in attrs.fields(Settings) if field.name != "tables")
_NESTED = {"authentication": Authentication, "plugins": Plugins}
_TYPES: dict[str, Any] = {
    "address": str | None,
    "advertise": str | None,
    "service": str | None,
    "nameserver": str | list[str],
    "transport": tuple[str, ...],
    "authentication": dict[str, Any],
    "plugins": dict[str, Any],
    "nameserver_backend": str,
    "session_store": str,
    "balancer": str,
    "event_loop": Literal["auto", "asyncio", "uvloop"],
    "ipc": bool,
    "development": bool,
    "guarantees": dict[
        Literal["nameserver_backend", "session_store"],
        tuple[Literal["persistent", "shared", "linearizable", "watchable"], ...],
    ],
    **dict.fromkeys(
        ("session_timeout", "threads", "max_message_size", "max_in_flight", "drain_timeout"), int
    ),
}


def load(
    file: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    tables: Iterable[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> Settings:
    """Read settings from `file` (JSON or TOML), from `environ`, and from `overrides`.

    The later beats the earlier, and all beat `defaults`. Overrides that are None are left out.
    `tables` are the names of the plugins, whose tables are let through. Without `file` the one
    that `PYCOM_CONFIG` names is read, if any. Raises `ConfigurationError`.
    """
    environ = os.environ if environ is None else environ
    merged: dict[str, Any] = {**(defaults or {})}
    file = file or environ.get("PYCOM_CONFIG")
    if file:
        _merge(merged, _read(Path(file)), f"in {file}", tables)
    _merge(merged, _from_environment(environ), "in the environment", tables)
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    _merge(merged, given, "in the arguments", tables)
    return _build(merged)


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"Cannot read the configuration {path}: {error.strerror}"
        ) from error
    try:
        data = tomllib.loads(raw.decode()) if path.suffix == ".toml" else msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if path.suffix == ".toml" else "JSON"
        raise ConfigurationError(f"{path} is not valid {kind}: {error}") from error
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path} must hold a table of settings at its top level")
    return data


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in ENVIRONMENT_OTHERS:
            continue
        if not text:  # how scripts take back a variable
            continue
        key = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if key not in _FIELDS:
            # Not an error: the environment is shared with programs that are not ours.
            logger().warning("Ignoring the variable %s: no such setting%s", variable, _nearest(key))
            continue
        found[key] = text if _TYPES[key] in (str, str | None) else _json_or_text(text)
    return found


def _json_or_text(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _merge(
    merged: dict[str, Any], found: Mapping[str, Any], where: str, tables: Iterable[str]
) -> None:
    for key, value in found.items():
        if key in _FIELDS:
            try:
                value = msgspec.convert(value, _TYPES[key])
            except msgspec.ValidationError as error:
                raise ConfigurationError(f"{key} {where}: {error}") from error
        elif key not in tables:
            raise ConfigurationError(f"Unknown setting {key!r} {where}{_nearest(key, tables)}")
        elif not isinstance(value, Mapping):
            raise ConfigurationError(f"The table {key!r} {where} must be an object of settings")
        if key in _NESTED or key not in _FIELDS:
            value = {**merged.get(key, {}), **value}
        merged[key] = value


def _build(merged: dict[str, Any]) -> Settings:
    known = {key: value for key, value in merged.items() if key in _FIELDS}
    for key, cls in _NESTED.items():
        if key in known:
            known[key] = _convert(key, known[key], cls)
    if "nameserver" in known:
        value = known["nameserver"]
        known["nameserver"] = (value,) if isinstance(value, str) else tuple(value)
        if not known["nameserver"]:
            raise ConfigurationError("nameserver is an empty list; name at least one address")
    for key, least in (
        ("threads", 0),
        ("max_message_size", 1),
        ("max_in_flight", 1),
        ("session_timeout", 1),
        ("drain_timeout", 0),
    ):
        if known.get(key, least) < least:
            raise ConfigurationError(f"{key} is {known[key]}; it must be at least {least}")
    return Settings(
        **known, tables={key: value for key, value in merged.items() if key not in _FIELDS}
    )


def _convert(key: str, found: Mapping[str, Any], cls: type[_TableT]) -> _TableT:
    names = [field.name for field in attrs.fields(cast("type[Any]", cls))]
    for inner in found:
        if inner not in names:
            raise ConfigurationError(f"Unknown setting {key}.{inner}{_nearest(inner, (), names)}")
    try:
        return msgspec.convert(found, cls)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        raise ConfigurationError(f"{key}{place.rstrip('`')}: {what}") from error


def _nearest(key: str, tables: Iterable[str] = (), names: Iterable[str] | None = None) -> str:
    candidates = list(_FIELDS if names is None else names) + list(tables)
    near = difflib.get_close_matches(key, candidates, n=1, cutoff=0.5)
    return (
        f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(candidates))}"
    )
