"""JSON Schemas of types, written from msgspec's information on them.

msgspec writes schemas too, but describes a time that may lack its zone as a mere "string".
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

import attrs
import msgspec
from msgspec import inspect as info

from pycom_core import PycomError, TypeCodecs

Schema = dict[str, Any]

_REFERENCE = "#/$defs/"
#: Types with a fixed schema.
_PLAIN: dict[type[info.Type], Schema] = {
    info.AnyType: {},
    info.RawType: {},
    info.NoneType: {"type": "null"},
    info.BoolType: {"type": "boolean"},
    info.DateTimeType: {"type": "string", "format": "date-time"},
    info.DateType: {"type": "string", "format": "date"},
    info.TimeType: {"type": "string", "format": "time"},
    info.TimeDeltaType: {"type": "string", "format": "duration"},
    info.UUIDType: {"type": "string", "format": "uuid"},
    info.DecimalType: {"type": "string", "format": "decimal"},
    info.BytesType: {"type": "string", "contentEncoding": "base64"},
    info.ByteArrayType: {"type": "string", "contentEncoding": "base64"},
    info.MemoryViewType: {"type": "string", "contentEncoding": "base64"},
}
#: The text forms of numbers as keys.
_INTEGER = {"pattern": r"^-?[0-9]+$"}
_FLOAT = {"pattern": r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$"}
#: The text forms of times with a zone, and of those without.
_ZONES: dict[Any, Schema] = {
    True: {"pattern": "(Z|[-+][0-9:]+)$"},
    False: {"pattern": "^([0-9-]+T)?[0-9:.]+$"},
}
_OF_NUMBER = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
_OF_TEXT = {"min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"}
_OF_ARRAY = {"min_length": "minItems", "max_length": "maxItems"}
_OF_DICT = {"min_length": "minProperties", "max_length": "maxProperties"}


class Schemas:
    """The schemas of the types of one interface, in which each class has one name.

    In `results` a field with its default is present too; in arguments it may be left out.
    `types` describes the classes that plugins know.
    """

    def __init__(self, types: TypeCodecs, results: bool = False) -> None:
        self._types, self._of_results = types, results
        self._names: dict[Any, str] = {}
        self._definitions: dict[str, Schema] = {}
        self.has_foreign = False  #: True once a class was met that only a plugin knows

    def of(self, type_: Any) -> Schema:
        """Return the schema of a type, without definitions. Raises TypeError if JSON has none."""
        before = dict(self._names), dict(self._definitions)
        try:
            return self._schema(info.type_info(type_))
        except BaseException:
            self._names, self._definitions = before  # without classes of which a part is missing
            raise

    @property
    def classes(self) -> list[Any]:
        """The classes that have been met."""
        return list(self._names)

    def complete(self, schema: Schema) -> Schema:
        """Return the schema, with the definitions that it needs."""
        needed: dict[str, Schema] = {}
        self._find_definitions(schema, needed)
        return {**schema, "$defs": needed} if needed else schema

    def _find_definitions(self, value: Any, needed: dict[str, Schema]) -> None:
        if isinstance(value, list):
            for inner in value:
                self._find_definitions(inner, needed)
        elif isinstance(value, dict):
            name = referred(value)
            if name in self._definitions and name not in needed:
                needed[name] = self._definitions[name]
                self._find_definitions(needed[name], needed)
            self._find_definitions(list(value.values()), needed)

    def _schema(self, type_: info.Type) -> Schema:
        extra: Schema = {}
        while isinstance(type_, info.Metadata):
            extra = {**(type_.extra_json_schema or {}), **extra}
            type_ = type_.type
        return {**self._bare(type_), **extra}

    def _bare(self, type_: info.Type) -> Schema:
        if type(type_) in _PLAIN:
            return {**_PLAIN[type(type_)], **_ZONES.get(getattr(type_, "tz", None), {})}
        match type_:
            case info.IntType() | info.FloatType():
                kind = "integer" if isinstance(type_, info.IntType) else "number"
                return {"type": kind, **_limits(type_, _OF_NUMBER)}
            case info.StrType():
                return {"type": "string", **_limits(type_, _OF_TEXT)}
            case info.LiteralType():
                return {"enum": sorted(type_.values, key=repr)}
            case info.UnionType():
                return {"anyOf": [self._schema(member) for member in type_.types]}
            case info.CollectionType():
                unique = isinstance(type_, (info.SetType, info.FrozenSetType))
                return {
                    "type": "array",
                    "items": self._schema(type_.item_type),
                    **({"uniqueItems": True} if unique else {}),
                    **_limits(type_, _OF_ARRAY),
                }
            case info.TupleType():
                return _tuple([self._schema(item) for item in type_.item_types])
            case info.DictType():
                keys = self._keys(type_.key_type)
                return {
                    "type": "object",
                    **({"propertyNames": keys} if keys else {}),
                    "additionalProperties": self._schema(type_.value_type),
                    **_limits(type_, _OF_DICT),
                }
            case info.EnumType():
                return self._named(type_.cls, lambda: {"enum": [one.value for one in type_.cls]})
            case info.NamedTupleType():
                return self._named(type_.cls, lambda: self._array(type_))
            case info.StructType() if type_.array_like:
                return self._named(type_.cls, lambda: self._array(type_))
            case info.StructType() | info.DataclassType() | info.TypedDictType():
                return self._named(type_.cls, lambda: self._object(type_))
            case info.CustomType() if self._types.knows(type_.cls):
                return self._foreign(type_.cls)
        raise TypeError(
            f"{getattr(type_, 'cls', type_)!r} is nothing that JSON knows, nor a plugin"
        )

    def _keys(self, type_: info.Type) -> Schema:
        """Return the schema for the keys of a dict, which are texts; empty if any text will do."""
        match type_:
            case info.Metadata():
                return self._keys(type_.type)
            case info.StrType():
                return _limits(type_, _OF_TEXT)
            case info.IntType():
                return _INTEGER
            case info.FloatType():
                return _FLOAT
            case info.LiteralType():
                return {"enum": sorted(map(str, type_.values))}
            case info.EnumType():
                return {"enum": [str(one.value) for one in type_.cls]}
            case info.UnionType():
                members = list(map(self._keys, type_.types))
                return {"anyOf": members} if all(members) else {}
        schema = self._bare(type_)
        return schema if schema.get("type") == "string" else {}

    def _named(self, cls: Any, describe: Callable[[], Schema]) -> Schema:
        """Return a reference to the definition of a class, which may refer to itself."""
        if cls not in self._names:
            title = _title(cls)
            name = self._names[cls] = self._free_name(title)
            self._definitions[name] = {"title": title, **_description(cls), **describe()}
        return {"$ref": _REFERENCE + self._names[cls]}

    def _free_name(self, title: str) -> str:
        """Return a new name for a definition, and reserve it."""
        name = plain = re.sub(r"\W+", "_", title).strip("_")
        for number in itertools.count(2):
            if name not in self._definitions:
                break
            name = f"{plain}_{number}"
        self._definitions[name] = {}
        return name

    def _foreign(self, cls: Any) -> Schema:
        """Return a reference to a plugin's schema of a class, and add its definitions."""
        self.has_foreign = True
        if cls not in self._names:
            schema = {**self._types.schema(cls, self._of_results)}
            definitions = schema.pop("$defs", {})
            names = {name: self._name_for(name, definitions[name]) for name in definitions}
            for name, definition in definitions.items():
                self._definitions[names[name]] = _renamed(definition, names)
            schema = _renamed(schema, names)
            if schema.keys() == {"$ref"}:
                self._names[cls] = schema["$ref"].removeprefix(_REFERENCE)  # one of those
            else:
                schema = {"title": _title(cls), **_description(cls), **schema}
                name = self._names[cls] = self._name_for(schema["title"], schema)
                self._definitions[name] = schema
        return {"$ref": _REFERENCE + self._names[cls]}

    def _name_for(self, title: str, schema: Schema) -> str:
        """Return the name of an existing equal definition, or a free one."""
        return title if self._definitions.get(title) == schema else self._free_name(title)

    def _object(self, type_: info.StructType | info.DataclassType | info.TypedDictType) -> Schema:
        fields = [field for field in type_.fields if not self._is_hidden(type_, field)]
        properties = {field.encode_name: self._field(field) for field in fields}
        required = [field.encode_name for field in fields if self._is_there(type_, field)]
        schema: Schema = {"type": "object", "properties": properties, "required": required}
        if isinstance(type_, info.StructType):
            if type_.tag_field is not None:
                schema["properties"] = {type_.tag_field: {"enum": [type_.tag]}, **properties}
                schema["required"] = [type_.tag_field, *required]
            if type_.forbid_unknown_fields:
                schema["additionalProperties"] = False
        return schema

    def _array(self, type_: info.StructType | info.NamedTupleType) -> Schema:
        items = [self._field(field) for field in type_.fields]
        optional = sum(not self._is_there(type_, field) for field in type_.fields)
        if isinstance(type_, info.StructType) and type_.tag_field is not None:
            items.insert(0, {"enum": [type_.tag]})
        return _tuple(items, optional)

    def _is_hidden(self, type_: info.Type, field: info.Field) -> bool:
        if not self._of_results or not isinstance(type_, info.DataclassType):
            return False
        return field.name.startswith("_") and attrs.has(get_origin(type_.cls) or type_.cls)

    def _is_there(self, type_: info.Type, field: info.Field) -> bool:
        if field.required or not self._of_results or isinstance(type_, info.TypedDictType):
            return field.required
        if isinstance(type_, info.StructType) and type_.cls.__struct_config__.omit_defaults:
            return False
        # Without either its default is UNSET, and then it is left out.
        return not (field.default is field.default_factory is msgspec.NODEFAULT)

    def _field(self, field: info.Field) -> Schema:
        return {**self._schema(field.type), **self.default(field.default)}

    def default(self, value: Any) -> Schema:
        """Return the schema's entry for a default; empty if neither JSON nor a plugin knows it."""
        if value is msgspec.NODEFAULT:
            return {}
        try:
            known = msgspec.to_builtins(value, str_keys=True, enc_hook=self._types.encode)
        except (TypeError, ValueError, PycomError):
            return {}
        return {"default": known}


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    """Return a schema with its references renamed like their definitions."""
    if isinstance(schema, list):
        return [_renamed(inner, names) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _renamed(inner, names) for key, inner in schema.items()}
    if name := referred(schema):
        changed["$ref"] = _REFERENCE + names.get(name, name)
    return changed


def referred(schema: Schema) -> str:
    """Return the name of the definition that a schema refers to, or nothing."""
    target = schema.get("$ref")
    if isinstance(target, str) and target.startswith(_REFERENCE):
        return target.removeprefix(_REFERENCE)
    return ""


def _tuple(items: list[Schema], optional: int = 0) -> Schema:
    return {
        "type": "array",
        "prefixItems": items,
        "minItems": len(items) - optional,
        "maxItems": len(items),
    }


def _limits(type_: info.Type, names: Mapping[str, str]) -> Schema:
    limits = {name: getattr(type_, attribute) for attribute, name in names.items()}
    return {name: value for name, value in limits.items() if value is not None}


def _title(cls: Any) -> str:
    arguments = ", ".join(map(_title, get_args(cls)))
    name: str = getattr(get_origin(cls) or cls, "__name__", str(cls))
    return f"{name}[{arguments}]" if arguments else name


def _description(cls: Any) -> Schema:
    """Return the docstring of a class, if it was written by hand."""
    text = inspect.cleandoc(vars(get_origin(cls) or cls).get("__doc__") or "")
    written = text and not text.startswith((f"{cls.__name__}(", "An enumeration."))
    return {"description": text} if written else {}
