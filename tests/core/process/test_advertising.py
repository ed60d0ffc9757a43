"""The address that is advertised to others."""

from __future__ import annotations

import contextlib
import os
import socket as sockets
from typing import Any

import pytest

from pycom_core import ConfigurationError
from pycom_core.process import _advertising as advertising
from pycom_core.process._advertising import advertised, advertised_to, check, own_addresses

WILDCARDS = ["0.0.0.0", "[::]", "*"]


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:2013", "tcp://host.example:1", "ipc:///tmp/a", "inproc://a"]
)
def test_address_that_says_where_it_is(address: str) -> None:
    assert advertised(address, "tcp://127.0.0.1:2012") == address
    assert own_addresses(address) == [address]


# On this host.


@pytest.mark.parametrize("wildcard", WILDCARDS)
def test_wildcard_towards_a_nameserver(wildcard: str) -> None:
    bound = f"tcp://{wildcard}:2013"
    assert advertised(bound, "tcp://127.0.0.1:2012") == "tcp://127.0.0.1:2013"


def test_wildcard_towards_a_nameserver_by_ipv6() -> None:
    assert advertised("tcp://[::]:2013", "tcp://[::1]:2012") == "tcp://[::1]:2013"


@pytest.mark.parametrize("wildcard", WILDCARDS)
def test_a_process_reaches_itself_by_loopback(wildcard: str) -> None:
    assert own_addresses(f"tcp://{wildcard}:2013") == [
        f"tcp://{wildcard}:2013",
        "tcp://localhost:2013",
        "tcp://127.0.0.1:2013",
        "tcp://[::1]:2013",
    ]


# On hosts of all kinds.


class Host:
    """A host with routes: the source addresses of its packets to others, which have these names."""

    AF_INET, AF_INET6, SOCK_DGRAM = sockets.AF_INET, sockets.AF_INET6, sockets.SOCK_DGRAM

    def __init__(self) -> None:
        self.routes: dict[str, str] = {"127.0.0.1": "127.0.0.1", "::1": "::1"}
        self.names = {"here": ["127.0.1.1"], "both.example": ["10.0.0.1", "fd00::1"]}

    def gethostname(self) -> str:
        return "here"

    def getaddrinfo(self, host: str, port: int, type: int) -> list[Any]:
        numeric = ":" in host or host.replace(".", "").isdecimal()
        if not numeric and host not in self.names:
            raise sockets.gaierror
        return [
            (self.AF_INET6 if ":" in one else self.AF_INET, type, 0, "", (one, port))
            for one in ([host] if numeric else self.names[host])
        ]

    def socket(self, family: int, kind: int) -> contextlib.nullcontext[Probe]:
        return contextlib.nullcontext(Probe(self))


class Probe:
    def __init__(self, host: Host) -> None:
        self.host = host

    def connect(self, place: tuple[str, int]) -> None:
        default = self.host.routes.get("v6" if ":" in place[0] else "v4")
        found = self.host.routes.get(place[0], default)
        if found is None:
            raise OSError("Network is unreachable")
        self.source = found

    def getsockname(self) -> tuple[str, int]:
        return self.source, 1


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host()
    monkeypatch.setattr(advertising, "socket", host)
    return host


ANY4, ANY6 = "tcp://0.0.0.0:2013", "tcp://[::]:2013"


def test_each_replica_is_told_the_address_on_its_side(host: Host) -> None:
    host.routes |= {"10.0.0.1": "10.0.0.9", "10.1.0.1": "10.1.0.9", "fd00::1": "fd00::9"}
    assert advertised(ANY4, "tcp://10.0.0.1:2012") == "tcp://10.0.0.9:2013"
    assert advertised(ANY4, "tcp://10.1.0.1:2012") == "tcp://10.1.0.9:2013"
    assert advertised(ANY6, "tcp://10.1.0.1:2012") == "tcp://10.1.0.9:2013"
    assert advertised(ANY6, "tcp://[fd00::1]:2012") == "tcp://[fd00::9]:2013"


def test_nameserver_by_name(host: Host) -> None:
    host.routes |= {"10.0.0.1": "10.0.0.9", "fd00::1": "fd00::9"}
    assert advertised(ANY4, "tcp://both.example:2012") == "tcp://10.0.0.9:2013"
    host.names["both.example"].reverse()
    assert advertised(ANY6, "tcp://both.example:2012") == "tcp://[fd00::9]:2013"
    assert advertised(ANY4, "tcp://both.example:2012") == "tcp://10.0.0.9:2013"


@pytest.mark.parametrize(
    "nameserver",
    [
        "local",
        "ipc:///tmp/ns",
        "tcp://0.0.0.0:2012",
        "tcp://nowhere.invalid:2012",
        "tcp://[fd00::1]:2012",
    ],
)
def test_nameserver_that_no_route_leads_to(host: Host, nameserver: str) -> None:
    """Of this process, of this host, unknown, or of a kind that the service does not listen to."""
    host.routes |= {"v4": "192.168.1.9", "fd00::1": "fd00::9"}
    assert advertised(ANY4, nameserver) == "tcp://192.168.1.9:2013"


def test_replicas_that_may_share_what_they_know_are_told_nothing_for_one_host_alone(
    host: Host,
) -> None:
    host.routes |= {"10.0.0.1": "10.0.0.9"}
    here, there = "tcp://127.0.0.1:2012", "tcp://10.0.0.1:2012"
    for replicas in ([here, there], [there, here]):
        assert advertised_to(replicas, ANY4) == dict.fromkeys(replicas, "tcp://10.0.0.9:2013")
    assert advertised_to([here], ANY4) == {here: "tcp://127.0.0.1:2013"}
    here6 = "tcp://[::1]:2012"
    assert advertised_to([here, here6], ANY6) == {
        here: "tcp://127.0.0.1:2013",
        here6: "tcp://[::1]:2013",
    }


def test_bound_to_both_families_tells_the_one_that_all_can_use(host: Host) -> None:
    host.routes |= {"v4": "192.168.1.9", "v6": "fd00::9"}
    assert advertised(ANY6, "local") == "tcp://192.168.1.9:2013"
    del host.routes["v4"]
    assert advertised(ANY6, "local") == "tcp://[fd00::9]:2013"


def test_without_a_route_the_name_of_the_host_decides(host: Host) -> None:
    host.names["here"] += ["::1", "10.7.0.9"]
    assert advertised(ANY4, "local") == "tcp://10.7.0.9:2013"


def test_host_by_itself(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    assert advertised(ANY4, "local") == "tcp://127.0.0.1:2013"
    assert "no route to others: nameserver local is told 127.0.0.1, unless `adv" in caplog.text
    del host.names["here"]
    assert advertised(ANY6, "local") == "tcp://127.0.0.1:2013"


# As the configuration says.


@pytest.mark.parametrize(
    ("advertise", "expected"),
    [
        ("tcp://outside.example:80", "tcp://outside.example:80"),
        ("tcp://outside.example:*", "tcp://outside.example:2013"),
        ("tcp://[fd00::1]:*", "tcp://[fd00::1]:2013"),
        ("ipc:///shared/socket", "ipc:///shared/socket"),
    ],
)
@pytest.mark.parametrize("bound", [ANY4, ANY6, "tcp://10.0.0.1:2013"])
def test_advertise_wins(bound: str, advertise: str, expected: str) -> None:
    check(advertise)
    for nameserver in ("local", "tcp://127.0.0.1:2012"):
        assert advertised(bound, nameserver, advertise) == expected


def test_advertised_path_leads_there_from_every_working_directory() -> None:
    assert advertised(ANY4, "local", "ipc://here") == f"ipc://{os.path.abspath('here')}"


@pytest.mark.parametrize(
    ("advertise", "says"),
    [
        ("tcp://0.0.0.0:80", "advertise is 'tcp://0.0.0.0:80', which others cannot connect to"),
        ("tcp://[::]:80", "name a host"),
        ("tcp://*:80", "name a host"),
        ("tcp://0:80", "name a host"),
        ("tcp://0.0:80", "name a host"),
        ("tcp://[::0]:80", "name a host"),
        ("tcp://[::ffff:0.0.0.0]:80", "name a host"),
        ("tcp://host:0", "and a port, or * for the port that is bound"),
        ("tcp://host", "write tcp://HOST:PORT"),
        ("tcp://host:-1", "a port is a number"),
        ("host:80", "advertise is 'host:80', which is no address; write tcp://HOST:PORT"),
        ("", "which is no address"),
    ],
)
def test_advertise_that_leads_nowhere(advertise: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check(advertise)
    assert says in str(caught.value)
