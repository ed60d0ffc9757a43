"""Models of pydantic as arguments and results of methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycom_core import hookimpl

if TYPE_CHECKING:
    from pycom_core import TypeCodec


@hookimpl
def pycom_types() -> dict[type, TypeCodec]:
    """Contribute the codec of models."""
    # Not above: a process without models need not load pydantic.
    from pydantic import BaseModel

    from pycom_pydantic.codec import Models

    return {BaseModel: Models()}
