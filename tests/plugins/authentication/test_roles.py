"""Authorization by role, as a part of a runtime."""

from __future__ import annotations

from typing import Any

import pytest
from in_process import MakeRuntime
from plugins.authentication.world import Open, Stub, World

from pycom_core import AccessDenied, ConfigurationError


def table(**rules: list[str]) -> dict[str, Any]:
    named = {name.replace("__", "."): roles for name, roles in rules.items()}
    return {"authorization_roles": {"rules": named}}


def test_rules_hold(world: World, stub: Stub) -> None:
    stub.answers["t-root"] = {"name": "root", "roles": ["admin"]}
    world.serve(Open, tables=table(com__foo__open=["admin"]))
    assert world.whoami("com.foo.open", "t-root") == ["root", "admin"]
    with pytest.raises(AccessDenied, match=r"^ann has no role that may call com\.foo\.open\.who"):
        world.whoami("com.foo.open", "t-ann")
    with pytest.raises(AccessDenied, match=r"^Authentication required$"):
        world.whoami("com.foo.open")


def test_they_hold_for_who_cannot_be_known(world: World) -> None:
    world.serve(Open, tables=table(com__foo__open=["user"]))
    with pytest.raises(AccessDenied, match=r"^Authentication required$"):
        world.whoami("com.foo.open", "t-ann")


def test_without_rules_there_is_no_hook(make_runtime: MakeRuntime) -> None:
    assert make_runtime().plugins.chains.authorize == ()
    assert make_runtime(tables=table()).plugins.chains.authorize == ()
    runtime = make_runtime(tables=table(com__foo=["user"]))
    assert runtime.plugins.order("pycom_authorize") == ["authorization_roles.rules"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"rule": {}}, r"Unknown setting authorization_roles\.rule; did you mean 'rules'"),
        ({"rules": ["admin"]}, r"authorization_roles\.rules: Expected `object`, got `array`"),
        (
            {"rules": {"com.foo": "admin"}},
            r"authorization_roles\.rules\[\.\.\.\]: Expected `array`, got `str`",
        ),
        (
            {"rules": {"com.foo": [1]}},
            r"authorization_roles\.rules\[\.\.\.\]\[0\]: Expected `str`, got `int`",
        ),
    ],
)
def test_settings(settings: dict[str, Any], problem: str, make_runtime: MakeRuntime) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        make_runtime(tables={"authorization_roles": settings})
