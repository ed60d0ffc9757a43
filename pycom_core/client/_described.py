"""The description of a remote method, as far as its callers need it.

Services of 0.6.0 and of other makers may describe less than ours. A missing entry is no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pycom_core.errors import ServiceNotAvailable


@attrs.frozen
class Described:
    """The arguments and the results of one remote method."""

    interface: str
    name: str
    docstring: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    #: True if it may understand keywords that it does not name.
    takes_more: bool
    results: tuple[str, ...]
    #: Names of the argument and of the result that travel beside the JSON.
    incoming: str | None
    outgoing: str | None
    #: JSON Schemas under `arguments` and `result`, where the service checks types.
    schemas: Mapping[str, Any]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of all arguments, including the attachment."""
        named = (*self.required, *self.optional)
        return named if self.incoming is None else tuple(dict.fromkeys((*named, self.incoming)))

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return the names of given arguments that the method does not have."""
        known = self.arguments
        return [] if self.takes_more else [name for name in names if name not in known]

    def takes(self) -> str:
        """Name the arguments that it takes, for a message."""
        return ", ".join(self.arguments) or "no arguments"


def read(interface: str, name: str, found: Any) -> Described:
    """Return the description of a method in an answer to `introspect`.

    Raises `ServiceNotAvailable` if the answer does not describe one.
    """
    try:
        attachments = found.get("attachments") or {}
        return Described(
            interface,
            name,
            docstring=_text(found.get("docstring")) or f"Remote method {interface}.{name}.",
            required=_names(found.get("required_arguments")),
            optional=_names(found.get("optional_arguments")),
            takes_more=_takes_more(found),
            results=_names(found.get("results")),
            incoming=_text(attachments.get("incoming")),
            outgoing=_text(attachments.get("outgoing")),
            schemas=json_object(found.get("schema")),
        )
    except (AttributeError, TypeError) as error:
        raise ServiceNotAvailable(
            f"{interface} describes its method {name!r} in a way that is not understood"
        ) from error


def methods_in(interface: str, introspection: Any) -> Mapping[str, Any]:
    """The methods in an answer to `introspect`. Raises `ServiceNotAvailable`."""
    methods = introspection.get("methods") if isinstance(introspection, dict) else None
    if not isinstance(methods, dict):
        raise ServiceNotAvailable(f"{interface} does not say which methods it has")
    return methods


def json_object(value: Any) -> Mapping[str, Any]:
    """Return a value that should be a JSON object; an empty one if it is something else."""
    return value if isinstance(value, dict) else {}


def _text(found: Any) -> str | None:
    if not isinstance(found, (str, type(None))):
        raise TypeError("text is expected")
    return found


def _names(found: Any) -> tuple[str, ...]:
    names = [] if found is None else found
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise TypeError("a list of names is expected")
    return tuple(names)


def _takes_more(found: Mapping[str, Any]) -> bool:
    said = found.get("additional_arguments")
    if said is not None:
        return bool(said)
    # A method that declares no arguments may find them in its request, as those of 0.6.0 do.
    declared = [found.get(key) for key in ("required_arguments", "optional_arguments")]
    return None in declared or not any(declared)
