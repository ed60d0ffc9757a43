"""The names of the interfaces of a process, each of which belongs to one class.

A class has its name as long as its module can be imported and has the class where it was made. So
it does not matter when the collector comes, nor which threads declare at the same time: what stands
nowhere yet, or no longer, is in nobody's way.
"""

from __future__ import annotations

import os
import sys
import weakref
from types import FrameType, ModuleType
from typing import Any, Protocol

from pycom_core._libraries import is_of_library


class Origin:
    """The place in a module where a class was decorated."""

    __slots__ = ("_code", "_line")

    def __init__(self, frame: FrameType) -> None:
        self._code, self._line = weakref.ref(frame.f_code), frame.f_lineno

    def is_beside(self, other: Origin) -> bool:
        """Tell whether both are different places of one run through the code of a module."""
        code = self._code()
        return code is not None and code is other._code() and self._line != other._line


class Named(Protocol):
    """An interface: a name, the class that provides it, and where that was decorated."""

    name: str
    wrapped: type
    origin: Origin


_holders: weakref.WeakValueDictionary[str, Named] = weakref.WeakValueDictionary()


def claim(iface: Named) -> None:
    """Make an interface the one of its name.

    Raises RuntimeError if the name belongs to another class, unless that is the same class, loaded
    before, or a base of this one. Classes that are made in functions, or in no module that can be
    imported, may have any name and take none. So may those of PyCOM itself: a program may bring an
    authenticator or a nameserver of its own.
    """
    cls, name = iface.wrapped, iface.name
    if "<locals>" in cls.__qualname__ or _module(cls) is None or is_of_library(cls.__module__):
        return
    holder = _holders.get(name)
    if holder is None or not (iface.origin.is_beside(holder.origin) or _stands(holder, cls)):
        _holders[name] = iface
    elif not any(_is_same(base, holder.wrapped) for base in cls.__mro__[1:]):
        raise RuntimeError(
            f"Interface {name} of {_title(cls)} is provided by {_title(holder.wrapped)} already; "
            "give one of them another name. A double for tests may have the same, if it is derived "
            "from the other class or made in a function"
        )


def _stands(iface: Named, cls: type) -> bool:
    """Tell whether the class is another one, and is still in its module, under its name."""
    if _is_same(cls, iface.wrapped):
        return False
    found: Any = _module(iface.wrapped)
    for part in iface.wrapped.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    return getattr(found, "__interface__", None) is iface


def _is_same(one: type, other: type) -> bool:
    """Tell whether two classes are one, loaded twice: again, or under two names of its module."""
    if one.__qualname__ != other.__qualname__:
        return False
    return one.__module__ == other.__module__ or _file(one) == _file(other) != ""


def _module(cls: type) -> ModuleType | None:
    # What is executed without `__name__` has that of the builtins.
    name = cls.__module__
    return None if name == "builtins" else sys.modules.get(name)


def _file(cls: type) -> str:
    name = getattr(_module(cls), "__file__", None)
    return os.path.realpath(name) if name else ""


def _title(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
