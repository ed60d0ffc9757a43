"""Remote methods as Python calls: conversion of arguments to requests, and of answers."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from inspect import Signature
from typing import Any

from pycom_core.client._described import Described, methods_in, read
from pycom_core.client._signatures import signature


class Calls:
    """The methods in an answer to `introspect`; each is understood when it is first needed.

    Raises `ServiceNotAvailable` if the data is no such answer.
    """

    def __init__(self, interface: str, introspection: Any) -> None:
        self._interface = interface
        found = methods_in(interface, introspection)
        self._found = {name: one for name, one in found.items() if one is not None}
        self._understood: dict[str, Call] = {}

    def get(self, name: str) -> Call | None:
        """Return the call of a method, or None if there is none. Raises `ServiceNotAvailable`."""
        call = self._understood.get(name)
        if call is None and name in self._found:
            described = read(self._interface, name, self._found[name])
            call = self._understood[name] = Call(described)
        return call

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)


class Call:
    """The call of one remote method."""

    def __init__(self, described: Described) -> None:
        self.described = described
        self._required, self._incoming = described.required, described.incoming
        self._takes = frozenset(described.arguments).issuperset
        self._takes_more = described.takes_more
        #: Turns the result of `invoke` into that of a Python call; None: it stays as it is.
        self.read: Callable[[Any], Any] | None = None
        if described.results or described.outgoing is not None:
            self.read = _reader(described)

    @cached_property
    def signature(self) -> Signature:
        """The signature that `inspect.signature` shows."""
        return signature(self.described)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Move positional arguments to `kwargs`, and return the attachment out of them.

        Raises TypeError as a Python call would.
        """
        required = self._required
        if args:
            if len(args) > len(required):
                raise _too_many(self.described, len(args))
            for name, value in zip(required, args):  # noqa: B905 - it costs, and was checked
                if name in kwargs:
                    raise _mistake(self.described, f"got multiple values for argument {name!r}")
                kwargs[name] = value
        for name in required:
            if name not in kwargs:
                raise _wrong(self.described, kwargs)
        # With no more than what is required there is nothing unexpected.
        if len(kwargs) > len(required) and not (self._takes_more or self._takes(kwargs)):
            raise _wrong(self.described, kwargs)
        return None if self._incoming is None else kwargs.pop(self._incoming, None)


def _reader(method: Described) -> Callable[[Any], Any]:
    results, outgoing = method.results, method.outgoing
    several = _tuple_of(results)

    def read(result: Any) -> Any:
        if isinstance(result, tuple) and outgoing is not None:
            result, attachment = result
            if not isinstance(result, dict):
                return result, attachment
            result[outgoing] = attachment
        elif outgoing in results and isinstance(result, dict):
            result.setdefault(outgoing, None)  # this time the method sent none
        if len(results) > 1:
            return several(*(result[name] for name in results))
        return result[results[0]] if results else result

    return read


@lru_cache(256)
def _tuple_of(names: tuple[str, ...]) -> Any:
    def __reduce__(self: Any) -> tuple[Any, ...]:
        return _results, (names, tuple(self))

    base = namedtuple("Results", names, rename=True)  # type: ignore[misc]
    return type("Results", (base,), {"__slots__": (), "__reduce__": __reduce__})


def _results(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    """Rebuild several results of a call from a pickle."""
    return _tuple_of(names)(*values)


def _wrong(method: Described, kwargs: Mapping[str, Any]) -> TypeError:
    unknown = method.unknown(kwargs)
    if unknown:
        what = f"got an unexpected keyword argument {unknown[0]!r}; it takes {method.takes()}"
        if unknown[0] == "timeout":
            what += f". For a timeout of the call: with_timeout(MS).{method.name}(…)"
        return _mistake(method, what)
    missing = [repr(name) for name in method.required if name not in kwargs]
    plural = "s" if len(missing) > 1 else ""
    return _mistake(method, f"missing required argument{plural} {', '.join(missing)}")


def _too_many(method: Described, given: int) -> TypeError:
    most = len(method.required)
    what = f"takes {most} positional argument{'' if most == 1 else 's'} but {given} "
    what += "was given" if given == 1 else "were given"
    if method.optional:
        what += f"; by keyword it takes {', '.join(method.optional)}"
    return _mistake(method, what)


def _mistake(method: Described, what: str) -> TypeError:
    return TypeError(f"{method.name}() {what}")
