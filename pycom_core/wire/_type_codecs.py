"""Types of one's own: how plugins say what travels as JSON in place of an object."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, get_origin

import msgspec
from msgspec import inspect as info

from pycom_core.errors import PluginError, PluginFailed
from pycom_core.wire import _jsonable as jsonable


class TypeCodec(ABC):
    """How the objects of a class, and of its subclasses, travel as JSON (`pycom_types`)."""

    @abstractmethod
    def decode(self, cls: Any, value: Any) -> Any:
        """Make an object of `cls` of a JSON value.

        Raises ValueError or TypeError for a value that is none. The caller gets its text, after
        the place of the value; a text such as `.items[3].price: too much` goes on with the place.
        """

    @abstractmethod
    def encode(self, value: Any) -> Any:
        """Make a JSON value of an object."""

    def schema(self, cls: Any, result: bool) -> Mapping[str, Any]:
        """The JSON Schema of what travels for `cls`, as an argument or as a `result`.

        It may have `$defs`, and refer to them as `#/$defs/NAME`. The empty schema says nothing.
        """
        return {}


class TypeCodecs:
    """The codecs that the plugins of one runtime contribute, asked for when one is needed.

    `complaint` says what is wrong with the plugin that contributes a class.
    """

    def __init__(
        self,
        contributed: Callable[[], Mapping[type, TypeCodec]],
        complaint: Callable[[type, str], str],
    ) -> None:
        self._contributed, self._complaint = contributed, complaint
        #: Encodes what plugins know, and what needs none.
        self.encoder = msgspec.json.Encoder(enc_hook=self.encode)
        self.forget()

    def forget(self) -> None:
        """Ask anew: plugins have come or gone."""
        #: By class: the class that is contributed, itself or a base, and its codec.
        self._found: weakref.WeakKeyDictionary[type, tuple[type, TypeCodec] | None]
        self._found = weakref.WeakKeyDictionary()

    def knows(self, cls: Any) -> bool:
        """Whether there is a codec for a class or a base of it. Raises `PluginError`."""
        return self._find(cls) is not None

    def schema(self, cls: Any, result: bool) -> Mapping[str, Any]:
        """What the codec of a class that is known says of it. Raises `PluginError` if it fails."""
        base, codec = self._known(cls)
        try:
            return codec.schema(cls, result)
        except Exception as error:
            raise PluginError(self._failure(base, "describe", cls, error)) from error

    def decode(self, cls: Any, value: Any) -> Any:
        """What the codec of a class that is known makes of a JSON value.

        A ValueError or TypeError says that it is none, and so does an error of arithmetic; any
        other exception is a `PluginFailed`.
        """
        base, codec = self._known(cls)
        try:
            return codec.decode(cls, value)
        except (ValueError, TypeError):
            raise
        except ArithmeticError as error:
            raise ValueError(str(error)) from error
        except Exception as error:
            raise PluginFailed(self._failure(base, "decode", cls, error)) from error

    def encode(self, value: Any) -> Any:
        """What stands in JSON for an object that msgspec does not know.

        Raises TypeError for nothing, and `PluginFailed`.
        """
        cls = type(value)
        if value is None or cls is bool or not self.knows(cls):
            return jsonable.substitute(value)
        base, codec = self._known(cls)
        try:
            return codec.encode(value)
        except Exception as error:
            raise PluginFailed(self._failure(base, "encode", cls, error)) from error

    def _failure(self, base: type, verb: str, cls: Any, error: Exception) -> str:
        return self._complaint(base, f"failed to {verb} {jsonable.type_name(cls)}: {error!r}")

    def _known(self, cls: Any) -> tuple[type, TypeCodec]:
        found = self._find(cls)
        if found is None:  # its plugin has gone
            raise TypeError(f"no plugin knows {jsonable.type_name(cls)} any more")
        return found

    def _find(self, cls: Any) -> tuple[type, TypeCodec] | None:
        cls = get_origin(cls) or cls
        if not isinstance(cls, type):
            return None
        try:
            return self._found[cls]
        except KeyError:
            codecs = self._contributed()
        base = next((base for base in cls.__mro__ if base in codecs), None)
        found = self._found[cls] = None if base is None else (base, codecs[base])
        return found


def wrong_codec(cls: object, codec: object) -> str | None:
    """What a contributed codec must be and is not, as the end of a sentence."""
    if not isinstance(codec, TypeCodec):
        return "must be an object of a subclass of TypeCodec"
    if isinstance(cls, type) and not isinstance(info.type_info(cls), info.CustomType):
        return (
            "would never be asked: such objects are JSON, or dataclasses or the like, "
            "and travel as they are"
        )
    return None
