"""The description of an interface by its service: the answer of `introspect`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from pycom_core import PycomError
from pycom_plugins.descriptions.types import ANYTHING, Type


class NotUnderstood(PycomError):
    """The given data does not describe an interface."""


@attrs.frozen
class Attachments:
    """Names of the argument and of the result that travel beside the JSON."""

    incoming: str | None = None
    outgoing: str | None = None


@attrs.frozen
class Schemas:
    """JSON Schemas of a method whose service checks its types."""

    arguments: dict[str, Any]
    result: dict[str, Any]


@attrs.frozen
class Method:
    """The arguments and the results of a method."""

    required_arguments: list[str]
    optional_arguments: list[str]
    results: list[str] = attrs.field(factory=list)
    docstring: str | None = None
    attachments: Attachments = Attachments()
    schema: Schemas | None = None
    additional_arguments: bool | None = None

    def __attrs_post_init__(self) -> None:
        if len(set(self.arguments)) < len(self.arguments):
            raise ValueError("an argument is named twice")

    @property
    def arguments(self) -> list[str]:
        """Names of all arguments."""
        return [*self.required_arguments, *self.optional_arguments]

    @property
    def takes_more(self) -> bool:
        """True if it may take arguments that it does not declare."""
        said = self.additional_arguments
        return not self.arguments if said is None else said

    @property
    def types(self) -> Mapping[str, Type]:
        """The known types of the arguments."""
        return {} if self.schema is None else _type(self.schema.arguments).properties

    @property
    def result(self) -> Type:
        """The type of the result, or of the object that holds several results."""
        return ANYTHING if self.schema is None else _type(self.schema.result)

    @property
    def definitions(self) -> Mapping[str, Type]:
        """The classes that the types refer to."""
        if self.schema is None:
            return {}
        parts = (_type(self.schema.result), _type(self.schema.arguments))
        return {
            name: part.inner(part.definitions[name]) for part in parts for name in part.definitions
        }

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (self.docstring or "").strip().partition("\n")[0]


@attrs.frozen
class Description:
    """An interface and its methods."""

    name: str
    methods: dict[str, Method]
    docstring: str | None = None


def understand(found: Any) -> Description:
    """Read a description. Raises `NotUnderstood`."""
    try:
        return msgspec.convert(found, Description)
    except msgspec.ValidationError as error:
        raise NotUnderstood(f"This is no description of an interface: {error}") from error


def _type(schema: Mapping[str, Any]) -> Type:
    definitions = schema.get("$defs")
    return Type(schema, definitions if isinstance(definitions, dict) else {})
