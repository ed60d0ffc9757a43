"""`pycom describe`, `pycom describe --diff` and `pycom stubs`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import helpers
import pytest
from helpers import pycom

OLD = '''
from typing import Generic, TypeVar

import attrs
import msgspec
import pycom

T = TypeVar("T")


@attrs.define
class Item:
    name: str
    price: float


class Page(msgspec.Struct, Generic[T]):
    items: list[T]


@pycom.interface("com.foo.shop")
class Shop(pycom.Service):
    """Sells.

    Much.
    """

    @pycom.method
    def order(self, request, items: list[Item], note: str = "") -> Item:
        """Buy.

        Something.
        """

    @pycom.method(results=("size", "copy"), attachments=("image", "copy"))
    def copy(self, request, image, times: int) -> tuple[int, bytes]:
        pass

    @pycom.method
    def page(self, request) -> Page[Item]:
        pass

    @pycom.method
    def plain(self, request, a, b=1):
        pass
'''
NEW = OLD.replace("note: str", "note: str | None")
BROKEN = NEW.replace("price: float", "price: int").replace(
    "def plain(self, request, a", "def other(self, request"
)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of a nameserver and of three versions of a shop, by name."""
    directory = tmp_path_factory.mktemp("shops")
    with helpers.Processes() as processes:
        nameserver = processes.nameserver()
        found = {"nameserver": nameserver.address}
        for name, source in (("old", OLD), ("new", NEW), ("broken", BROKEN)):
            (directory / f"{name}_shop.py").write_text(source)
            service = processes.service(
                f"{name}_shop",
                nameserver=nameserver,
                arguments=("-s", f"/shop/{name}"),
                directory=directory,
            )
            found[name] = service.address
        yield found


def describe(network: dict[str, str], name: str, *arguments: str) -> tuple[int, str, str]:
    command = ("describe", "com.foo.shop", "-n", network["nameserver"], "-s", f"/shop/{name}")
    done = pycom(*command, *arguments)
    return done.returncode, done.stdout, done.stderr


def test_describe(network: dict[str, str]) -> None:
    status, shown, errors = describe(network, "old")
    assert (status, errors) == (0, "")
    assert shown.splitlines() == [
        "com.foo.shop: Sells.",
        "",
        "Much.",
        "copy(image: attachment, times: int) → size: int, copy: attachment\t",
        "introspect() → name, methods, docstring, data\tProvides introspection information "
        "for a service.",
        'order(items: list[Item], note: str = "") → Item\tBuy.',
        "page() → Page[Item]\t",
        "plain(a, b=…)\t",
        "",
        "Item\t{name: str, price: float}",
        "Page[Item]\t{items: list[Item]}",
    ]
    found = json.loads(describe(network, "old", "--json")[1])
    arguments = found["methods"]["order"]["schema"]["arguments"]
    assert arguments["properties"]["items"]["items"] == {"$ref": "#/$defs/Item"}


def test_diff(network: dict[str, str], tmp_path: Path) -> None:
    before = tmp_path / "shop.json"
    before.write_text(describe(network, "old", "--json")[1])
    nothing = (0, "Nothing has changed.\n", "")
    harmless = (0, "harmless\torder\targs.note\tstr → str | None\n", "")
    breaking = (
        1,
        "BREAKING\torder\targs.items[].price\tfloat → int\n"
        "BREAKING\tplain\t\tremoved\n"
        "harmless\torder\targs.note\tstr → str | None\n"
        "harmless\torder\tresult.price\tfloat → int\n"
        "harmless\tother\t\tadded\n"
        "harmless\tpage\tresult.items[].price\tfloat → int\n",
        "",
    )
    for other in (str(before), network["old"]):
        assert describe(network, "old", "--diff", other) == nothing
        assert describe(network, "new", "--diff", other) == harmless
        assert describe(network, "broken", "--diff", other) == breaking
    assert describe(network, "old", "--diff", network["new"])[0] == 1
    status, shown, _ = describe(network, "broken", "--json", "--diff", str(before))
    assert status == 1
    first = {
        "breaking": True,
        "method": "order",
        "where": "args.items[].price",
        "what": "float → int",
    }
    assert json.loads(shown)[0] == first
    assert describe(network, "new", "--json", "--diff", network["new"]) == (0, "[]\n", "")


def test_diff_with_another_nameserver(network: dict[str, str]) -> None:
    with helpers.Processes() as processes:
        other = processes.nameserver()
        arguments = (
            "describe",
            "-n",
            network["nameserver"],
            "com.foo.shop",
            "--diff",
            other.address,
        )
        unknown = pycom(*arguments)
        assert unknown.returncode == 1
        assert unknown.stderr.startswith("pycom: error 3: ")
        command = ("describe", "-n", other.address, "org.pycom.nameserver")
        done = pycom(*command, "--diff", network["nameserver"])
        assert (done.returncode, done.stdout) == (0, "Nothing has changed.\n")


@pytest.mark.parametrize(
    ("other", "status", "message"),
    [
        ("missing.json", 2, "Cannot read missing.json: No such file or directory"),
        ("text.json", 2, "text.json does not hold what `pycom describe --json` prints"),
        ("number.json", 2, "number.json does not hold what `pycom describe --json` prints"),
        ("deep.json", 2, "deep.json does not hold what `pycom describe --json` prints"),
        (
            "tcp://127.0.0.1:1",
            1,
            "com.foo.shop cannot be reached: tcp://127.0.0.1:1: Conn",
        ),
        ("nonsense://x", 2, "nonsense://x"),
    ],
)
def test_diff_with_nothing(
    network: dict[str, str], tmp_path: Path, other: str, status: int, message: str
) -> None:
    (tmp_path / "text.json").write_bytes(b"\xff")
    (tmp_path / "number.json").write_text('{"name": 3}')
    (tmp_path / "deep.json").write_text("[" * 100_000)
    command = ("describe", "-t", "500", "-n", network["nameserver"], "com.foo.shop")
    done = pycom(*command, "--diff", other, directory=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("pycom: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_stubs(network: dict[str, str], tmp_path: Path) -> None:
    command = ("stubs", "-n", network["nameserver"], "-s", "/shop/old", "com.foo.shop")
    written = pycom(*command)
    assert (written.returncode, written.stderr) == (0, "")
    assert "class ShopClient:" in written.stdout
    done = pycom(*command, "-o", "client.py", directory=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "client.py").read_text() == written.stdout
    assert pycom(*command, "-o", "-", directory=tmp_path).stdout == written.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["client.py"]
    nowhere = pycom("stubs", "com.foo.shop", "-o", "no/such/directory.py", directory=tmp_path)
    assert nowhere.returncode == 2
    assert "There is no directory 'no/such'" in nowhere.stderr


def test_without_the_plugin(network: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "pycom.json"
    config.write_text('{"plugins": {"disable": ["descriptions"]}}')
    done = pycom("describe", "-n", network["nameserver"], "com.foo.shop", "-c", str(config))
    assert done.returncode == 2
    assert "'descriptions'" in done.stderr
