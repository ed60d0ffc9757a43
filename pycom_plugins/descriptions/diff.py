"""Differences between two descriptions of an interface, and their effect on callers.

A change breaks callers if a call that was right is now refused or misunderstood, or if its answer
holds something new. So arguments may accept more than before, and results may give less.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from pycom_plugins.descriptions.description import Description, Method
from pycom_plugins.descriptions.types import ANYTHING, LOWER, OTHER, UPPER, Type, as_json, kind_of

#: Pairs of classes that were compared.
_Seen = set[tuple[str, str]]


@attrs.frozen
class Change:
    """One difference between an old description and a new one."""

    breaking: bool
    method: str
    where: str  #: `args.items[].price`, `result.total`; empty for the method itself
    what: str


@attrs.frozen
class Difference:
    """A difference between two types, and its effect on the values that they allow."""

    where: str
    what: str
    narrows: bool = False
    widens: bool = False


def compare(old: Description, new: Description) -> list[Change]:
    """Return all changes from `old` to `new`, breaking ones first."""
    changes: list[Change] = []
    if old.name != new.name:
        changes.append(Change(True, "", "name", f"{old.name} → {new.name}"))
    for name in sorted({*old.methods, *new.methods}):
        if name not in new.methods:
            changes.append(Change(True, name, "", "removed"))
        elif name not in old.methods:
            changes.append(Change(False, name, "", "added"))
        else:
            changes += _method(name, old.methods[name], new.methods[name])
    return sorted(changes, key=lambda change: not change.breaking)


def _method(name: str, old: Method, new: Method) -> Iterator[Change]:
    yield from (Change(breaking, name, *rest) for breaking, *rest in _arguments(old, new))
    for argument in old.arguments:
        if argument in new.arguments:
            before, after = (side.types.get(argument, ANYTHING) for side in (old, new))
            for found in differences(before, after, f"args.{argument}"):
                yield Change(found.narrows, name, found.where, found.what)
    if old.attachments.outgoing != new.attachments.outgoing:
        yield Change(True, name, "result", f"attachment {_change(old, new, 'outgoing')}")
    if old.results != new.results:
        # A proxy gives several results as a tuple: their number and order count.
        names = [", ".join(side.results) or "unnamed" for side in (old, new)]
        yield Change(True, name, "result", " → ".join(names))
    else:
        for found in differences(old.result, new.result, "result"):
            yield Change(found.widens, name, found.where, found.what)


def _arguments(old: Method, new: Method) -> Iterator[tuple[bool, str, str]]:
    """Yield (breaks, place, change) for each argument that comes, goes or becomes required."""
    for name in old.arguments:
        where = f"args.{name}"
        if name not in new.arguments:
            yield True, where, "removed"
        elif (name in new.required_arguments) != (name in old.required_arguments):
            is_required = name in new.required_arguments
            yield is_required, where, "now required" if is_required else "now optional"
    for name in new.arguments:
        if name not in old.arguments:
            is_required = name in new.required_arguments
            yield is_required, f"args.{name}", f"added{', required' if is_required else ''}"
    kept = set(old.required_arguments) & set(new.required_arguments)
    before, after = (
        [name for name in side.required_arguments if name in kept] for side in (old, new)
    )
    if before != after:  # they may be given by position
        yield True, "args", f"order {', '.join(before)} → {', '.join(after)}"
    moved = {old.attachments.incoming, new.attachments.incoming}
    if len(moved) > 1 and moved & set(old.arguments):
        yield True, "args", f"attachment {_change(old, new, 'incoming')}"


def _change(old: Method, new: Method, side: str) -> str:
    before, after = (getattr(one.attachments, side) or "none" for one in (old, new))
    return f"{before} → {after}"


def differences(old: Type, new: Type, where: str) -> Iterator[Difference]:
    """Yield the differences between two types, those of a class only where it first occurs."""
    return _differences(old, new, where, set())


def _differences(old: Type, new: Type, where: str, seen: _Seen) -> Iterator[Difference]:
    if {"default"} <= old.schema.keys() & new.schema.keys():
        defaults = as_json(old.schema["default"]), as_json(new.schema["default"])
        if defaults[0] != defaults[1]:
            yield Difference(where, f"default {' → '.join(defaults)}")
    before, after = _by_kind(old, new)
    narrows, widens = bool(after), bool(before)
    if before and after:
        narrows = any(_partner(kind, after) is None for kind in before)
        widens = any(_partner(kind, before) is None for kind in after)
    if narrows or widens:
        yield Difference(where, f"{old} → {new}", narrows, widens)
    for one, other in _pairs(before, after):
        classes = (one.reference, other.reference)
        if classes not in seen:
            if all(classes):
                seen.add(classes)
            yield from _of_one_kind(one.resolved(), other.resolved(), where, seen)


def _by_kind(*types: Type) -> list[dict[str, Type]]:
    """Return the alternatives of types by their distinction in JSON; empty: it may be anything."""
    found: list[dict[str, Type]] = []
    several = any(
        sum("object" in one.resolved().kinds for one in type_.alternatives) > 1 for type_ in types
    )
    for type_ in types:
        parts: dict[str, Type] = {}
        alternatives = type_.alternatives
        for alternative in alternatives:
            for kind, part in _parts(alternative):
                tag = _tag(part.resolved()) if several and kind == "object" else ""
                while kind + tag in parts:
                    tag += "'"
                parts[kind + tag] = part
        anything = any(not one.resolved().kinds for one in alternatives)
        found.append({} if anything else parts)
    return found


def _parts(type_: Type) -> Iterator[tuple[str, Type]]:
    resolved = type_.resolved()
    for kind in resolved.kinds:
        if len(resolved.kinds) == 1:
            yield kind, type_
        else:
            values = [value for value in resolved.values or () if kind_of(value) == kind]
            yield kind, resolved.inner({"type": kind, **({"enum": values} if values else {})})


def _tag(type_: Type) -> str:
    """Return the value that tells objects of this class from those of others, if any."""
    for name in type_.required:
        values = type_.properties[name].values
        if values is not None and len(values) == 1:
            return as_json(values[0])
    return ""


def _partner(kind: str, kinds: Mapping[str, Type]) -> Type | None:
    """Return the type that takes the values of a kind, or None."""
    return kinds.get(kind) or (kinds.get("number") if kind == "integer" else None)


def _pairs(before: Mapping[str, Type], after: Mapping[str, Type]) -> Iterator[tuple[Type, Type]]:
    other_number = {"integer": "number", "number": "integer"}
    for kind, type_ in before.items():
        other = other_number.get(kind, "")
        if kind in after:
            yield type_, after[kind]
        elif other in after and other not in before:
            yield type_, after[other]


def _of_one_kind(old: Type, new: Type, where: str, seen: _Seen) -> Iterator[Difference]:
    yield from _values(old, new, where)
    yield from _limits(old, new, where)
    for index in range(max(len(old.first_items), len(new.first_items))):
        one, other = (
            side.first_items[index] if index < len(side.first_items) else side.items
            for side in (old, new)
        )
        yield from _differences(one, other, f"{where}[{index}]", seen)
    if not old.first_items and not new.first_items:
        yield from _differences(old.items, new.items, f"{where}[]", seen)
    for name in {**old.properties, **new.properties}:
        yield from _property(old, new, name, f"{where}.{name}", seen)
    if old.is_closed != new.is_closed:
        what = "unknown properties refused" if new.is_closed else "unknown properties allowed"
        yield Difference(where, what, new.is_closed, old.is_closed)
    else:
        yield from _differences(old.extras, new.extras, f"{where}[...]", seen)


def _values(old: Type, new: Type, where: str) -> Iterator[Difference]:
    if old.values is None and new.values is None:
        return
    if old.values is None or new.values is None:
        narrows = old.values is None
        yield Difference(where, f"{old.bare()} → {new.bare()}", narrows, not narrows)
        return
    before, after = ([as_json(value) for value in side.values or ()] for side in (old, new))
    for value in before:
        if value not in after:
            yield Difference(where, f"{value} removed", narrows=True)
    for value in after:
        if value not in before:
            yield Difference(where, f"{value} added", widens=True)


def _limits(old: Type, new: Type, where: str) -> Iterator[Difference]:
    for key in (*LOWER, *UPPER, *OTHER):
        before, after = old.schema.get(key), new.schema.get(key)
        if before == after:
            continue
        narrows, widens = after is not None, before is not None
        if (
            key not in OTHER
            and isinstance(before, (int, float))
            and isinstance(after, (int, float))
        ):
            narrows = (before < after) == (key in LOWER)
            widens = not narrows
        shown = ("none" if value is None else as_json(value) for value in (before, after))
        what = f"{key} {' → '.join(shown)}"
        if key in ("format", "contentEncoding", "uniqueItems"):
            what = f"{old} → {new}"
        yield Difference(where, what, narrows, widens)


def _property(old: Type, new: Type, name: str, where: str, seen: _Seen) -> Iterator[Difference]:
    if name not in new.properties:
        # Senders of it are ignored from now on, and readers find nothing.
        yield Difference(where, "removed", narrows=True, widens=True)
    elif name not in old.properties:
        is_required = name in new.required
        what = "added, required" if is_required else "added"
        yield Difference(where, what, narrows=is_required)
    else:
        if (name in old.required) != (name in new.required):
            narrows = name in new.required
            what = "now required" if narrows else "now optional"
            yield Difference(where, what, narrows, not narrows)
        yield from _differences(old.properties[name], new.properties[name], where, seen)
