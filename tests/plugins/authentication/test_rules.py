"""The choice of the rule that decides, and its decision."""

from __future__ import annotations

import logging

import pytest

import pycom
from pycom_core import AccessDenied, Identity, Request
from pycom_plugins.authentication.rules import RoleAuthorization


@pycom.interface("com.foo.rabbit")
class Rabbit:
    @pycom.method
    def whoami(self, request: Request) -> None:
        """Never called."""


IFACE = Rabbit.__interface__  # type: ignore[attr-defined]
WHOAMI = IFACE.methods["whoami"]


def roles_for(rules: dict[str, str], interface: str, method: str) -> list[str]:
    """The roles that the deciding rules name; in these tests each names one."""
    authorization = RoleAuthorization({key: [role] for key, role in rules.items()}, None)
    return sorted(role for roles in authorization.required(interface, method) for role in roles)


@pytest.mark.parametrize(
    ("pattern", "applies"),
    [
        ("com.foo.rabbit", True),
        ("com.foo.rabbit.whoami", True),
        ("com.foo.rabbit.*", True),
        ("com.foo.*", True),
        ("com.*.whoami", True),
        ("*.whoami", True),
        ("*", True),
        ("com.fo?.rabbit", True),
        ("com.[f-g]oo.rabbit", True),
        ("com.[!f]oo.rabbit", False),
        ("com.foo", False),
        ("com.foo.rabbi", False),
        ("foo.rabbit", False),
        ("com.foo.rabbit.who", False),
        ("whoami", False),
        ("com_foo_rabbit", False),
        ("COM.FOO.RABBIT", False),
        ("", False),
    ],
)
def test_patterns(pattern: str, applies: bool) -> None:
    assert roles_for({pattern: "x"}, "com.foo.rabbit", "whoami") == (["x"] if applies else [])


@pytest.mark.parametrize(
    ("rules", "decides"),
    [
        ({"com.foo.rabbit": "a", "com.foo.rabbit.whoami": "b"}, ["b"]),
        ({"com.foo.rabbit.whoami": "b", "com.foo.rabbit": "a"}, ["b"]),
        ({"*": "a", "com.foo.*": "b"}, ["b"]),
        ({"com.foo.*": "a", "com.foo.rabbit": "b"}, ["b"]),
        ({"com.foo.rabbit": "a", "*.whoami": "b"}, ["a"]),
        ({"com.foo.rabbit.*": "a", "com.foo.rabbit.whoami": "b"}, ["b"]),
        ({"com.foo.rabbit": "a", "com.foo.rabbit*": "b"}, ["a"]),
        ({"com.foo.rabbit": "a", "com.foo.rabbit.*": "b"}, ["b"]),
        ({"com.foo.[q-s]abbit": "a", "com.foo.?abbit": "b"}, ["a", "b"]),
        ({"com.*": "a", "*oami": "b", "*": "c"}, ["a", "b"]),
        ({"com.other": "a"}, []),
    ],
)
def test_the_most_specific_decides(rules: dict[str, str], decides: list[str]) -> None:
    for _ in range(2):  # remembered
        assert roles_for(rules, "com.foo.rabbit", "whoami") == decides


class TestCallers:
    def refused(self, rules: dict[str, list[str]], identity: Identity | None) -> str:
        """Return the message of a caller's refusal; empty if the call may pass."""
        try:
            RoleAuthorization(rules, None).pycom_authorize(identity, IFACE, WHOAMI)
        except AccessDenied as error:
            return str(error)
        return ""

    @pytest.mark.parametrize("roles", [["admin"], ["user"], ["user", "admin"]])
    def test_one_of_the_roles_will_do(self, roles: list[str]) -> None:
        identity = Identity("ann", roles)
        assert not self.refused({"com.foo.rabbit": ["user", "admin"]}, identity)

    @pytest.mark.parametrize("roles", [[], ["user"], ["Admin"], ["admins"]])
    def test_others_will_not(self, roles: list[str]) -> None:
        refused = self.refused({"com.foo.rabbit": ["admin"]}, Identity("ann", roles))
        assert refused == "ann has no role that may call com.foo.rabbit.whoami"

    def test_nobody_is_refused(self) -> None:
        assert self.refused({"com.foo.rabbit": ["admin"]}, None) == "Authentication required"

    def test_no_roles_shut_it_for_all(self) -> None:
        assert self.refused({"com.foo.rabbit": []}, Identity("root", ["admin"]))

    @pytest.mark.parametrize("identity", [None, Identity("ann")])
    def test_without_a_rule_all_may(self, identity: Identity | None) -> None:
        assert not self.refused({"com.other": ["admin"]}, identity)

    @pytest.mark.parametrize(
        ("roles", "passes"), [(["a"], False), (["b"], False), (["a", "b"], True)]
    )
    def test_equal_rules_all_have_to_be_satisfied(self, roles: list[str], passes: bool) -> None:
        rules = {"com.*": ["a"], "*oami": ["b"]}
        assert bool(self.refused(rules, Identity("ann", roles))) is not passes


class TestContradictions:
    @pytest.mark.parametrize(
        ("own", "policy", "warns"),
        [
            ("never", None, True),
            (None, "never", True),
            ("required", "never", False),
            (None, None, False),
        ],
    )
    def test_rules_for_callers_who_are_never_known(
        self,
        own: str | None,
        policy: str | None,
        warns: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        decorate = pycom.interface("com.foo.rabbit", authentication=own)
        iface = decorate(type("Other", (Rabbit,), {})).__interface__
        authorization = RoleAuthorization({"com.foo.*": ["admin"]}, policy)
        with caplog.at_level(logging.WARNING):
            authorization.pycom_provide(iface)
        assert ("Nobody can call whoami of com.foo.rabbit" in caplog.text) is warns
