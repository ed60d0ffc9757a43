"""Requirements of plugins: other plugins, and distributions in some version."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from in_process import Distributions, MakeRuntime

from pycom_core import PluginError
from pycom_core.plugins._manager import Plugins


def needing(*requirements: str) -> str:
    return f"pycom_requires = {requirements!r}"


@pytest.mark.parametrize(
    "requirements",
    [
        (),
        ("call",),
        ("zz",),
        ("pycom>=1.0",),
        ("pycom >= 1.0, < 9",),
        ("PyCOM~=1.0",),
        ("call", "zz", "pycom!=0.6", "dist-zz==1.*"),
    ],
)
def test_met(
    requirements: tuple[str, ...], distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin("zz", "")
    distributions.plugin("mine", needing(*requirements))
    infos = make_runtime().plugins.infos
    assert (infos["mine"].state, infos["mine"].requires) == ("active", requirements)


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        ("nowhere", "needs the plugin 'nowhere', which is not installed"),
        ("demo", "needs the plugin 'demo', which is disabled"),
        ("pycom>=2", "needs pycom>=2, but installed is pycom 1."),
        ("nowhere>=1", "needs nowhere>=1, which is not installed"),
        ("pycom>=one", "needs 'pycom>=one', which is no requirement"),
        (">=1", "needs '>=1', which is no requirement"),
    ],
)
def test_unmet(
    requirement: str, reason: str, distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin("mine", needing("call", requirement))
    with pytest.raises(PluginError) as caught:
        make_runtime(disable=("demo",))
    for part in ("'mine'", "dist-mine 1.0", reason, "plugins.disable"):
        assert part in str(caught.value)


@pytest.mark.parametrize("metadata", ["Name: dist-odd\nVersion: odd_one", ""])
def test_distribution_of_no_version_is_named(
    metadata: str, distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin("mine", needing("dist-odd>=1"))
    distributions.add("dist-odd")
    (distributions.folder / "dist_odd-1.0.dist-info" / "METADATA").write_text(metadata)
    with pytest.raises(PluginError, match="dist-mine 1.0 needs dist-odd>=1, "):
        make_runtime()


@pytest.mark.parametrize("stated", ["'call'", "5", "[5]", "{'call': '1'}"])
def test_stated_wrongly(
    stated: str, distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    distributions.plugin("mine", f"pycom_requires = {stated}")
    with pytest.raises(PluginError, match=r"'mine' of dist-mine 1.0 has pycom_requires = .*tuple"):
        make_runtime()


def test_optional_plugins_fall_with_what_they_need(
    distributions: Distributions, make_runtime: MakeRuntime
) -> None:
    names = {"a": "b", "b": "c", "c": "nowhere", "d": "e", "e": "d"}
    for name, needed in names.items():
        distributions.plugin(name, needing(needed) + "\n@hookimpl\ndef pycom_prehook(): pass")
    plugins = make_runtime(optional=tuple("abc")).plugins
    states = {name: plugins.infos[name].state for name in names}
    assert states == {"a": "failed", "b": "failed", "c": "failed", "d": "active", "e": "active"}
    assert "needs the plugin 'b', which is failed" in plugins.infos["a"].reason
    assert plugins.order("pycom_prehook") == ["d", "e"]


def test_by_hand() -> None:
    plugins = Plugins()
    mine: Any = SimpleNamespace(pycom_requires=["other"])
    with pytest.raises(
        PluginError, match=r"'mine' \(registered by hand\) needs the plugin 'other'"
    ):
        plugins.register(mine, "mine")
    assert not plugins.infos
    plugins.register(SimpleNamespace(), "other")
    plugins.register(mine, "mine")
    assert plugins.active == {"mine", "other"}
