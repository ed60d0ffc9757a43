"""Faults in the arguments of a call, in words for the caller."""

from __future__ import annotations

import re

import msgspec

#: The errors that the conversion of arguments raises for wrong JSON.
FAULTS = (msgspec.ValidationError, ValueError, TypeError, ArithmeticError, RecursionError)

_EXPECTED = re.compile(r"Expected (`.*?`.*?)(?:, got .*)?", re.S)
#: A place within the value of a plugin, as in `.items[3].price: it costs nothing`.
_WITHIN = re.compile(r"[.\[][^\s:]*: ")
_FIELD = re.compile(r"Object (missing required|contains unknown) field `(.*)`", re.S)


def explain(fault: Exception) -> str:
    """Return the place of a fault and the expectation: `args.items[3].price: expected float`.

    msgspec says: Expected `float`, got `str` - at `$.items[3].price`
    """
    if isinstance(fault, RecursionError):
        return "args: nested too deep"
    if isinstance(fault, UnicodeEncodeError):
        return "args: a text holds half a character, a lone surrogate"
    what, _, place = str(fault).rpartition(" - at ")
    if not what:
        what, place = place, "`$`"
    place = place.replace("`", "").replace("$", "args", 1)
    if expected := _EXPECTED.fullmatch(what):
        return f"{place}: expected {expected[1].replace('`', '')}"
    if field := _FIELD.fullmatch(what):
        return f"{place}.{field[2]}: {field[1].rpartition(' ')[2].replace('required', 'missing')}"
    return f"{place}{what}" if _WITHIN.match(what) else f"{place}: {what}"
