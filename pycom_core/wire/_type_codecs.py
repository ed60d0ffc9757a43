"""Types of plugins: the JSON that is sent in place of their objects."""

from __future__ import annotations

import uuid
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_origin

import msgspec
from msgspec import inspect as info

from pycom_core.errors import PluginError, PluginFailed
from pycom_core.loops._failures import is_failure
from pycom_core.plugins import _fitness as fitness
from pycom_core.wire import _jsonable as jsonable

#: The types of most results of codecs.
_PLAIN = (type(None), bool, int, float, str, list, dict)
#: msgspec encodes objects of subclasses too, though it does not decode them.
_ENCODED = (list, tuple, dict, set, frozenset, uuid.UUID)
_Number = int | float
_Size = Annotated[int, msgspec.Meta(ge=0)]


class TypeCodec(ABC):
    """The JSON form of the objects of a class, and of its subclasses (`pycom_types`)."""

    @abstractmethod
    def decode(self, cls: Any, value: Any) -> Any:
        """Make an object of `cls` of a JSON value.

        Raises ValueError or TypeError for an unfit value. The caller gets the text of the error,
        after the place of the value; a text such as `.items[3].price: too much` continues the
        place.
        """

    @abstractmethod
    def encode(self, value: Any) -> Any:
        """Make a JSON value of an object."""

    def schema(self, cls: Any, result: bool) -> Mapping[str, Any]:
        """Return the JSON Schema of the JSON for `cls`, as an argument or as a `result`.

        It may have `$defs`, and refer to them as `#/$defs/NAME`. The empty schema allows anything.
        """
        return {}


class TypeCodecs:
    """The codecs that the plugins of one runtime contribute, collected on first use.

    `complaint` words what is wrong with the plugin that contributes a class.
    """

    def __init__(
        self,
        contributed: Callable[[], Mapping[type, TypeCodec]],
        complaint: Callable[[type, str], str],
    ) -> None:
        self._contributed, self._complaint = contributed, complaint
        #: Encodes values of plugins' types, and values that need no plugin.
        self.encoder = msgspec.json.Encoder(enc_hook=self.encode)
        self.forget()

    def forget(self) -> None:
        """Forget the codecs, because plugins have come or gone."""
        #: By class: the class that is contributed, itself or a base, and its codec.
        self._found: weakref.WeakKeyDictionary[type, tuple[type, TypeCodec] | None]
        self._found = weakref.WeakKeyDictionary()

    def knows(self, cls: Any) -> bool:
        """Tell whether there is a codec for a class or a base of it. Raises `PluginError`."""
        return self._find(cls) is not None

    def schema(self, cls: Any, result: bool) -> Mapping[str, Any]:
        """Return the schema that the codec of a known class gives for it, as JSON.

        Raises `PluginError` if the codec fails, or if the result is not a schema.
        """
        base, codec = self._known(cls)
        try:
            found = codec.schema(cls, result)
        except BaseException as error:
            raise PluginError(self._failure(base, "describe", cls, error)) from error
        try:
            written = jsonable.ENCODER.encode(found)
            msgspec.json.decode(written, type=_Schema)
            schema: Mapping[str, Any] = msgspec.json.decode(written)
        except (TypeError, ValueError, RecursionError) as error:
            what = f"described {jsonable.type_name(cls)} by {found!r:.200}, which is no JSON Schema"
            raise PluginError(self._complaint(base, f"{what}: {error}")) from error
        return schema

    def decode(self, cls: Any, value: Any) -> Any:
        """Decode a JSON value with the codec of a known class.

        Raises ValueError or TypeError for an unfit value; an error of arithmetic counts as such.
        Raises `PluginFailed` for any other exception, and for a result that is no object of the
        class.
        """
        base, codec = self._known(cls)
        try:
            found = codec.decode(cls, value)
        except (ValueError, TypeError):
            raise
        except ArithmeticError as error:
            raise ValueError(str(error)) from error
        except BaseException as error:
            raise PluginFailed(self._failure(base, "decode", cls, error)) from error
        if not isinstance(found, get_origin(cls) or cls):
            what = f"made {found!r:.100} of a JSON value, where decode must give an object of"
            raise PluginFailed(self._complaint(base, f"{what} {jsonable.type_name(cls)}"))
        return found

    def encode(self, value: Any) -> Any:
        """Return the JSON substitute of an object that msgspec does not know.

        Raises TypeError if there is none, and `PluginFailed`.
        """
        cls = type(value)
        if value is None or cls is bool or not self.knows(cls):
            return jsonable.substitute(value)
        base, codec = self._known(cls)
        try:
            found = codec.encode(value)
            if type(found) in _PLAIN:
                return found
            if found is value:
                raise TypeError("it gave the object itself")
            # msgspec would ask for it next, but only here the codec at fault is known.
            return found if _is_known(type(found)) else self.encode(found)
        except PluginFailed:  # of another codec
            raise
        except BaseException as error:
            raise PluginFailed(self._failure(base, "encode", cls, error)) from error

    def _failure(self, base: type, verb: str, cls: Any, error: BaseException) -> str:
        """Say how a codec failed. Raises `error` itself if it is not a failure of the codec."""
        if not is_failure(error):
            raise error
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
    """Say what is wrong with a contributed codec, as the end of a sentence; None: nothing."""
    wrong = fitness.wrong_object(codec, TypeCodec)
    if wrong is None and isinstance(cls, type) and _is_known(cls):
        return (
            "would never be asked: such objects are JSON, or dataclasses or the like, "
            "and travel as they are"
        )
    return wrong


def _is_known(cls: type) -> bool:
    """Tell whether msgspec encodes the objects of a class without a plugin."""
    return issubclass(cls, _ENCODED) or not isinstance(info.type_info(cls), info.CustomType)


class _Schema(msgspec.Struct):
    """The types of the keywords of a JSON Schema that are checked."""

    ref: str = msgspec.field(name="$ref", default="")
    defs: dict[str, _Schema] = msgspec.field(name="$defs", default_factory=dict)
    title: str = ""
    description: str = ""
    type: str | list[str] = ""
    enum: list[Any] = msgspec.field(default_factory=list)
    anyOf: list[_Schema] = msgspec.field(default_factory=list)
    oneOf: list[_Schema] = msgspec.field(default_factory=list)
    allOf: list[_Schema] = msgspec.field(default_factory=list)
    format: str = ""
    contentEncoding: str = ""
    pattern: str = ""
    minLength: _Size = 0
    maxLength: _Size = 0
    minimum: _Number = 0
    maximum: _Number = 0
    exclusiveMinimum: _Number = 0
    exclusiveMaximum: _Number = 0
    multipleOf: Annotated[int, msgspec.Meta(gt=0)] | Annotated[float, msgspec.Meta(gt=0)] = 1
    items: _Schema | bool = True
    prefixItems: list[_Schema] = msgspec.field(default_factory=list)
    minItems: _Size = 0
    maxItems: _Size = 0
    uniqueItems: bool = False
    properties: dict[str, _Schema | bool] = msgspec.field(default_factory=dict)
    required: list[str] = msgspec.field(default_factory=list)
    additionalProperties: _Schema | bool = True
    propertyNames: _Schema | bool = True
    minProperties: _Size = 0
    maxProperties: _Size = 0
