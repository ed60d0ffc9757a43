"""Settings: command line beats environment beats file beats default."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

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
#: Variables with that prefix that are not settings.
ENVIRONMENT_OTHERS = frozenset({"PYCOM_CONFIG", "PYCOM_LOGGING_LEVEL"})
#: What is written there for booleans, in any case.
_TRUTHS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def _tuple(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, Iterable) else value


@attrs.frozen
class Authentication:
    """The authentication policy of interfaces that do not set their own."""

    policy: str | None = attrs.field(default=None)  #: "required", "never" or None

    @policy.validator
    def _known(self, _attribute: object, value: str | None) -> None:
        if value not in (None, "required", "never"):
            raise ConfigurationError(
                f'authentication.policy is {value!r}; write "required", "never" or leave it out'
            )


@attrs.frozen
class Plugins:
    """The plugins that are disabled, and those that may fail to load."""

    disable: tuple[str, ...] = attrs.field(default=(), converter=_tuple)
    optional: tuple[str, ...] = attrs.field(default=(), converter=_tuple)
    trace: bool = False  #: log every call of a hook

    def __attrs_post_init__(self) -> None:
        # Not by validators: attrs makes code for each, which takes longer at the import.
        for field in ("disable", "optional"):
            value: Any = getattr(self, field)
            if not (isinstance(value, tuple) and all(isinstance(name, str) for name in value)):
                raise ConfigurationError(
                    f"plugins.{field} is {value!r}; write a list of names of plugins"
                )
        if not isinstance(self.trace, bool):
            raise ConfigurationError(f"plugins.trace is {self.trace!r}; write true or false")


_NESTED = {"authentication": Authentication, "plugins": Plugins}
_SEVERAL = str | list[str]


def _check(_settings: object, row: attrs.Attribute[Any], value: Any) -> None:
    cls = _NESTED.get(row.name)
    if cls is not None:
        if not isinstance(value, cls):
            what = f"Expected `{cls.__name__}`, got `{type(value).__name__}`"
            raise ConfigurationError(f"{row.name}: {what}")
        return
    _checked(row.name, value)
    least = row.metadata["least"]
    if least is not None and isinstance(value, int) and value < least:
        raise ConfigurationError(f"{row.name} is {value}; it must be at least {least}")
    if value == ():
        raise ConfigurationError(f"{row.name} is an empty list; name at least one")


def _setting(default: Any, reads: Any, about: str, least: int | None = None) -> Any:
    """Return a row of the table below: its default, the type of its JSON, and its meaning.

    `about` is reStructuredText. `least` is the smallest number that is taken. A default that is a
    function is called for each `Settings`.
    """
    default = attrs.Factory(default) if callable(default) else default
    metadata = {"reads": reads, "about": about, "least": least}
    converter = _tuple if reads == _SEVERAL else None
    return attrs.field(default=default, converter=converter, validator=_check, metadata=metadata)


@attrs.frozen
class Settings:
    """The settings of one runtime, with all that is known of each. Times are ms.

    Raises `ConfigurationError` for a value that a setting cannot have.
    """

    address: str | None = _setting(
        None,
        str | None,
        "0MQ address that a service listens on, ``tcp://HOST:PORT``. Port ``*`` is one that the "
        "system chooses. Needed to run a service. ``-a``",
    )
    advertise: str | None = _setting(
        None,
        str | None,
        "The address that others reach the service by, where that is another one: behind a port "
        "that is forwarded, or in a container (:doc:`discovery`). Its port may be ``*``, for that "
        "of ``address``",
    )
    service: str | None = _setting(
        None,
        str | None,
        "Name of the service. Without one it is ``/auto/`` and a random number. ``-s``",
    )
    nameserver: tuple[str, ...] = _setting(
        (constants.NS_NAME_LOCAL,),
        _SEVERAL,
        'Address of the nameserver, or a list of replicas. ``"local"`` is the one in the same '
        "process. ``-n``, once for each",
    )
    transport: tuple[str, ...] = _setting(
        ("zmtp", "zmq"),
        _SEVERAL,
        "Name of a transport, or a list in order of preference: an address goes to the first that "
        'serves it. ``"zmq"`` and ``"zmtp"`` are PyCOM\'s own, others are plugins '
        "(:doc:`transports`)",
    )
    network: str | None = _setting(
        None,
        str | None,
        "The file ``network.toml`` of a network of keys (:doc:`security`), for a plugin that "
        "encrypts connections. PyCOM's own do not yet: it is refused",
    )
    key: str | None = _setting(
        None,
        str | None,
        "The file with the secret key of this program, for such a plugin",
    )
    authentication: Authentication = _setting(
        Authentication,
        dict[str, Any],
        '``policy`` is ``"required"``, ``"never"`` or ``null``: whether callers must say who they '
        "are (:doc:`authentication`)",
    )
    nameserver_backend: str = _setting(
        "memory:",
        str,
        "URL of where a nameserver keeps its records (:doc:`discovery`). ``--backend``",
    )
    session_store: str = _setting(
        "memory:", str, "URL of where a service keeps its sessions (:doc:`sessions`)"
    )
    session_timeout: int = _setting(
        constants.PROTO_SESSION_TIMEOUT,
        int,
        "How long a session lives that is not used, in ms",
        least=1,
    )
    balancer: str = _setting(
        "random", str, "How a client chooses between providers (:doc:`discovery`)"
    )
    threads: int | Literal["auto"] = _setting(
        0,
        int | Literal["auto"],
        "Threads that run the sync methods of a service. 0: they run one at a time, on the event "
        'loop. ``"auto"``: one at a time, those that were slow in a thread (:ref:`threads`). '
        "``--threads``",
        least=0,
    )
    event_loop: str = _setting(
        "auto",
        Literal["auto", "asyncio", "uvloop"],
        'What a service runs on: ``"asyncio"``, ``"uvloop"``, or uvloop where it is installed, as '
        "with ``pip install uvloop``",
    )
    ipc: bool = _setting(
        True,
        bool,
        "Let clients of the same host and user connect over a Unix socket beside ``address`` "
        "(:doc:`discovery`)",
    )
    development: bool = _setting(
        lambda: sys.flags.dev_mode,
        bool,
        "Look closer than production can afford: check the results of typed methods "
        "(:doc:`typed-methods`). ``true`` where nothing is said and Python runs in its development "
        "mode, ``python -X dev`` or ``PYTHONDEVMODE=1``",
    )
    max_message_size: int = _setting(
        2**30, int, "Largest frame that a service takes in, in bytes", least=1
    )
    max_in_flight: int = _setting(
        10_000,
        int,
        "Calls that a service has in progress before it refuses more with code 8",
        least=1,
    )
    drain_timeout: int = _setting(
        10_000, int, "How long calls that run may go on when a service ends, in ms", least=0
    )
    plugins: Plugins = _setting(
        Plugins,
        dict[str, Any],
        "``disable`` takes plugins out, PyCOM's own included. ``optional`` lists those that may "
        "fail to load: they are then reported, and do not stop the start. ``trace`` logs every "
        "call of a hook",
    )
    guarantees: Mapping[str, tuple[str, ...]] = _setting(
        dict,
        dict[
            Literal["nameserver_backend", "session_store"],
            tuple[Literal["persistent", "shared", "linearizable", "watchable"], ...],
        ],
        "What ``nameserver_backend`` and ``session_store`` must guarantee, for the service to "
        'start: for each a list of ``"persistent"``, ``"shared"``, ``"linearizable"``, '
        '``"watchable"``',
    )
    tables: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)  #: by plugin


def names() -> list[str]:
    """The names of all settings."""
    return list(_ROWS)


def about(name: str) -> str:
    """Return the meaning of a setting, in reStructuredText."""
    text: str = _ROWS[name].metadata["about"]
    return text


def table(settings: Settings, name: str, cls: type[_TableT]) -> _TableT:
    """The table of a plugin, read as an attrs class. Raises `ConfigurationError`."""
    return _convert(name, settings.tables.get(name, {}), cls)


def plain(settings: Settings) -> dict[str, Any]:
    """Return the settings in the form of a file."""
    found: dict[str, Any] = msgspec.to_builtins(attrs.asdict(settings))
    found["nameserver"] = (
        settings.nameserver[0] if len(settings.nameserver) == 1 else list(settings.nameserver)
    )
    return {**found.pop("tables"), **found}


_ROWS: dict[str, Any] = {
    field.name: field for field in attrs.fields(Settings) if field.name != "tables"
}


def load(
    file: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    tables: Iterable[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> Settings:
    """Read settings from `file` (JSON or TOML), from `environ`, and from `overrides`.

    Later sources beat earlier ones, and all beat `defaults`. Overrides that are None are ignored.
    `tables` are the names of the plugins, whose tables are accepted. Without `file` the file that
    `PYCOM_CONFIG` names is read, if any. Raises `ConfigurationError`.
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
        if key not in _ROWS:
            # Not an error: the environment is shared with programs that are not ours.
            logger().warning("Ignoring the variable %s: no such setting%s", variable, _nearest(key))
            continue
        found[key] = _from_text(key, text)
    return found


def _from_text(key: str, text: str) -> Any:
    reads = _ROWS[key].metadata["reads"]
    if reads in (str, str | None):
        return text
    if reads is bool:
        word = text.strip().lower()
        if word not in _TRUTHS:
            known = ", ".join(_TRUTHS)
            raise ConfigurationError(f"{key} in the environment is {text!r}; write one of {known}")
        return _TRUTHS[word]
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _checked(key: str, value: Any, where: str = "") -> Any:
    """Return a value as its setting has it. Raises `ConfigurationError`."""
    reads = _ROWS[key].metadata["reads"]
    try:
        return msgspec.convert(value, reads)
    except msgspec.ValidationError as error:
        words = [f'"{word}"' for word in _words(reads)]
        known = ["a number"] * (int in get_args(reads)) + words
        hint = f"; write {' or '.join(known)}" if words else ""
        raise ConfigurationError(f"{key}{where}: {error}{hint}") from error


def _words(reads: Any) -> Iterable[str]:
    """The words that a setting takes, alone or beside a number."""
    if get_origin(reads) is Literal:
        return get_args(reads)
    return [word for one in get_args(reads) if get_origin(one) is Literal for word in get_args(one)]


def _merge(
    merged: dict[str, Any], found: Mapping[str, Any], where: str, tables: Iterable[str]
) -> None:
    for key, value in found.items():
        if key in _ROWS:
            value = _checked(key, value, f" {where}")
        elif key not in tables:
            raise ConfigurationError(f"Unknown setting {key!r} {where}{_nearest(key, tables)}")
        elif not isinstance(value, Mapping):
            raise ConfigurationError(f"The table {key!r} {where} must be an object of settings")
        if key in _NESTED or key not in _ROWS:
            value = {**merged.get(key, {}), **value}
        merged[key] = value


def _build(merged: dict[str, Any]) -> Settings:
    known = {key: value for key, value in merged.items() if key in _ROWS}
    for key, cls in _NESTED.items():
        if key in known:
            known[key] = _convert(key, known[key], cls)
    return Settings(
        **known, tables={key: value for key, value in merged.items() if key not in _ROWS}
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
    import difflib  # not before a name is wrong

    candidates = list(_ROWS if names is None else names) + list(tables)
    near = difflib.get_close_matches(key, candidates, n=1, cutoff=0.5)
    return (
        f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(sorted(candidates))}"
    )
