"""Two classes of one process with an interface of one name."""

from __future__ import annotations

import dataclasses
import gc
import importlib
import importlib.util
import re
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import attrs
import pytest

from pycom_core import constants, interface
from pycom_core.server import _namesakes as namesakes

NAME = "com.foo.namesake"
PROVIDER = """
import pycom

@pycom.interface({name!r})
class {cls}:
    @pycom.method
    def f(self, request): pass
"""


def provider(cls: str, name: str = NAME) -> str:
    return PROVIDER.format(cls=cls, name=name)


Load = Callable[..., types.ModuleType]


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Writes modules and imports them; they are gone after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # its clock does not tell edits apart

    def load(module: str, source: str) -> types.ModuleType:
        sys.modules.pop(module, None)
        (tmp_path / f"{module}.py").write_text(source)
        importlib.invalidate_caches()
        return importlib.import_module(module)

    yield load
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def refusal(new: str, old: str) -> str:
    return f"^Interface {re.escape(NAME)} of {new} is provided by {old} already; give one of them"


# Two classes.


def test_two_classes_of_a_module(modules: Load) -> None:
    with pytest.raises(RuntimeError, match=refusal(r"namesakes1\.Other", r"namesakes1\.One")):
        modules("namesakes1", provider("One") + provider("Other"))


@pytest.mark.parametrize("other", ["One", "Other"])
def test_two_classes_of_two_modules(other: str, modules: Load) -> None:
    modules("namesakes1", provider("One"))
    with pytest.raises(RuntimeError, match=refusal(rf"namesakes2\.{other}", r"namesakes1\.One")):
        modules("namesakes2", provider(other))


def test_class_that_was_refused_is_no_provider(modules: Load) -> None:
    modules("namesakes1", provider("One"))

    class Plain:
        pass

    Plain.__qualname__ = "Plain"  # as that of a module has
    with pytest.raises(RuntimeError, match="already"):
        interface(NAME)(Plain)
    assert not hasattr(Plain, "__interface__")
    modules("namesakes1", provider("One"))


def test_class_within_another(modules: Load) -> None:
    modules("namesakes1", "import pycom\nclass Outer:" + provider("One").replace("\n", "\n    "))
    with pytest.raises(RuntimeError, match=refusal(r"namesakes2\.One", r"namesakes1\.Outer\.One")):
        modules("namesakes2", provider("One"))


@pytest.mark.parametrize(
    "remade", [dataclasses.dataclass(slots=True), attrs.define], ids=["dataclass", "attrs"]
)
def test_class_that_is_made_anew_keeps_the_name(
    remade: Callable[[type], type], modules: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.remade", remade, raising=False)
    source = provider("One").replace("@pycom.interface", "@remade\n@pycom.interface")
    for _ in range(2):
        modules("namesakes1", source)
    gc.collect()  # the class as it was first
    with pytest.raises(RuntimeError, match=refusal(r"namesakes2\.One", r"namesakes1\.One")):
        modules("namesakes2", provider("One"))


# The same class again.


def test_module_is_executed_again(modules: Load) -> None:
    module = modules("namesakes1", provider("One"))
    importlib.reload(module)
    exec(provider("One"), vars(module))
    modules("namesakes1", provider("One"))


def test_module_is_both_the_program_and_imported(tmp_path: Path) -> None:
    source = provider("One") + "import both\nassert (both.One is One) is (__name__ == 'both')"
    (tmp_path / "both.py").write_text(source)
    for program in (["-m", "both"], ["both.py"]):
        subprocess.run([sys.executable, *program], cwd=tmp_path, check=True, timeout=60)


def test_file_is_loaded_under_two_names(modules: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    path = modules("namesakes1", provider("One")).__file__
    for name in ("namesakes2", "folder.namesakes1"):
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)  # not to be imported yet
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    with pytest.raises(RuntimeError, match=refusal(r"namesakes3\.One", r"folder\.namesakes1\.One")):
        modules("namesakes3", provider("One"))


def test_source_is_executed_in_no_module(modules: Load) -> None:
    modules("namesakes1", provider("One"))
    for space in ({}, {"__name__": "no_module_of_anybody"}, {"__name__": "namesakes1"}):
        for _ in range(2):
            exec(provider("One"), space)


# A name that is free.


def test_class_that_is_gone_frees_its_name(modules: Load) -> None:
    module = modules("namesakes1", provider("One"))
    del module.One
    modules("namesakes2", provider("Other"))


def test_module_that_is_gone_frees_its_names(modules: Load) -> None:
    module = modules("namesakes1", provider("One"))
    del sys.modules[module.__name__]
    modules("namesakes2", provider("Other"))


def test_class_that_is_not_what_its_module_has_frees_its_name(modules: Load) -> None:
    modules("namesakes1", provider("One"))
    with mock.patch("namesakes1.One"):
        modules("namesakes2", provider("Other"))


def test_class_that_did_not_come_about_has_no_name(modules: Load) -> None:
    broken = "def broken(cls): raise KeyError\n" + provider("One")
    with pytest.raises(KeyError):
        modules("namesakes1", broken.replace("@pycom.interface", "@broken\n@pycom.interface"))
    modules("namesakes2", provider("Other"))


def test_nothing_is_kept_of_what_is_gone() -> None:
    interface("com.foo.fleeting")(type("Fleeting", (), {}))
    gc.collect()
    assert "com.foo.fleeting" not in namesakes._holders


# Doubles.


def test_class_in_a_function_has_any_name_and_takes_none(modules: Load) -> None:
    def double() -> Any:
        @interface(NAME)
        class Double:
            pass

        return Double

    double()
    modules("namesakes1", provider("One"))
    assert double().__interface__.name == NAME
    with pytest.raises(RuntimeError, match=refusal(r"namesakes2\.Other", r"namesakes1\.One")):
        modules("namesakes2", provider("Other"))


def test_derived_class_may_have_the_name_of_its_base(modules: Load) -> None:
    derived = "from namesakes1 import One\n" + provider("{cls}(One)")
    modules("namesakes1", provider("One"))
    modules("namesakes2", derived.format(cls="Double"))
    modules("namesakes1", provider("One"))
    modules("namesakes3", derived.format(cls="Another"))
    with pytest.raises(RuntimeError, match=refusal(r"namesakes4\.Other", r"namesakes1\.One")):
        modules("namesakes4", provider("Other"))


def test_class_may_be_derived_from_what_was_loaded_before(modules: Load) -> None:
    former = modules("namesakes1", provider("One"))
    modules("namesakes1", provider("One"))
    former.One.__interface__  # noqa: B018 - it is not gone
    derived = type("Double", (former.One,), {})
    assert vars(interface(NAME)(derived))["__interface__"].name == NAME


@pytest.mark.parametrize("first", ["own", "pycom_plugins.authentication.service"])
def test_program_may_bring_what_pycom_has(first: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(provider("Authenticator", constants.AUTH_INTERFACE))
    both = f"import {first}, own, pycom_plugins.authentication.service"
    subprocess.run([sys.executable, "-c", both], check=True, cwd=tmp_path, timeout=60)


NESTED = """
import pycom

class Outer:
    @pycom.interface({name!r})
    class One:
        @pycom.method
        def f(self, request): pass

    @pycom.interface({name!r})
    class {other}:
        @pycom.method
        def f(self, request): pass
"""


@pytest.mark.parametrize("other", ["Two", "One"])
def test_two_in_one_class_are_refused(other: str, modules: Load) -> None:
    with pytest.raises(RuntimeError, match=refusal(f"nest.Outer.{other}", "nest.Outer.One")):
        modules("nest", NESTED.format(name=NAME, other=other))


def test_reloaded_class_within_a_class_may_have_another_name(modules: Load) -> None:
    once = "\n".join(NESTED.format(name=NAME, other="Two").splitlines()[:8])
    modules("nest", once)
    modules("nest", once.replace("One", "Another"))


def test_class_pasted_twice_is_refused(modules: Load) -> None:
    with pytest.raises(RuntimeError, match=refusal("pasted.One", "pasted.One")):
        modules("pasted", provider("One") + provider("One"))
