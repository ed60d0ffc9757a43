"""The syntax of addresses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pycom_core import ConfigurationError
from pycom_core.addresses import Tcp, absolute, checked, parted, tcp, with_key
from pycom_core.keys import as_text

FORM = "write tcp://HOST:PORT, with an IPv6 host in brackets"
PORT = "a port is a number from 1 to 65535"


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("tcp://10.0.0.1:2013", "10.0.0.1", "2013"),
        ("tcp://host.example:*", "host.example", "*"),
        ("tcp://*:2013", "*", "2013"),
        ("tcp://[::1]:2013", "::1", "2013"),
        ("tcp://[fe80::1%eth0]:2013", "fe80::1%eth0", "2013"),
    ],
)
def test_parts_of_a_tcp_address(address: str, host: str, port: str) -> None:
    assert tcp(address) == Tcp(host, port)
    assert str(Tcp(host, port)) == address
    assert tcp(address.replace("tcp://", "tcp://[::1]:0;")) == Tcp(host, port), "to where it leads"


@pytest.mark.parametrize("address", ["ipc:///tmp/a", "inproc://a", "tcp://::1:2013", "a", "local"])
def test_what_is_no_tcp_address_has_no_parts(address: str) -> None:
    assert tcp(address) is None


GOOD = [
    "tcp://10.0.0.1:1",
    "tcp://10.0.0.1:65535",
    "tcp://0.0.0.0:2013",
    "tcp://127.1:2013",
    "tcp://my-host_1.example:02013",
    "tcp://host.example.:2013",
    "tcp://b\u00fccher.example:2013",
    "tcp://[::1]:2013",
    "tcp://[::]:2013",
    "tcp://[fe80::1%eth0]:2013",
    "ipc:///tmp/a b",
    "ipc://@abstract",
    "inproc://a",
    "local://a",
    "pgm://eth0;239.1.1.1:5555",
]


@pytest.mark.parametrize("address", GOOD)
@pytest.mark.parametrize("listening", [True, False])
def test_good_addresses_stay_as_they_are(listening: bool, address: str) -> None:
    assert checked(address, listening) == address


@pytest.mark.parametrize("address", ["tcp://*:2013", "tcp://127.0.0.1:*", "tcp://eth0:0"])
def test_some_are_for_listening_alone(address: str) -> None:
    assert checked(address, listening=True) == address
    with pytest.raises(ConfigurationError, match=re.escape(f"Invalid address {address!r}: ")):
        checked(address)


def test_address_with_a_source_is_for_connecting_alone() -> None:
    address = "tcp://10.0.0.2:0;10.0.0.1:2013"
    assert checked(address) == address
    with pytest.raises(ConfigurationError, match=FORM):
        checked(address, listening=True)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("tcp://127.0.0.1:-1", PORT),
        ("tcp://127.0.0.1:+2013", PORT),
        ("tcp://127.0.0.1:", PORT),
        ("tcp://127.0.0.1: 2013", PORT),
        ("tcp://127.0.0.1:2013x", PORT),
        ("tcp://127.0.0.1:2013/a", PORT),
        ("tcp://127.0.0.1:0x7dd", PORT),
        ("tcp://127.0.0.1:1e3", PORT),
        ("tcp://127.0.0.1:2.5", PORT),
        ("tcp://127.0.0.1:65536", PORT),
        ("tcp://127.0.0.1:99999999999999999999", PORT),
        ("tcp://127.0.0.1:٢٠١٣", PORT),
        ("tcp://127.0.0.1:!", PORT),
        ("tcp://127.0.0.1", FORM),
        ("tcp://:2013", FORM),
        ("tcp://", FORM),
        ("tcp://::1:2013", FORM),
        ("tcp://[::1:2013", FORM),
        ("tcp://[]:2013", FORM),
        ("tcp://[::1]2013", FORM),
        ("tcp:// 127.0.0.1:2013", FORM),
        ("tcp://user@127.0.0.1:2013", FORM),
        ("tcp://http://127.0.0.1:2013", FORM),
        ("tcp://[::1::2]:2013", "'::1::2' is no host"),
        ("tcp://256.1.1.1:2013", "'256.1.1.1' is no host"),
        ("tcp://1.2.3.4.5:2013", "'1.2.3.4.5' is no host"),
        ("tcp://a..b:2013", "'a..b' is no host"),
        (f"tcp://{'a' * 64}.example:2013", "is no host"),
        ("tcp://127.0.0.1:20\x0013", "control character"),
        ("ipc:///tmp/a\n", "control character"),
    ],
)
@pytest.mark.parametrize("listening", [True, False])
def test_nonsense_is_refused_and_named(address: str, says: str, listening: bool) -> None:
    expected = re.escape(f"Invalid address {address!r}: ") + f".*{re.escape(says)}"
    with pytest.raises(ConfigurationError, match=expected):
        checked(address, listening)


def test_path_of_a_unix_socket_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for address in ("ipc://a", "ipc://./a", "ipc://b/../a", f"ipc://{tmp_path}/a"):
        assert absolute(address) == checked(address) == f"ipc://{tmp_path}/a"
    for address in ("ipc://@a", "ipc://*", "ipc://", "tcp://127.0.0.1:2013", "a"):
        assert absolute(address) == address


KEY = as_text(bytes(range(32)))


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:2013", "ipc:///tmp/a#b", "tcp://[::1]:2013"])
def test_key_behind_an_address(address: str) -> None:
    assert parted(with_key(address, KEY)) == (address, KEY)
    assert parted(address) == (address, None)


def test_path_with_a_hash_is_no_key() -> None:
    for address in (f"ipc:///tmp/#{KEY[1:]}", f"ipc:///tmp/#{KEY[1:]}~", f"#{KEY}"):
        assert parted(address) == (address, None)
