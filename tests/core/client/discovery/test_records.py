"""The questions to nameservers, and their answers."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pycom_core import ServiceNotAvailable, ServiceNotFound
from pycom_core.client.discovery._records import list_arguments, records_from
from pycom_core.records import ServiceRecord

IFACE = "com.foo.shop"
FOUND = {"service": "/one", "address": "tcp://one:1", "interfaces": [IFACE, "com.foo.till"]}


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("com.foo", True),
        ("com.foo.bar", False),
        ("comxfoo", False),
        ("a.com.foo", False),
    ],
)
def test_expressions_of_old_find_the_name_alone(name: str, same: bool) -> None:
    arguments = list_arguments("com.foo", "com.foo")
    # As nameservers match: from the beginning.
    assert bool(re.match(arguments["interface"], name)) is same
    assert bool(re.match(arguments["service"], name)) is same


def test_no_expression_for_any_service() -> None:
    assert list_arguments("com.foo", None)["service"] is None


@pytest.mark.parametrize(
    ("extra", "metadata"),
    [
        ({}, {}),
        ({"metadata": {}}, {}),
        ({"metadata": None}, {}),
        ({"metadata": {"zone": ["a", 1]}}, {"zone": ["a", 1]}),
        ({"lease": 5, "more": {}}, {}),
    ],
)
def test_records(extra: dict[str, Any], metadata: dict[str, Any]) -> None:
    [record] = records_from([{**FOUND, **extra}], IFACE)
    assert record == ServiceRecord("/one", "tcp://one:1", (IFACE, "com.foo.till"), metadata)


def test_records_in_their_order() -> None:
    names = ["/b", "/a", "/c", "/a"]
    records = records_from([{**FOUND, "service": name} for name in names], IFACE)
    assert [record.service for record in records] == names


@pytest.mark.parametrize("found", [[], None])
def test_no_records(found: Any) -> None:
    with pytest.raises(ServiceNotFound, match=r"'com\.foo\.shop' not found"):
        records_from(found, IFACE)


@pytest.mark.parametrize(
    "found",
    [
        5,
        "text",
        {"service": "/one"},
        [5],
        ["text"],
        [None],
        [[]],
        [{}],
        *([{key: value for key, value in FOUND.items() if key != missing}] for missing in FOUND),
        [{**FOUND, "service": 5}],
        [{**FOUND, "address": None}],
        [{**FOUND, "address": ["tcp://one:1"]}],
        [{**FOUND, "interfaces": "com.foo"}],
        [{**FOUND, "interfaces": [1]}],
        [{**FOUND, "metadata": "text"}],
        [{**FOUND, "metadata": [["ipc", "x"]]}],
        [FOUND, {**FOUND, "metadata": 1}],
    ],
)
def test_what_is_no_record(found: Any) -> None:
    with pytest.raises(ServiceNotAvailable, match="The nameserver sent no records: "):
        records_from(found, IFACE)


def test_message_about_wrong_records_is_short() -> None:
    with pytest.raises(ServiceNotAvailable) as caught:
        records_from(["x" * 100_000], IFACE)
    assert len(str(caught.value)) < 300
