"""Descriptions of methods, also by services of 0.6.0 and of other makers."""

from __future__ import annotations

from typing import Any

import pytest

from pycom_core import ServiceNotAvailable
from pycom_core.client._described import methods_in, read

#: In the form of a service of 0.6.0.
OLD: dict[str, Any] = {
    "required_arguments": ["name"],
    "optional_arguments": ["value"],
    "results": [],
    "docstring": None,
    "attachments": {"incoming": None, "outgoing": None},
}


@pytest.mark.parametrize(
    ("changes", "unknown"),
    [
        ({}, ["more"]),
        ({"additional_arguments": True}, []),
        ({"additional_arguments": False}, ["more"]),
        ({"attachments": {"incoming": "more", "outgoing": None}}, []),
        ({"attachments": {"incoming": None, "outgoing": "more"}}, ["more"]),
        ({"required_arguments": []}, ["name", "more"]),
        ({"required_arguments": [], "optional_arguments": []}, []),
        (
            {"required_arguments": [], "optional_arguments": [], "additional_arguments": False},
            ["name", "value", "more"],
        ),
    ],
)
def test_arguments_that_are_unknown(changes: Any, unknown: list[str]) -> None:
    assert (
        read("com.foo.x", "bar", {**OLD, **changes}).unknown(["name", "value", "more"]) == unknown
    )


@pytest.mark.parametrize("key", ["required_arguments", "optional_arguments"])
def test_method_that_does_not_say_its_arguments_takes_any(key: str) -> None:
    found = {name: value for name, value in OLD.items() if name != key}
    assert read("com.foo.x", "bar", found).unknown(["more"]) == []
    assert read("com.foo.x", "bar", {**OLD, key: None}).unknown(["more"]) == []


@pytest.mark.parametrize("key", OLD)
def test_what_is_not_said_is_not_demanded(key: str) -> None:
    whole = read("com.foo.x", "bar", OLD)
    assert (whole.required, whole.optional, whole.results) == (("name",), ("value",), ())
    assert whole.docstring == "Remote method com.foo.x.bar."
    part = read("com.foo.x", "bar", {name: OLD[name] for name in OLD if name != key})
    assert part.docstring == whole.docstring
    assert read("com.foo.x", "bar", {}).takes_more


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        1,
        "bar",
        {**OLD, "required_arguments": "name"},
        {**OLD, "optional_arguments": [1]},
        {**OLD, "results": {"a": 1}},
        {**OLD, "attachments": "blob"},
        {**OLD, "attachments": {"incoming": ["blob"]}},
        {**OLD, "docstring": {}},
    ],
)
def test_what_describes_no_method(found: Any) -> None:
    with pytest.raises(
        ServiceNotAvailable, match=r"com\.foo\.x describes its method 'bar' in a way"
    ):
        read("com.foo.x", "bar", found)


@pytest.mark.parametrize(
    "introspection", [None, [], 1, {}, {"methods": None}, {"methods": ["bar"]}]
)
def test_what_describes_no_interface(introspection: Any) -> None:
    with pytest.raises(ServiceNotAvailable, match=r"com\.foo\.x does not say which methods it has"):
        methods_in("com.foo.x", introspection)
