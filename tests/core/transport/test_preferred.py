"""Several transports as one: the first that serves an address."""

from __future__ import annotations

from typing import Any

import pytest

from pycom_core import ConfigurationError, LocalTransport
from pycom_core.transport._preferred import PreferredTransports


class Named(LocalTransport):
    """A transport of a few schemes, which adopts sockets of its own name."""

    def __init__(self, name: str, schemes: set[str]) -> None:
        super().__init__()
        self.name, self.schemes = name, frozenset(schemes)
        self.closed = False

    def adopt(self, socket: Any) -> Any:
        return f"adopted by {self.name}" if socket == self.name else None

    def obstacle(self, address: str, timeout: float) -> str | None:
        return f"{self.name} says no"

    def close(self) -> None:
        self.closed = True


SCHEMES = {"near": {"tcp", "near"}, "far": {"tcp", "far"}}


class Preferred(PreferredTransports):
    """Remembers the transports that it made."""

    def __init__(self, *names: str) -> None:
        self.made: list[Named] = []
        super().__init__(names, self._remember)

    def _remember(self, name: str) -> Named:
        self.made.append(Named(name, SCHEMES[name]))
        return self.made[-1]

    def name_of(self, address: str) -> str:
        serving: Any = self.serving(address)
        return str(serving.name)


@pytest.mark.parametrize(
    ("address", "name"), [("tcp://a:1", "near"), ("near://a", "near"), ("far://a", "far")]
)
def test_first_that_serves_the_scheme_is_used(address: str, name: str) -> None:
    assert Preferred("near", "far").name_of(address) == name


def test_order_is_that_of_the_names() -> None:
    assert Preferred("far", "near").name_of("tcp://a:1") == "far"


def test_transport_is_made_when_an_address_needs_it_and_once() -> None:
    preferred = Preferred("near", "far")
    assert preferred.made == []
    preferred.serving("tcp://a:1")
    assert [one.name for one in preferred.made] == ["near"]
    for _ in range(2):
        preferred.serving("far://a")
    assert [one.name for one in preferred.made] == ["near", "far"]


def test_address_that_none_serves_is_an_error_with_all_that_is_served() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Preferred("near", "far").serving("pgm://a")
    said = str(caught.value)
    for part in ("'pgm://a'", "near://", "far://", "tcp://", "(transport: near, far)"):
        assert part in said


def test_socket_is_adopted_by_the_first_that_knows_it() -> None:
    preferred: Any = Preferred("near", "far")
    assert preferred.adopt("far") == "adopted by far"
    assert preferred.adopt("strange") is None


def test_obstacle_is_that_of_the_serving_one() -> None:
    assert Preferred("near", "far").obstacle("far://a", 1) == "far says no"


def test_close_ends_those_that_were_made() -> None:
    preferred = Preferred("near", "far")
    preferred.serving("near://a")
    preferred.close()
    assert [(one.name, one.closed) for one in preferred.made] == [("near", True)]
