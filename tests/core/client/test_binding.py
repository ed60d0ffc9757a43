"""Arguments of remote methods as Python binds them."""

from __future__ import annotations

from typing import Any

import pytest

from pycom_core.client._binding import Call, Calls

DESCRIPTIONS = {
    "bar": {"required_arguments": ["name"], "optional_arguments": ["value"]},
    "many": {"required_arguments": ["a", "b", "c"], "optional_arguments": []},
    "send": {
        "required_arguments": ["blob"],
        "optional_arguments": ["name"],
        "attachments": {"incoming": "blob"},
    },
    "raw": {"required_arguments": [], "optional_arguments": []},
    "open": {
        "required_arguments": ["name"],
        "optional_arguments": [],
        "additional_arguments": True,
    },
    "gone": None,
}


def bind(method: str, *args: Any, **kwargs: Any) -> tuple[dict[str, Any], Any]:
    """The JSON arguments and the attachment of a call."""
    call = Calls("com.foo.x", {"methods": DESCRIPTIONS}).get(method)
    assert call is not None
    attachment = call.bind(args, kwargs)
    return kwargs, attachment


@pytest.mark.parametrize(
    ("bound", "arguments", "attachment"),
    [
        (lambda: bind("bar", 1), {"name": 1}, None),
        (lambda: bind("bar", 1, value=None), {"name": 1, "value": None}, None),
        (lambda: bind("bar", value=2, name=1), {"name": 1, "value": 2}, None),
        (lambda: bind("many", 1, 2, c=3), {"a": 1, "b": 2, "c": 3}, None),
        (lambda: bind("send", b"x"), {}, b"x"),
        (lambda: bind("send", name="n", blob=b""), {"name": "n"}, b""),
        (lambda: bind("raw"), {}, None),
        (lambda: bind("raw", any=1, name=2), {"any": 1, "name": 2}, None),
        (lambda: bind("open", 1, other=2), {"name": 1, "other": 2}, None),
    ],
)
def test_right_calls(bound: Any, arguments: Any, attachment: Any) -> None:
    assert bound() == (arguments, attachment)


@pytest.mark.parametrize(
    ("method", "args", "kwargs", "says"),
    [
        ("bar", ["a"], ["val"], "got an unexpected keyword argument 'val'; it takes name, value"),
        ("bar", [], ["val"], "got an unexpected keyword argument 'val'; it takes name, value"),
        (
            *("bar", ["a"], ["timeout"]),
            "got an unexpected keyword argument 'timeout'; it takes name, value. "
            "For a timeout of the call: with_timeout(MS).bar(…)",
        ),
        ("many", [], [], "missing required arguments 'a', 'b', 'c'"),
        ("many", [1], ["b"], "missing required argument 'c'"),
        ("many", [1], ["b", "d"], "got an unexpected keyword argument 'd'; it takes a, b, c"),
        ("many", [1], ["a"], "got multiple values for argument 'a'"),
        ("many", [1, 2, 3, 4], [], "takes 3 positional arguments but 4 were given"),
        (
            *("bar", [1, 2], []),
            "takes 1 positional argument but 2 were given; by keyword it takes value",
        ),
        ("raw", [1], [], "takes 0 positional arguments but 1 was given"),
        ("open", [], ["other"], "missing required argument 'name'"),
    ],
)
def test_wrong_calls(method: str, args: list[Any], kwargs: list[str], says: str) -> None:
    with pytest.raises(TypeError) as caught:
        bind(method, *args, **dict.fromkeys(kwargs))
    assert str(caught.value) == f"{method}() {says}"


def test_methods_by_name() -> None:
    calls = Calls("com.foo.x", {"methods": DESCRIPTIONS})
    assert list(calls) == ["bar", "many", "send", "raw", "open"]
    assert "bar" in calls
    assert "nothing" not in calls
    assert "gone" not in calls
    assert isinstance(calls.get("bar"), Call)
    assert calls.get("bar") is calls.get("bar")
    assert calls.get("nothing") is None
    assert calls.get("gone") is None
