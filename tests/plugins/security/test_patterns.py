"""Patterns: what they allow, and above all what they do not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycom_plugins.security import patterns
from pycom_plugins.security.patterns import matches_address, matches_interface, matches_path

LABELS = st.from_regex(r"[a-z0-9-]{1,8}", fullmatch=True)
PORTS = st.integers(1, 65_535)
#: What a stranger may try as an address.
ADDRESSES = (
    st.text()
    | st.from_regex(r"tcp://[0-9a-z.\[\]:;/@*%-]{1,30}:[0-9*]{1,5}", fullmatch=True)
    | st.from_regex(r"ipc://[a-z./@*\[\]-]{1,30}", fullmatch=True)
)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("/com/foo/one", "/com/foo/one"),
        ("/com/foo/*", "/com/foo/one"),
        ("/com/foo/*", "/com/foo/one/two"),
        ("/com/foo/?", "/com/foo/1"),
        ("/com/foo/[12]", "/com/foo/1"),
        ("*", "/any"),
    ],
)
def test_path(pattern: str, text: str) -> None:
    assert matches_path(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("/com/foo/*", "/com/foo"),
        ("/com/foo/*", "/com/fooone"),
        ("/com/foo/*", "x/com/foo/one"),
        ("/com/foo/*", "/com/FOO/one"),
        ("/com/foo/*", "/com/foo/one\n"),
        ("/com/foo/*", "/com/foo/\x1b[2J"),
        ("/com/foo/*", "/com/foo/\u202eeno"),
        ("/com/foo/one", "/com/foo/one/two"),
    ],
)
def test_path_that_is_another(pattern: str, text: str) -> None:
    assert not matches_path(pattern, text)


def test_interface() -> None:
    assert matches_interface("com.foo.*", "com.foo.bar")
    assert matches_interface("com.foo.*", "com.foo.bar.baz")
    assert matches_interface("*", "org.pycombined.x")
    assert not matches_interface("com.foo.*", "com.foo")
    assert not matches_interface("com.foo.*", "com.foobar")
    assert not matches_interface("com.foo.*", "com.foo.\0")


@pytest.mark.parametrize("interface", ["org.pycom", "org.pycom.authenticator", "org.pycom.x.y"])
def test_interfaces_of_pycom_need_their_own_name(interface: str) -> None:
    assert matches_interface(interface, interface)
    for pattern in ("*", "org.*", "org.pycom*", "org.pycom.*", "?rg.pycom.*", f"{interface}*"):
        assert not matches_interface(pattern, interface)


@pytest.mark.parametrize("pattern", ["org.pycom.*", "org.pycom.[a]x", "org.pycom.authenticato?"])
def test_pattern_that_matches_nothing(pattern: str) -> None:
    assert "matches nothing: name each interface of org.pycom by itself" in str(
        patterns.interface_problem(pattern)
    )


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("tcp://10.0.0.1:2013", "tcp://10.0.0.1:2013"),
        ("tcp://10.0.0.1:*", "tcp://10.0.0.1:2013"),
        ("tcp://10.0.0.*:*", "tcp://10.0.0.7:1"),
        ("tcp://10.0.*.*:2013", "tcp://10.0.1.7:2013"),
        ("tcp://10.0.0.1?:2013", "tcp://10.0.0.17:2013"),
        ("tcp://*.example.com:*", "tcp://a.example.com:2013"),
        ("tcp://a.EXAMPLE.com:*", "tcp://A.example.COM:2013"),
        ("tcp://worker-*:2013", "tcp://worker-7:2013"),
        ("tcp://worker-*.plant:2013", "tcp://worker-7.plant:2013"),
        ("tcp://[fd00::1]:*", "tcp://[fd00:0:0::1]:2013"),
        ("tcp://*:*", "tcp://[fd00::1]:2013"),
        ("tcp://*:*", "tcp://a.example.com:65535"),
        ("*", "tcp://10.0.0.1:2013"),
        ("ipc:///run/foo/socket", "ipc:///run/foo/socket"),
        ("ipc:///run/*/at-*", "ipc:///run/foo/at-7"),
    ],
)
def test_address(pattern: str, address: str) -> None:
    assert patterns.address_problem(pattern) is None
    assert matches_address(pattern, address)


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        # other hosts
        ("tcp://10.0.0.*:*", "tcp://10.0.0.7.evil.com:80"),
        ("tcp://10.0.0.*:*", "tcp://10.0.0.evil:80"),
        ("tcp://10.0.0.*:*", "tcp://10.0.0:80"),
        ("tcp://10.0.0.*:*", "tcp://10.0.0.:80"),
        ("tcp://10.0.0.*:*", "tcp://10.0.0.07:80"),
        ("tcp://*.example.com:*", "tcp://a.b.example.com:80"),
        ("tcp://*.example.com:*", "tcp://example.com:80"),
        ("tcp://*.example.com:*", "tcp://.example.com:80"),
        ("tcp://*.example.com:*", "tcp://evil/.example.com:80"),
        ("tcp://*.example.com:*", "tcp://evil:80/.example.com:80"),
        ("tcp://*.example.com:*", "tcp://a.example.com.:80"),
        ("tcp://worker-*:*", "tcp://worker-7.evil.com:80"),
        ("tcp://[fd00::1]:*", "tcp://[fd00::2]:80"),
        ("tcp://127.0.0.1:*", "tcp://[::ffff:127.0.0.1]:80"),
        # other spellings of an address that is not meant
        ("*", "tcp://127.1:80"),
        ("*", "tcp://0x7f.0.0.1:80"),
        ("*", "tcp://2130706433:80"),
        ("*", "tcp://0177.0.0.1:80"),
        ("*", "tcp://\u212a.example.com:80"),  # the Kelvin sign, which resolvers read as k
        # other ports
        ("tcp://10.0.0.1:2013", "tcp://10.0.0.1:22"),
        ("tcp://10.0.0.1:2013", "tcp://10.0.0.1:20130"),
        ("tcp://10.0.0.1:*", "tcp://10.0.0.1:0"),
        ("tcp://10.0.0.1:*", "tcp://10.0.0.1:99999"),
        ("tcp://10.0.0.1:*", "tcp://10.0.0.1:*"),
        ("tcp://10.0.0.1:*", "tcp://10.0.0.1:"),
        # what is for listening, or connects from elsewhere
        ("*", "tcp://*:2013"),
        ("*", "tcp://0.0.0.0:2013"),
        ("*", "tcp://[::]:2013"),
        ("tcp://10.0.0.1:*", "tcp://evil:1;10.0.0.1:80"),
        ("*", "tcp://10.0.0.2:1;10.0.0.1:80"),
        # other schemes
        ("*", "ipc:///var/run/docker.sock"),
        ("tcp://*:*", "ipc:///run/a:1"),
        ("*", "inproc://x"),
        ("*", "udp://10.0.0.1:80"),
        ("*", "TCP://10.0.0.1:80"),
        ("*", ""),
        # other files
        ("ipc:///run/foo/*", "ipc:///run/foo/a/b"),
        ("ipc:///run/foo/*", "ipc:///run/foo/"),
        ("ipc:///run/foo/*", "ipc:///run/foo/.."),
        ("ipc:///run/foo/*", "ipc:///run/foo/../docker.sock"),
        ("ipc:///run/*/socket", "ipc:///run/../socket"),
        ("ipc:///run/foo/*", "ipc:///run//foo/x"),
        ("ipc:///run/foo/*", "ipc:////run/foo/x"),
        ("ipc:///run/foo/*", "ipc://run/foo/x"),
        ("ipc:///*", "ipc://@abstract"),
        ("ipc:///run/foo/*", "ipc:///run/foo/\0"),
        ("ipc:///run/foo/*", "tcp:///run/foo/x"),
    ],
)
def test_address_that_is_another(pattern: str, address: str) -> None:
    assert patterns.address_problem(pattern) is None
    assert not matches_address(pattern, address)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "write tcp://HOST:PORT, ipc:///FOLDER/FILE, or *"),
        ("tcp://*", "write tcp://HOST:PORT"),
        ("tcp://10.0.0.1", "write tcp://HOST:PORT"),
        ("*:2013", "write tcp://HOST:PORT"),
        ("*://10.0.0.1:2013", "write tcp://HOST:PORT"),
        ("tcp://a;b:1", "write tcp://HOST:PORT"),
        ("inproc://*", "write tcp://HOST:PORT"),
        ("ipc://*", "write tcp://HOST:PORT"),
        ("ipc:///run/../x", "write tcp://HOST:PORT"),
        ("ipc:////run/x", "write tcp://HOST:PORT"),
        ("tcp://10.0.0.1:20*", "a port is a number or *"),
        ("tcp://10.0.0.1:0", "a port is a number or *"),
        ("tcp://10.0.*:*", "Write 10.0.*.* for numbers"),
        ("tcp://foo.*:*", "*.example.com for names"),
        ("tcp://10.0.0.7.*:*", "Write 10.0.*.* for numbers"),
        ("tcp://[fd00::*]:*", "write an IPv6 host in full"),
    ],
)
def test_pattern_that_is_refused(pattern: str, reason: str) -> None:
    assert reason in str(patterns.address_problem(pattern))


@pytest.mark.parametrize("text", ["", "a\nb", "\x1b[2J", "\u202e"])
def test_what_is_no_pattern(text: str) -> None:
    assert patterns.path_problem(text)
    assert patterns.interface_problem(text)


@given(LABELS, PORTS)
def test_wildcard_stands_for_one_label(label: str, port: int) -> None:
    pattern = "tcp://*.plant.example:*"
    assert matches_address(pattern, f"tcp://{label}.plant.example:{port}")
    assert not matches_address(pattern, f"tcp://{label}.evil.plant.example:{port}")
    assert not matches_address(pattern, f"tcp://{label}.plant.example.evil:{port}")


@given(ADDRESSES)
def test_whatever_an_address_is_a_wildcard_stays_in_its_part(address: str) -> None:
    if matches_address("tcp://10.1.*.*:*", address):
        assert re.fullmatch(r"tcp://10\.1\.\d{1,3}\.\d{1,3}:\d{1,5}", address, re.ASCII)
    if matches_address("tcp://*.b:*", address):
        assert re.fullmatch(r"tcp://[^./:;@\s]+\.b:\d{1,5}", address, re.IGNORECASE | re.ASCII)
    if matches_address("ipc:///run/*", address):
        assert re.fullmatch(r"ipc:///run/[^/\x00]+", address)
        assert not address.endswith(("/.", "/.."))
    if matches_address("*", address):
        assert re.fullmatch(r"tcp://\S+:\d{1,5}", address, re.ASCII)


@given(st.text(), st.text())
def test_any_texts_are_compared_without_an_error(pattern: str, text: str) -> None:
    for function in (matches_path, matches_interface, matches_address):
        function(pattern, text)
    for problem in (patterns.path_problem, patterns.interface_problem, patterns.address_problem):
        problem(pattern)


def test_hostile_texts_take_no_time() -> None:
    assert not matches_path("*a*a*a*a*a*a*a*b", "a" * 3000)
