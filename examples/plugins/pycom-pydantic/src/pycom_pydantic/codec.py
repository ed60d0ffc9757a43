"""Models on the wire: the JSON that pydantic reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import to_json

from pycom_core import TypeCodec


class Models(TypeCodec):
    """The codec of models."""

    def decode(self, cls: type[BaseModel], value: Any) -> BaseModel:
        """Validate a value. Raises ValueError, which says where in it the first fault is."""
        try:
            # As JSON, and not as Python: a strict model takes a date from a text only there.
            return cls.model_validate_json(to_json(value))
        except ValidationError as error:
            raise ValueError(_words(error)) from error

    def encode(self, value: BaseModel) -> Any:
        """Return the JSON that pydantic writes, under the names that it reads."""
        return value.model_dump(mode="json", by_alias=True)

    def schema(self, cls: type[BaseModel], result: bool) -> Mapping[str, Any]:
        """Return pydantic's schema of a model; an empty one if a field has no JSON Schema."""
        try:
            return cls.model_json_schema(mode="serialization" if result else "validation")
        except PydanticInvalidForJsonSchema:
            return {}


def _words(error: ValidationError) -> str:
    """Name the first fault, with its place in the model: `.items[0].price: Field required`."""
    first, *others = error.errors(include_url=False, include_context=False, include_input=False)
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"])
    place = "".join(steps)
    more = f" (and {len(others)} more)" if others else ""
    return f"{place}: {first['msg']}{more}" if place else f"{first['msg']}{more}"
