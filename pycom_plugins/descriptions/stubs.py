"""Typed clients, written from descriptions of interfaces.

A description is untrusted, and code is made of it. So every name in it becomes an identifier, and
every text a literal, before it is written.
"""

from __future__ import annotations

import inspect
import keyword
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pycom_core import constants
from pycom_plugins.descriptions.description import Description, Method
from pycom_plugins.descriptions.types import ANYTHING, WORDS, Type, as_json

_HEADER = """\
# Written by `pycom stubs`: what is changed here is lost when it is written again.
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from msgspec import UNSET, UnsetType

if TYPE_CHECKING:
    import builtins
    from typing import TypeAlias

    from typing_extensions import NotRequired

    from pycom import BaseComponent
    from pycom_core import AsyncComponent
"""

_FOOTER = '''\


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not UNSET}


def _pair(answer: Any) -> Any:
    """Result and attachment, also where no attachment came back."""
    return answer if isinstance(answer, tuple) else (answer, None)
'''

#: The names that the file itself defines; nothing else may have them.
_OURS = frozenset(
    re.findall(r"\w+", "annotations TYPE_CHECKING Any Literal TypedDict cast UNSET UnsetType")
    + re.findall(r"\w+", "builtins TypeAlias NotRequired BaseComponent AsyncComponent")
    + re.findall(r"\w+", "INTERFACE Attachment isinstance self _component _call _given _pair")
)
_WIDTH = 100


def write(description: Description) -> str:
    """The source of a module with a client of the interface, and one for asyncio."""
    return _Module(description).source()


class _Module:
    def __init__(self, description: Description) -> None:
        self._description = description
        self._methods = {
            name: method
            for name, method in sorted(description.methods.items())
            if name != constants.GENERIC_METHOD_INTROSPECT
        }
        self._names = _identifiers(self._methods)
        self._arguments = {
            name: _identifiers(method.arguments) for name, method in self._methods.items()
        }
        #: Names of methods, arguments and fields, which hide names of types within their scope.
        self._hiding = {*self._names.values()}
        for name, method in self._methods.items():
            self._hiding.update(self._arguments[name].values())
            if method.schema is not None:
                schemas = [method.schema.arguments, method.schema.result]
                self._hiding.update(_property_names(schemas))
        self._taken = {*_OURS, *WORDS.values(), *self._hiding}
        self._classes: dict[tuple[str, str], str] = {}
        self._blocks: list[str] = []

    def source(self) -> str:
        """The whole module."""
        for remote, method in self._methods.items():
            for argument in method.arguments:  # whose classes serve for results too
                self._argument(remote, method, argument)
        last = self._description.name.rpartition(".")[2]
        client = self._class_name(f"{_capitals(last)}Client")
        clients = [
            self._client(client, "BaseComponent", ""),
            self._client(self._class_name(f"Async{client}"), "AsyncComponent", "await "),
        ]
        parts = [
            _docstring(f"A client of {self._description.name}.", "") + "\n",
            _HEADER,
            f"INTERFACE = {_literal(self._description.name)}",
            'Attachment: TypeAlias = "bytes | bytearray | memoryview"\n',
            *(f"\n{block}\n" for block in [*self._blocks, *clients]),
        ]
        return "\n".join(parts) + _FOOTER

    # Clients.

    def _client(self, name: str, component: str, wait: str) -> str:
        define = "async def" if wait else "def"
        lines = [
            f"class {name}:",
            _docstring(self._description.docstring or f"A client of {self._description.name}."),
            "",
            f"    def __init__(self, component: {component}) -> None:",
            "        self._component = component",
        ]
        for remote, method in self._methods.items():
            lines += ["", *self._method(remote, method, define, wait)]
        return "\n".join(lines)

    def _method(self, remote: str, method: Method, define: str, wait: str) -> Iterator[str]:
        names = self._arguments[remote]
        parameters, result = list(self._parameters(remote, method)), self._result(remote, method)
        yield _call(f"    {define} {self._names[remote]}", parameters, f" -> {result}:")
        if method.docstring:
            yield _docstring(method.docstring, " " * 8)
        incoming = method.attachments.incoming
        items = [
            f"{_literal(argument)}: {names[argument]}"
            for argument in method.arguments
            if argument != incoming
        ]
        if method.takes_more:
            items.append(f"**{_others(names)}")
        given = ", ".join(items)
        attachment = f", attachment={names[incoming]}" if incoming in names else ""
        call = f"{wait}self._component.invoke({_literal(remote)}, _given({{{given}}}){attachment})"
        if method.attachments.outgoing is not None:
            call = f"_pair({call})"
        if result == "None":
            yield f"        {call}"
        elif result == "Any":
            yield f"        return {call}"
        else:
            yield _call("        return cast", [_literal(result), call])

    def _parameters(self, remote: str, method: Method) -> Iterator[str]:
        names = self._arguments[remote]
        yield "self"
        for argument in method.required_arguments:
            yield f"{names[argument]}: {self._argument(remote, method, argument)}"
        if method.optional_arguments:
            yield "*"
        for argument in method.optional_arguments:
            type_ = self._argument(remote, method, argument)
            if argument == method.attachments.incoming:
                yield f"{names[argument]}: {type_} | None = None"
            else:
                yield f"{names[argument]}: {type_} | UnsetType = UNSET"
        if method.takes_more:
            yield f"**{_others(names)}: Any"

    def _argument(self, remote: str, method: Method, argument: str) -> str:
        if argument == method.attachments.incoming:
            return "Attachment"
        hint = _capitals(remote) + _capitals(argument)
        return self._annotation(method.types.get(argument, ANYTHING), hint)

    def _result(self, remote: str, method: Method) -> str:
        if method.results and method.schema is None:
            result = f"{self._builtin('dict')}[{self._builtin('str')}, Any]"
        else:
            result = self._annotation(method.result, f"{_capitals(remote)}Result")
        if method.attachments.outgoing is not None:
            return f"{self._builtin('tuple')}[{result}, Attachment | None]"
        return result

    # Types.

    def _annotation(self, type_: Type, hint: str) -> str:
        """Return the text of a type; `hint` is a name for it if it needs one and has none."""
        if type_.reference:
            return self._class(type_.resolved(), type_.title or type_.reference)
        members = type_.alternatives
        if len(members) > 1:
            return _union(self._annotation(member, hint) for member in members)
        values = type_.values or ()
        if values and all(isinstance(one, (str, int, type(None))) for one in values):
            return f"Literal[{', '.join(map(_literal, values))}]"
        return _union(self._of_kind(kind, type_, hint) for kind in type_.kinds) or "Any"

    def _of_kind(self, kind: str, type_: Type, hint: str) -> str:
        if kind == "object" and type_.properties:
            return self._class(type_, hint)
        name = WORDS.get(kind)
        if name is None:
            return "Any"
        if kind == "object":
            extras = self._annotation(type_.extras, hint)
            return f"{self._builtin(name)}[{self._builtin('str')}, {extras}]"
        if kind == "array":
            # What was a tuple there comes as a list.
            items = type_.first_items or [type_.items]
            return f"{self._builtin(name)}[{_union(self._annotation(one, hint) for one in items)}]"
        return name if name == "None" else self._builtin(name)

    def _class(self, type_: Type, title: str) -> str:
        """Return the name of a type that has one, and write its definition once."""
        # A field that may be left out of an argument is there in a result.
        same = {key: value for key, value in type_.schema.items() if key != "required"}
        key = (title, as_json(same))
        if key not in self._classes:
            self._classes[key] = name = self._class_name(_capitals(title))
            place = len(self._blocks)
            self._blocks.append("")
            self._blocks[place] = self._definition(name, type_)
        return self._classes[key]

    def _definition(self, name: str, type_: Type) -> str:
        if type_.kinds != ["object"] or not type_.properties:
            plain = Type({**type_.schema, "$ref": None}, type_.definitions)
            return f"{name}: TypeAlias = {_literal(self._annotation(plain, name))}"
        fields = {
            field: annotation if field in type_.required else f"NotRequired[{annotation}]"
            for field, inner in type_.properties.items()
            for annotation in [self._annotation(inner, name + _capitals(field))]
        }
        if all(field == _identifier(field, set(_OURS)) for field in fields):
            lines = [f"class {name}(TypedDict):"]
            if type_.description:
                lines += [_docstring(type_.description), ""]
            return "\n".join([*lines, *(f"    {field}: {text}" for field, text in fields.items())])
        items = [f"    {_literal(field)}: {_literal(text)}," for field, text in fields.items()]
        return "\n".join([f"{name} = TypedDict({_literal(name)}, {{", *items, "})"])

    def _class_name(self, wanted: str) -> str:
        return _identifier(wanted, self._taken)

    def _builtin(self, name: str) -> str:
        return f"builtins.{name}" if name in self._hiding else name


def _property_names(schema: Any) -> Iterator[str]:
    inner = schema.values() if isinstance(schema, dict) else schema
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
        yield from schema["properties"]
    for value in inner:
        if isinstance(value, (dict, list)):
            yield from _property_names(value)


def _call(head: str, arguments: list[str], tail: str = "") -> str:
    """Return the text of a call or a signature, on one line if it fits."""
    line = f"{head}({', '.join(arguments)}){tail}"
    if len(line) <= _WIDTH:
        return line
    indent = " " * (len(head) - len(head.lstrip()))
    return "\n".join(
        [f"{head}(", *(f"{indent}    {one}," for one in arguments), f"{indent}){tail}"]
    )


def _union(members: Iterable[str]) -> str:
    found = list(dict.fromkeys(members))
    return "Any" if "Any" in found else " | ".join(found)


def _capitals(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[\W_]+", text))


def _identifier(name: str, taken: set[str]) -> str:
    """Return a valid identifier that is not taken, and take it."""
    found = re.sub(r"\W", "_", unicodedata.normalize("NFKC", name))
    if not found.isidentifier():
        found = "_" + re.sub(r"[^A-Za-z0-9_]", "_", found)
    if found.startswith("__"):  # which Python would rename within a class
        found = "_" + found.lstrip("_")
    while found in taken or keyword.iskeyword(found):
        found += "_"
    taken.add(found)
    return found


def _others(arguments: Mapping[str, str]) -> str:
    """Return a name for the arguments that have none."""
    return _identifier("kwargs", {*_OURS, *arguments.values()})


def _identifiers(names: Iterable[str]) -> dict[str, str]:
    taken = set(_OURS)
    return {name: _identifier(name, taken) for name in names}


def _literal(value: Any) -> str:
    text = repr(value)
    if isinstance(value, str) and not {'"', "'"} & set(value):
        text = f'"{text[1:-1]}"'
    return text


def _docstring(text: str, indent: str = "    ") -> str:
    """Return any text as a docstring."""
    shown = "".join(map(_printable, inspect.cleandoc(text)))
    if '"""' in shown or shown.endswith('"'):
        shown = shown.replace('"', '\\"')
    lines = f'"""{shown}"""' if "\n" not in shown else f'"""{shown}\n"""'
    return "\n".join(indent + line if line else "" for line in lines.split("\n"))


def _printable(one: str) -> str:
    if one == "\\":
        return one * 2
    if one.isprintable() or one == "\n":
        return one
    # A lone surrogate cannot be encoded as UTF-8.
    return "\ufffd" if "\ud800" <= one <= "\udfff" else one.encode("unicode_escape").decode()
