"""Odd ways to declare a method: each works, or is refused at the class with a helpful message."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
from in_process import MakeRuntime, call

from pycom_core import ServiceServer

IFACE = "com.foo.odd"

#: Names that the sources below may use.
PREAMBLE = """
import abc, asyncio, contextlib, dataclasses, enum, functools, typing
import attrs
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
import pycom_core
from pycom_core import Future, Interface, Method, Request, interface, method
from pycom_plugins.checks import check_argument
T = TypeVar("T")

def plain(function):
    def call(*args, **kwargs):
        return function(*args, **kwargs)
    return call

def wrapping(function):
    @functools.wraps(function)
    def call(self, request, *args, **kwargs):
        return ["wrapped", function(self, request, *args, **kwargs)]
    return call

class Wrapper:
    def __init__(self, function):
        functools.update_wrapper(self, function)

class Adder:
    def __call__(self, service, request, a):
        return [type(service).__name__, a]

class AsyncAdder:
    async def __call__(self, service, request, a):
        return [type(service).__name__, a]

class Mixin:
    @method
    def f(self, request, a=1):
        return ["mixin", a]

class Free(Method):
    def run(self, iface, request):
        return self.wrapped(iface.instance, **request.args)
"""


def declared(source: str) -> Any:
    """Return the class `Odd` of a source, which may be only its body."""
    source = textwrap.dedent(source).strip()
    if "class Odd" not in source:
        body = textwrap.indent(source, "    ")
        source = f"@interface({IFACE!r})\nclass Odd:\n{body}\n"
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(compile(PREAMBLE + source, "<declared>", "exec", dont_inherit=True), namespace)
    return namespace["Odd"]


#: Sources, the arguments that `f` is called with, and its result.
WORKS: dict[str, tuple[str, Any, Any]] = {
    # Arguments.
    "no argument": ("@method\ndef f(self, request): return 1", None, 1),
    "required": ("@method\ndef f(self, request, a): return a", {"a": 1}, 1),
    "optional": ("@method\ndef f(self, request, a=1): return a", {}, 1),
    "default None": ("@method\ndef f(self, request, a=None): return a", {}, None),
    "mutable default": ("@method\ndef f(self, request, a=[1]): return a", {}, [1]),
    "default that is no JSON": (
        "@method\ndef f(self, request, a=object): return a is object",
        {},
        True,
    ),
    "keyword-only": ("@method\ndef f(self, request, *, a): return a", {"a": 1}, 1),
    "keyword-only with a default": ("@method\ndef f(self, request, *, a=1): return a", {}, 1),
    "keyword-only, mixed": (
        "@method\ndef f(self, request, a, *, b, c=3, d): return [a, b, c, d]",
        {"d": 4, "b": 2, "a": 1},
        [1, 2, 3, 4],
    ),
    "positional-only": ("@method\ndef f(self, request, a, /): return a", {"a": 1}, 1),
    "positional-only with a default": (
        "@method\ndef f(self, request, a=1, b=2, /): return [a, b]",
        {"b": 3},
        [1, 3],
    ),
    "positional-only up to the request": (
        "@method\ndef f(self, request, /, a): return a",
        {"a": 1},
        1,
    ),
    "all kinds": (
        "@method\ndef f(self, request, a, /, b, c=3, *, d, e=5): return [a, b, c, d, e]",
        {"a": 1, "b": 2, "d": 4},
        [1, 2, 3, 4, 5],
    ),
    "all kinds, typed": (
        "@method\n"
        "def f(self, request, a: int, /, b: str = 'b', *, c: float = 1.0): return [a, b, c]",
        {"a": 1},
        [1, "b", 1.0],
    ),
    "arguments with names of ours": (
        "@method\ndef f(self, request, args, kwargs, timeout, name, method, attachment):\n"
        "    return [args, kwargs, timeout, name, method, attachment]",
        dict.fromkeys(("args", "kwargs", "timeout", "name", "method", "attachment"), 1),
        [1] * 6,
    ),
    "argument with the name of the object": (
        "@method\ndef f(this, request, self): return self",
        {"self": 1},
        1,
    ),
    "argument in another alphabet": (
        "@method\ndef f(self, request, größe): return größe",
        {"größe": 1},
        1,
    ),
    # The request.
    "request, shortened": ("@method\ndef f(self, req, a): return a", {"a": 1}, 1),
    "request that is not used": ("@method\ndef f(self, _, a): return a", {"a": 1}, 1),
    "request with more to its name": (
        "@method\ndef f(self, _request, a): return a",
        {"a": 1},
        1,
    ),
    "request by its annotation": (
        "@method\ndef f(self, call: Request, a): return [call.method, a]",
        {"a": 1},
        ["f", 1],
    ),
    "request by its annotation, as text": (
        "@method\ndef f(self, call: 'pycom_core.Request', a): return a",
        {"a": 1},
        1,
    ),
    "request with a default": ("@method\ndef f(self, request=None, a=1): return a", {}, 1),
    # Functions that are no plain ones.
    "async": ("@method\nasync def f(self, request, a): return a", {"a": 1}, 1),
    "async that waits": (
        "@method\nasync def f(self, request):\n    await asyncio.sleep(0)\n    return 1",
        {},
        1,
    ),
    "def that gives a coroutine": (
        "async def g(self, a): return a\n@method\ndef f(self, request, a): return self.g(a)",
        {"a": 1},
        1,
    ),
    "lambda": ("f = method('f')(lambda self, request, a: a)", {"a": 1}, 1),
    "object that can be called": ("f = method('f')(Adder())", {"a": 1}, ["Odd", 1]),
    "object that can be called, async": ("f = method('f')(AsyncAdder())", {"a": 1}, ["Odd", 1]),
    "partial": (
        "f = method('f')(functools.partial(lambda self, request, a, b: [a, b], b=2))",
        {"a": 1},
        [1, 2],
    ),
    "closure": (
        "def make(n):\n"
        "    @method('f')\n    def g(self, request, a): return a + n\n    return g\n"
        "g = make(2)",
        {"a": 1},
        3,
    ),
    "signature of its own": (
        "def g(self, request, **given): return given\n"
        "import inspect\n"
        "g.__signature__ = inspect.signature(lambda self, request, *, a: 0)\n"
        "f = method('f')(g)",
        {"a": 1},
        {"a": 1},
    ),
    "body": (
        f"""
        @interface({IFACE!r})
        class Odd:
            pass
        Odd.__interface__.register_method(method("f", body=lambda self, request, a: a))
        """,
        {"a": 1},
        1,
    ),
    # Decorators.
    "parentheses": ("@method()\ndef f(self, request): return 1", {}, 1),
    "name None": ("@method(None)\ndef f(self, request): return 1", {}, 1),
    "another name": ("@method('f')\ndef g(self, request): return 1", {}, 1),
    "wrapping decorator below": (
        "@method\n@wrapping\ndef f(self, request, a): return a",
        {"a": 1},
        ["wrapped", 1],
    ),
    "check": (
        "@check_argument('a', int)\n@method\ndef f(self, request, a): return a",
        {"a": 1},
        1,
    ),
    "decorator above that gives back the method": (
        "@typing.final\n@method\ndef f(self, request, a): return a",
        {"a": 1},
        1,
    ),
    "overloads": (
        "@typing.overload\ndef f(self, request, a: int) -> int: ...\n"
        "@typing.overload\ndef f(self, request, a: str) -> str: ...\n"
        "@method\ndef f(self, request, a): return a",
        {"a": 1},
        1,
    ),
    "two names for one function": ("@method\ndef f(self, request): return 1\ng = f", {}, 1),
    "Method that binds its arguments itself": (
        "@method(method_factory=Free)\ndef f(self, **given): return given",
        {"a": 1},
        {"a": 1},
    ),
    "helpers of other kinds beside it": (
        "@staticmethod\ndef s(): return 1\n"
        "@classmethod\ndef c(cls): return 2\n"
        "@property\ndef p(self): return 3\n"
        "@method\ndef f(self, request): return [self.s(), self.c(), self.p]",
        {},
        [1, 2, 3],
    ),
    "partialmethod of it beside it": (
        "@method\ndef f(self, request, a): return a\ng = functools.partialmethod(f, a=2)",
        {"a": 1},
        1,
    ),
    # Results and attachments.
    "results in a list": ("@method(results=['a'])\ndef f(self, request): return 1", {}, {"a": 1}),
    "several results": (
        "@method(results=('a', 'b'))\ndef f(self, request): return 1, 2",
        {},
        {"a": 1, "b": 2},
    ),
    "attachments in a list": (
        "@method(attachments=['a', None])\ndef f(self, request, a=b''): return len(a)",
        {},
        0,
    ),
    # Classes.
    "inherited": (f"@interface({IFACE!r})\nclass Odd(Mixin): pass", {}, ["mixin", 1]),
    "mixed in and replaced": (
        f"@interface({IFACE!r})\nclass Odd(Mixin):\n"
        "    @method\n    def f(self, request, a=2): return super().f(request, a)",
        {},
        ["mixin", 2],
    ),
    "interface of a class that is one": (
        f"@interface('com.foo.base')\nclass Base(Mixin): pass\n"
        f"@interface({IFACE!r})\nclass Odd(Base): pass",
        {"a": 3},
        ["mixin", 3],
    ),
    "slots": (
        f"@interface({IFACE!r})\nclass Odd(Mixin):\n    __slots__ = ('x',)",
        {},
        ["mixin", 1],
    ),
    "generic": (f"@interface({IFACE!r})\nclass Odd(Mixin, Generic[T]): pass", {}, ["mixin", 1]),
    "metaclass": (
        f"class Meta(type): pass\n@interface({IFACE!r})\nclass Odd(Mixin, metaclass=Meta): pass",
        {},
        ["mixin", 1],
    ),
    **{
        f"{decorator} {place}": (
            "{}\nclass Odd(Mixin):\n    n: int = 7\n"
            "    @method\n    def f(self, request): return [self.n, super().f(request)]".format(
                f"{decorator}\n@interface({IFACE!r})"
                if place == "above"
                else f"@interface({IFACE!r})\n{decorator}"
            ),
            {},
            [7, ["mixin", 1]],
        )
        for decorator in (
            "@attrs.define",
            "@attrs.frozen",
            "@attrs.define(slots=False)",
            "@dataclasses.dataclass",
            "@dataclasses.dataclass(slots=True)",
        )
        for place in ("above", "below")
        # A dataclass with slots breaks the `super()` of its methods, ours or not.
        if decorator != "@dataclasses.dataclass(slots=True)"
    },
    **{
        f"dataclass with slots {place}": (
            f"{decorators}\nclass Odd(Mixin):\n    n: int = 7\n"
            "    @method\n    def f(self, request): return self.n",
            {},
            7,
        )
        for place, decorators in {
            "above": f"@dataclasses.dataclass(slots=True)\n@interface({IFACE!r})",
            "below": f"@interface({IFACE!r})\n@dataclasses.dataclass(slots=True)",
        }.items()
    },
}


@pytest.mark.parametrize(("source", "args", "result"), WORKS.values(), ids=WORKS)
def test_declaration_that_works(
    source: str, args: Any, result: Any, make_runtime: MakeRuntime
) -> None:
    odd = declared(source)
    assert odd.__interface__.invoke("f", args) == result
    server = ServiceServer(["local://a"], [odd], make_runtime())
    assert call(server, IFACE, "f", args) == {"code": 0, "result": result}
    assert type(server.interfaces[IFACE].instance) is odd


def test_method_of_a_base_that_is_not_to_be() -> None:
    odd = declared(f"@interface({IFACE!r})\nclass Odd(Mixin):\n    f = None")
    assert odd.__interface__.methods == {}


REQUEST = "write def …(self, request, …)"
NAMES = "name them, with a default those that may be missing"
ORDINARY = "an ordinary "
#: Sources, and the messages on them: the method, and what to do.
REFUSED: dict[str, tuple[str, list[str]]] = {
    # Parameters.
    "nothing": ("@method\ndef f(): pass", ["Odd.f()", REQUEST]),
    "no request": ("@method\ndef f(self): pass", ["Odd.f(self)", REQUEST]),
    "no request, async": ("@method\nasync def f(self): pass", ["Odd.f(self)", REQUEST]),
    "no object": ("@method\ndef f(request): pass", ["Odd.f(request)", REQUEST]),
    "argument instead of the request": (
        "@method\ndef f(self, name): pass",
        ["Odd.f", "'name'", "write def …(self, request, name, …)"],
    ),
    "typed argument instead of the request": (
        "@method\ndef f(self, name: str) -> str: pass",
        ["Odd.f", "'name'", "(self, request, name, …)"],
    ),
    "keyword-only request": ("@method\ndef f(self, *, request): pass", ["Odd.f", REQUEST]),
    "*args": ("@method\ndef f(self, request, *args): pass", ["Odd.f", "fills *args", NAMES]),
    "**kwargs": ("@method\ndef f(self, request, **kw): pass", ["Odd.f", "fills **kw", NAMES]),
    "**kwargs beside arguments": (
        "@method\ndef f(self, request, a, b=1, **more): pass",
        ["Odd.f", "fills **more", NAMES],
    ),
    "only *args and **kwargs": ("@method\ndef f(*args, **kwargs): pass", ["Odd.f", "*args"]),
    "decorator below that hides the arguments": (
        "@method('f')\n@plain\ndef f(self, request, a): pass",
        ["plain.<locals>.call", f"({IFACE}.f)", "have that use functools.wraps"],
    ),
    "generator": ("@method\ndef f(self, request): yield 1", ["Odd.f yields", "return a list"]),
    "async generator": (
        "@method\nasync def f(self, request): yield 1",
        ["Odd.f yields", "return a list"],
    ),
    "inherited": (
        f"class Base:\n    @method\n    def f(self): pass\n"
        f"@interface({IFACE!r})\nclass Odd(Base): pass",
        [f"Base.f ({IFACE}.f)(self)", REQUEST],
    ),
    "override that is no method": (
        f"""
        class Base:
            @method("g")
            def f(self, request): pass
        @interface({IFACE!r})
        class Odd(Base):
            def f(self, request): pass
        """,
        ["Odd.f takes the place of the method 'g' of Base", "with @method, or write f = None in"],
    ),
    "bound method as body": (
        f"""
        @interface({IFACE!r})
        class Odd:
            def g(self, request, a): pass
        Odd.__interface__.register_method(method("f", body=Odd().g))
        """,
        ["Odd.g", "'a', the first parameter after self"],
    ),
    # What is decorated.
    "static method below": (
        "@method\n@staticmethod\ndef f(request): pass",
        ["Odd.f", "above @staticmethod", ORDINARY],
    ),
    "class method below": (
        "@method\n@classmethod\ndef f(cls, request): pass",
        ["Odd.f", "above @classmethod", ORDINARY],
    ),
    "property below": (
        "@method\n@property\ndef f(self): pass",
        ["Odd.f", "above @property", ORDINARY],
    ),
    "static method above": (
        "@staticmethod\n@method\ndef f(self, request): pass",
        ["Odd.f", "the decorator above @method", ORDINARY],
    ),
    "class method above": (
        "@classmethod\n@method\ndef f(cls, request): pass",
        ["Odd.f", "the decorator above @method", ORDINARY],
    ),
    "property above": (
        "@property\n@method\ndef f(self, request): pass",
        ["Odd.f", "the decorator above @method", ORDINARY],
    ),
    "cached property above": (
        "@functools.cached_property\n@method\ndef f(self, request): pass",
        ["Odd.f", "the decorator above @method", ORDINARY],
    ),
    "wrapping decorator above": (
        "@wrapping\n@method\ndef f(self, request): pass",
        ["Odd.f", "pass by the decorator above @method", "put it below"],
    ),
    "cache above": (
        "@functools.lru_cache\n@method\ndef f(self, request): pass",
        ["Odd.f", "pass by the decorator above @method", "put it below"],
    ),
    "class as a decorator above": (
        "@Wrapper\n@method\ndef f(self, request): pass",
        ["Odd.f", "pass by the decorator above @method", "put it below"],
    ),
    "single dispatch above": (
        "@functools.singledispatchmethod\n@method\ndef f(self, request): pass",
        ["Odd.f", "pass by the decorator above @method", "put it below"],
    ),
    "context manager below": (
        "@method\n@contextlib.contextmanager\ndef f(self, request): yield",
        ["Odd.f", "gives a context manager"],
    ),
    "asynchronous context manager below": (
        "@method\n@contextlib.asynccontextmanager\nasync def f(self, request): yield",
        ["Odd.f", "gives a context manager"],
    ),
    "class": ("@method\nclass f: pass", ["Odd.f", "decorates functions"]),
    "no function": ("f = method('f')(5)", ["decorates functions, not 5"]),
    "partial without a name": (
        "f = method(functools.partial(lambda self, request: 1))",
        ["has no name", '@method("name")'],
    ),
    "built-in function": ("f = method('f')(len)", ["len", "from a function of yours"]),
    "built-in function without a signature": (
        "f = method('f', body=dict.fromkeys.__class__)",
        ["decorates functions"],
    ),
    "decorated twice": (
        "@method('f')\n@method('g')\ndef f(self, request): pass",
        ["Odd.f is the method 'g' already", "register_method(method('f', body=…))"],
    ),
    "check below": (
        "@method\n@check_argument('a', int)\ndef f(self, request, a): pass",
        ["Odd.f", "@check_argument goes above @method"],
    ),
    # Names.
    "name that is no text": ("@method(5)\ndef f(self, request): pass", ["decorates functions"]),
    "name in bytes": ("@method(b'f')\ndef f(self, request): pass", ["decorates functions"]),
    "empty name": ("@method('')\ndef f(self, request): pass", ["Odd.f", "name", "''"]),
    # Results and attachments.
    "one result as a text": (
        "@method(results=('only'))\ndef f(self, request): pass",
        ["Odd.f", "results is 'only'", '("one",)'],
    ),
    "results in a set": (
        "@method(results={'a', 'b'})\ndef f(self, request): pass",
        ["Odd.f", "results is {", "a tuple of names"],
    ),
    "no results": (
        "@method(results=None)\ndef f(self, request): pass",
        ["Odd.f", "results is None", "a tuple of names"],
    ),
    "result without a name": (
        "@method(results=('a', 1))\ndef f(self, request): pass",
        ["Odd.f", "results is ('a', 1)", "a tuple of names"],
    ),
    "result twice": (
        "@method(results=('a', 'a'))\ndef f(self, request): pass",
        ["Odd.f", "each of them once"],
    ),
    "attachment that stands alone": (
        "@method(attachments='ab')\ndef f(self, request, ab): pass",
        ["Odd.f", "attachments is 'ab'", '("blob", None)'],
    ),
    "attachments of the wrong length": (
        "@method(attachments=('a',))\ndef f(self, request, a): pass",
        ["Odd.f", "attachments is ('a',)", '("blob", None)'],
    ),
    "attachments of another type": (
        "@method(attachments=(True, None))\ndef f(self, request): pass",
        ["Odd.f", "attachments is (True, None)", '("blob", None)'],
    ),
    "attachment that is no argument": (
        "@method(attachments=('blob', None))\ndef f(self, request): pass",
        ["Odd.f", "'blob'", "not among its own"],
    ),
    "attachment that is no result": (
        "@method(results=('info', 'img'), attachments=(None, 'image'))\ndef f(self, request): pass",
        ["Odd.f", "the result 'image'", "not among its own: 'info', 'img'"],
    ),
    "attachment without results": (
        "@method(attachments=(None, 'image'))\ndef f(self, request): pass",
        ["Odd.f", "the result 'image'", "name them: results=(…)"],
    ),
    # Classes.
    "interface without a name": (
        "@interface\nclass Odd(Mixin): pass",
        ["Odd", '@interface("com.foo.example")'],
    ),
    "interface with an empty name": (
        "@interface('')\nclass Odd(Mixin): pass",
        ["Odd", "needs a name"],
    ),
    "interface with a name in bytes": (
        "@interface(b'com.foo')\nclass Odd(Mixin): pass",
        ["Odd", "needs a name", "b'com.foo'"],
    ),
    "two interfaces": (
        "@interface('com.foo.a')\n@interface('com.foo.b')\nclass Odd(Mixin): pass",
        ["Odd is the interface com.foo.b already", "derived from it"],
    ),
    "two interfaces with slots between": (
        "@interface('com.foo.a')\n@attrs.define\n@interface('com.foo.b')\nclass Odd(Mixin): pass",
        ["Odd is the interface com.foo.b already", "derived from it"],
    ),
    "interface of a function": (
        "@interface('com.foo.a')\ndef odd(self, request): pass\nclass Odd: pass",
        ["decorates classes, not <function odd"],
    ),
    "interface of an object": (
        "class Odd(Mixin): pass\ninterface('com.foo.a')(Odd())",
        ["decorates classes, not <"],
    ),
}


@pytest.mark.parametrize(("source", "says"), REFUSED.values(), ids=REFUSED)
def test_declaration_that_is_refused(source: str, says: list[str]) -> None:
    with pytest.raises(TypeError) as caught:
        declared(source)
    for part in says:
        assert part in str(caught.value)


def test_two_functions_of_one_name_are_both_named() -> None:
    with pytest.raises(RuntimeError) as caught:
        declared(
            "@method('f')\ndef one(self, request): pass\n@method('f')\ndef two(self, request): pass"
        )
    for part in ("'f' is already registered", IFACE, "Odd.one", "Odd.two", "another"):
        assert part in str(caught.value)
