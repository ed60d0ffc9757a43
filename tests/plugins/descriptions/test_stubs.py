"""Typed clients: mypy accepts them, and they call."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_process import MakeRuntime, running
from plugins.descriptions.describing import NAME, described, description
from plugins.typed_methods import store

import pycom
from pycom_core import ServiceServer
from pycom_plugins.descriptions.description import Description, Method, Schemas, understand
from pycom_plugins.descriptions.stubs import write
from pycom_plugins.typed_methods.contracts import typed

TEA = {"name": "tea", "price": 3}


@pytest.fixture(scope="module")
def source() -> str:
    import msgspec

    return write(understand(msgspec.to_builtins(typed(store.Store).introspect())))


def load(source: str, path: Path) -> Any:
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mypy(*files: Path) -> tuple[int, str]:
    """Status and words of mypy about files of one directory."""
    directory = files[0].parent
    environ = dict(os.environ)
    installed = Path(pycom.__file__).parents[1]
    if installed.name != "site-packages":  # mypy cannot follow an editable installation
        environ["MYPYPATH"] = str(installed)
    # Of what is imported only the types count: it is checked elsewhere.
    options = ["--strict", "--config-file=", "--follow-imports=silent"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *map(str, files)],
        cwd=directory,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


USE = """
from __future__ import annotations

import pycom
from store_client import INTERFACE, AsyncStoreClient, Attachment, Item, StoreClient


def use(context: pycom.Context) -> None:
    with context.locate(INTERFACE) as component:
        store = StoreClient(component)
        tea: Item = {"name": "tea", "price": 3}
        items = store.items([tea, *store.items([])])
        price: float = items[0]["price"]
        pair: tuple[object, Attachment | None] = store.mirror(2, b"abc")
        text: str = store.times("", "", "", "")[0]
        StoreClient(component.with_timeout(100)).items([])
        print(price, pair, text, store.limits(count=3), store.pet({"type": "Cat", "lives": 9}))


async def use_later(context: pycom.AsyncContext) -> Item:
    async with context, context.locate(INTERFACE) as component:
        await AsyncStoreClient(component.with_timeout(100)).later({"name": "tea", "price": 3})
        return await AsyncStoreClient(component).later({"name": "tea", "price": 3, "color": "red"})
"""

#: Lines that are wrong, and what mypy says of them.
MISUSE = {
    "store.items(3)": "arg-type",
    'store.items([{"name": "tea"}])': "typeddict-item",
    'store.items([{"name": "tea", "price": "3"}])': "typeddict-item",
    'store.items([{"name": "tea", "price": 3, "color": "green"}])': "typeddict-item",
    'store.number("3")': "call-arg",
    'store.number(whole="3")': "arg-type",
    "store.items()": "call-arg",
    "store.nowhere()": "attr-defined",
    "print(store.items([])[0].name)": "attr-defined",
    "text: str = store.by_another_name(1)": "assignment",
}


def test_mypy_accepts_it_and_finds_faults_with_it(source: str, tmp_path: Path) -> None:
    (tmp_path / "store_client.py").write_text(source)
    (tmp_path / "use.py").write_text(USE)
    head = "from store_client import StoreClient\n\n\ndef use(store: StoreClient) -> None:\n"
    (tmp_path / "misuse.py").write_text(head + "".join(f"    {line}\n" for line in MISUSE))
    names = ("store_client.py", "use.py", "misuse.py")
    status, said = mypy(*(tmp_path / name for name in names))
    complaints = [line for line in said.splitlines() if ": error: " in line]
    assert status == 1
    assert all(line.startswith("misuse.py:") for line in complaints), said
    for number, (line, code) in enumerate(MISUSE.items(), 5):
        assert any(
            one.startswith(f"misuse.py:{number}:") and one.endswith(f"[{code}]")
            for one in complaints
        ), (line, said)


@pytest.fixture
def client(source: str, tmp_path: Path) -> Any:
    return load(source, tmp_path / "store_client.py")


def test_it_calls(client: Any) -> None:
    component = typed(store.Store)
    store_client = client.StoreClient(component)
    assert client.INTERFACE == store.NAME
    assert store_client.items([TEA]) == [store.Item("tea", 3.0)]
    assert store_client.number(part=2) == [0, 2.0, "float"]
    assert store_client.mirror(2, b"abc") == ({"size": 6}, b"cba")
    assert store_client.maybe(times=2) == "nonenone"
    assert store_client.maybe(image=b"a", times=2) == "aa"
    assert store_client.defaults(items=[1]) == [None, [1], False]
    assert store_client.by_another_name(3) == 3
    assert store_client.list([3]) == [3]
    assert store_client.nothing() is None
    assert store_client.plain() is None
    with pytest.raises(pycom.BadRequest):
        store_client.items(3)


def test_it_calls_over_the_wire_and_in_asyncio(client: Any, make_runtime: MakeRuntime) -> None:
    runtime = make_runtime()
    server = ServiceServer(["local://store"], [store.Store], runtime)

    async def later() -> Any:
        async with pycom.AsyncContext(runtime=runtime) as context:
            component = await context.connect("local://store", client.INTERFACE)
            store_client = client.AsyncStoreClient(component)
            pair = await store_client.mirror(1, b"abc")
            return await store_client.later(TEA), pair[0], bytes(pair[1])

    with running(server):
        context = pycom.Context(runtime=runtime)
        with context.connect("local://store", client.INTERFACE) as component:
            full = {**TEA, "color": "red", "parts": []}
            assert client.StoreClient(component).items([TEA]) == [full]
        assert asyncio.run(later()) == (full, {"size": 3}, b"cba")


def test_method_that_may_take_more_than_it_declares(tmp_path: Path) -> None:
    def echo(self, request):  # type: ignore[no-untyped-def]
        return request.args

    def some(self, request, kwargs, self_=1): ...  # type: ignore[no-untyped-def]

    def reset(self, request): ...  # type: ignore[no-untyped-def]

    class Component:
        def invoke(self, method: str, args: Any) -> Any:
            return args

    def client(function: Any, name: str, **said: Any) -> Any:
        found = described(function)
        found["methods"][name].update(said)
        source = write(understand(found))
        return load(source, tmp_path / f"{name}_client.py").SomeClient(Component())

    assert client(echo, "echo").echo(a=1, self_=2) == {"a": 1, "self_": 2}
    # As a service of another maker may say it.
    more = client(some, "some", additional_arguments=True)
    assert more.some(1, other=2) == {"kwargs": 1, "other": 2}
    with pytest.raises(TypeError, match="timeout"):
        client(reset, "reset").reset(timeout=5)


def test_keyword_that_a_method_does_not_have(client: Any) -> None:
    class Component:
        def invoke(self, *args: Any, **kwargs: Any) -> Any:
            pytest.fail("it was called")

    with pytest.raises(TypeError, match="itmes"):
        client.StoreClient(Component()).items([TEA], itmes=[])


def test_outgoing_attachment_that_is_not_there(tmp_path: Path) -> None:
    def f(self, request):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    options = {"results": ["n", "blob"], "attachments": (None, "blob")}
    module = load(write(description(f, **options)), tmp_path / "some_client.py")

    class Component:
        def invoke(self, *args: Any, **kwargs: Any) -> Any:
            return {"n": 1}

    assert module.SomeClient(Component()).f() == ({"n": 1}, None)


# Whatever a service calls its things.


def hostile(**changes: Any) -> Description:
    names = [
        "self",
        "class",
        "list",
        "Any",
        "cast",
        "UNSET",
        "_given",
        "a-b",
        "a_b",
        "1",
        "",
        "é",
        "__x",
    ]
    properties = {name: {"$ref": "#/$defs/Item"} for name in names}
    item = {
        "title": "Any",
        "description": 'Ends with "quote"',
        "type": "object",
        "properties": {**properties, 'a"b\\\n': {"type": "integer"}},
        "required": ["self"],
    }
    definitions = {"Item": item, "dict": {"title": "list", "enum": ["a\"'b\\", "\ud800", 1]}}
    arguments = {
        "type": "object",
        "properties": {**properties, "list": {"$ref": "#/$defs/dict"}, "é": {"type": "array"}},
        "$defs": definitions,
    }
    method = Method(
        names,
        ["int", "None"],
        schema=Schemas(arguments, {"$ref": "#/$defs/Item", "$defs": definitions}),
    )
    docstring = '"""\nimport os\n"""\\'
    methods = dict.fromkeys([*names, "Item", "ListClient", "dict", "str", "import os\n"], method)
    return Description(
        "x.list", {**methods, "doc": Method([], [], docstring=docstring)}, docstring + "\x00\ud800"
    )


def test_no_name_breaks_out(tmp_path: Path) -> None:
    source = write(hostile())
    tree = ast.parse(source)
    assert not any(
        isinstance(node, ast.Import) and node.names[0].name == "os" for node in ast.walk(tree)
    )
    module = load(source, tmp_path / "hostile_client.py")
    assert module.ListClient_.__doc__ is not None
    status, said = mypy(tmp_path / "hostile_client.py")
    assert (status, said.count("error")) == (0, 0), said


TEXT = st.text(st.characters(), max_size=6) | st.sampled_from(["int", "Any", '"""', "\\", "\n  x"])
SCHEMA: Any = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(["integer", "string", "null", "array"])})
    | st.fixed_dictionaries({"enum": st.lists(TEXT | st.integers() | st.none(), max_size=2)})
    | st.builds(lambda name: {"$ref": f"#/$defs/{name}"}, TEXT)
    | st.none()
    | st.dictionaries(st.sampled_from(["type", "enum", "anyOf", "properties", "required"]), TEXT),
    lambda inner: (
        st.fixed_dictionaries({"anyOf": st.lists(inner, max_size=2)})
        | st.fixed_dictionaries({"type": st.just("array"), "items": inner})
        | st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(TEXT, inner, max_size=2)},
            optional={"title": TEXT, "description": TEXT, "required": st.lists(TEXT, max_size=2)},
        )
    ),
    max_leaves=5,
)
PART = st.fixed_dictionaries(
    {},
    optional={
        "properties": st.dictionaries(TEXT, SCHEMA, max_size=2),
        "$defs": st.dictionaries(TEXT, SCHEMA, max_size=2),
        "$ref": st.builds(lambda name: f"#/$defs/{name}", TEXT),
    },
)
METHOD = st.fixed_dictionaries(
    {
        "required_arguments": st.lists(TEXT.map("a{}".format), max_size=2, unique=True),
        "optional_arguments": st.lists(TEXT.map("b{}".format), max_size=2, unique=True),
        "results": st.lists(TEXT, max_size=2),
        "docstring": st.none() | TEXT,
        "attachments": st.fixed_dictionaries(
            {"incoming": st.none() | TEXT, "outgoing": st.none() | TEXT}
        ),
        "schema": st.none() | st.fixed_dictionaries({"arguments": PART, "result": PART}),
    }
)
FOUND = st.fixed_dictionaries(
    {
        "name": TEXT,
        "methods": st.dictionaries(TEXT, METHOD, max_size=3),
        "docstring": st.none() | TEXT,
    }
)


@given(FOUND, FOUND)
def test_any_description_is_shown_compared_and_written(one: Any, other: Any) -> None:
    from pycom_plugins.descriptions.diff import compare
    from pycom_plugins.descriptions.text import signature

    compile(write(understand(one)), "stub", "exec")
    for name, method in understand(one).methods.items():
        assert signature(name, method).startswith(name)
        assert all(type_.bare() for type_ in method.definitions.values())
    assert compare(understand(one), understand(one)) == []
    compare(understand(one), understand(other))


def test_untyped_service() -> None:
    def echo(self, request, a, b=None):  # type: ignore[no-untyped-def]
        """Say it again."""

    assert '''
    def echo(self, a: Any, *, b: Any | UnsetType = UNSET) -> Any:
        """Say it again."""
        return self._component.invoke("echo", _given({"a": a, "b": b}))
''' in write(description(echo, typed_methods=False))
    assert f'INTERFACE = "{NAME}"' in write(description(echo))
