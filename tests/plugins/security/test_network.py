"""The file `network.toml`."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycom_core import ConfigurationError
from pycom_core.settings import tomllib
from pycom_plugins.security import network
from pycom_plugins.security.keys import KeyPair, Secret
from pycom_plugins.security.network import Network

KEY, NEXT, PINNED = (KeyPair.of(Secret(bytes([n] * 32))).public for n in range(3))
PLANT = Network(
    "plant",
    ("tcp://10.0.0.1:2012", "ipc:///run/pycom/ns"),
    KEY,
    NEXT,
    {"org.pycom.authenticator": PINNED},
)
GOOD = f"""
name = "plant"
nameserver = ["tcp://10.0.0.1:2012", "ipc:///run/pycom/ns"]
key = "{KEY}"
next_key = "{NEXT}"

[pins]
"org.pycom.authenticator" = "{PINNED}"
"""

Read = Callable[[str], Network]


@pytest.fixture
def path(home: Path) -> Path:
    return home / "network.toml"


@pytest.fixture
def read(path: Path) -> Read:
    """Reads a file of that content."""

    def read(content: str) -> Network:
        path.write_text(content)
        path.chmod(0o644)
        return network.read(str(path))

    return read


def test_read(read: Read) -> None:
    assert read(GOOD) == PLANT


def test_pins_are_optional(read: Read) -> None:
    assert read(GOOD.partition("[pins]")[0]) == attrs.evolve(PLANT, pins={})


def test_what_is_written_is_read(path: Path) -> None:
    network.create(str(path), PLANT)
    assert network.read(str(path)) == PLANT
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with pytest.raises(ConfigurationError, match="is there already"):
        network.create(str(path), PLANT)
    other = attrs.evolve(PLANT, name="other")
    network.replace(str(path), other)
    assert network.read(str(path)) == other


@given(st.dictionaries(st.text(), st.just(PINNED)))
def test_any_names_of_interfaces_are_written_as_toml(pins: dict[str, str]) -> None:
    written = network._toml(attrs.evolve(PLANT, pins=pins))
    assert tomllib.loads(written.decode()) == {
        **attrs.asdict(PLANT),
        "nameserver": list(PLANT.nameserver),
        "pins": pins,
    }


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        ('name = "plant"', "", "Object missing required field `name`"),
        ('name = "plant"', "name = 5", "name: Expected `str`, got `int`"),
        ('name = "plant"', 'name = "a b"', "name: 'a b' is no name; write up to 64 letters"),
        ('name = "plant"', 'name = "plant', "is not valid TOML: "),
        ("next_key =", "nxt_key =", "unknown key 'nxt_key'; known are name, nameserver, key"),
        (KEY, KEY[1:], "key: a public key is 40 characters of Z85, not 39"),
        (NEXT, " " * 40, "next_key: a key has 40 characters of Z85"),
        (f'"{KEY}"', "1", "key: Expected `str`, got `int`"),
        (PINNED, "x", "pins.org.pycom.authenticator: a public key is 40 characters of Z85, not 1"),
        (f'"{PINNED}"', "1", "pins[...]: Expected `str`, got `int`"),
        ('["tcp://10.0.0.1:2012", "ipc:///run/pycom/ns"]', "[]", "nameserver: name at least one"),
        ('["tcp://10.0.0.1:2012", "ipc:///run/pycom/ns"]', '"x"', "nameserver: Expected `array`"),
        ("10.0.0.1:2012", "10.0.0.1", "nameserver: Invalid address 'tcp://10.0.0.1': write tcp://"),
    ],
)
def test_fault_says_file_key_and_what_is_expected(
    good: str, bad: str, reason: str, read: Read, path: Path
) -> None:
    assert good in GOOD
    with pytest.raises(ConfigurationError) as caught:
        read(GOOD.replace(good, bad))
    assert str(caught.value).startswith(str(path))
    assert reason in str(caught.value)


def test_file_that_others_can_write_to(path: Path) -> None:
    path.write_text(GOOD)
    path.chmod(0o666)
    with pytest.raises(ConfigurationError, match=f"Others can write to {path} .*chmod 644 {path}"):
        network.read(str(path))


@pytest.mark.parametrize(
    "address", ["tcp://10.0.0.1:2012", "tcp://[::1]:2012", "tcp://host:1", "ipc:///run/ns"]
)
def test_address_that_programs_can_connect_to(address: str) -> None:
    assert network.address_problem(address) is None


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("local", "write tcp://HOST:PORT or ipc://PATH"),
        ("10.0.0.1:2012", "write tcp://HOST:PORT or ipc://PATH"),
        ("inproc://ns", "write tcp://HOST:PORT or ipc://PATH"),
        ("tcp://*:2012", "name a host"),
        ("tcp://0.0.0.0:2012", "is for listening; name the host"),
        ("tcp://[::]:2012", "is for listening; name the host"),
        ("tcp://host:*", "a port is a number"),
    ],
)
def test_address_that_is_no_nameservers(address: str, reason: str) -> None:
    assert reason in str(network.address_problem(address))
