"""Rules for the roles that may call a method."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pycom_core import AccessDenied, Identity, hookimpl, logger

if TYPE_CHECKING:
    from pycom_core import Interface, Method

#: `*`, `?` and `[seq]`, as fnmatch reads them.
_WILDCARD = re.compile(r"\*|\?|\[!?\]?[^\]]*\]")


class Rule:
    """One line of the rules."""

    __slots__ = ("_matches", "rank", "roles")

    def __init__(self, pattern: str, roles: Iterable[str]) -> None:
        self.roles = frozenset(roles)
        self._matches = re.compile(fnmatch.translate(pattern)).match
        literals, wildcards = _WILDCARD.subn("", pattern)
        #: The higher, the more specific: more literal characters, then fewer
        #: wildcards.
        self.rank = len(literals), -wildcards

    def applies_to(self, interface: str, method: str) -> bool:
        """Tell whether the pattern matches the interface, or the method as `interface.method`."""
        return bool(self._matches(interface) or self._matches(f"{interface}.{method}"))


class RoleAuthorization:
    """A plugin that lets a call pass if its caller has a role that the most specific rule names.

    All of several equally specific rules must be satisfied. Calls that no rule matches are free.
    """

    def __init__(self, rules: Mapping[str, Iterable[str]], policy: str | None) -> None:
        self._rules = [Rule(pattern, roles) for pattern, roles in rules.items()]
        self._policy = policy
        # Bounded: only methods that exist come to be authorized.
        self._decided: dict[tuple[str, str], tuple[frozenset[str], ...]] = {}

    def required(self, interface: str, method: str) -> tuple[frozenset[str], ...]:
        """Return sets of roles; a caller needs one role of each set."""
        decided = self._decided.get((interface, method))
        if decided is None:
            matching = [rule for rule in self._rules if rule.applies_to(interface, method)]
            highest = max((rule.rank for rule in matching), default=None)
            decided = tuple(rule.roles for rule in matching if rule.rank == highest)
            self._decided[interface, method] = decided
        return decided

    @hookimpl
    def pycom_provide(self, iface: Interface) -> None:
        """Warn of methods that nobody can call."""
        if (iface.authentication or self._policy) != "never":
            return
        closed = [name for name in iface.methods if self.required(iface.name, name)]
        if closed:
            logger().warning(
                'Nobody can call %s of %s: authentication is "never", but the rules ask for roles',
                ", ".join(closed),
                iface.name,
            )

    @hookimpl
    def pycom_authorize(self, identity: Identity | None, iface: Interface, method: Method) -> None:
        """Refuse callers without the roles."""
        for roles in self.required(iface.name, method.name):
            if identity is None:
                raise AccessDenied("Authentication required")
            if roles.isdisjoint(identity.roles):
                raise AccessDenied(
                    f"{identity.name} has no role that may call {iface.name}.{method.name}"
                )
