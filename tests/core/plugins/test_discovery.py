"""Discovery: the plugins that are installed now, whatever a cache remembers."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
import stevedore
from in_process import Distributions

from pycom_core import ConfigurationError
from pycom_core.plugins import _discovery as discovery
from pycom_core.plugins._discovery import GROUP, installed, installed_names


def targets(name: str) -> list[str]:
    """Return the targets of the entry points of a plugin."""
    return [entry_point.value for entry_point in installed() if entry_point.name == name]


def test_plugins_of_all_distributions_are_found(distributions: Distributions) -> None:
    distributions.add("dist-mine", mine="module_mine", other="module_other:Other")
    assert {"balancing", "call", "mine", "other"} <= set(installed_names())
    assert targets("other") == ["module_other:Other"]


def test_stevedore_is_asked_and_its_memory_is_not(
    distributions: Distributions, monkeypatch: pytest.MonkeyPatch
) -> None:
    lie = importlib.metadata.EntryPoint("liar", "module_liar", GROUP)
    monkeypatch.setattr(stevedore._cache, "get_group_all", lambda *_: [lie])
    monkeypatch.setattr(stevedore.ExtensionManager, "ENTRY_POINT_CACHE", {GROUP: [lie]})
    distributions.add("dist-mine", mine="module_mine")
    assert "liar" not in installed_names()
    assert targets("mine") == ["module_mine"]


#: What a process prints that finds a plugin, as one whose interpreter is not below /tmp: there
#: stevedore keeps no file. The file is written by it, not by us.
FIND = """
import sys
sys.executable = "/usr/bin/python3"
import stevedore._cache
stevedore._cache.get_group_all("pycom.plugins")
from pycom_core.plugins._discovery import installed
print(*[entry_point.value for entry_point in installed() if entry_point.name == "mine"])
"""


def found_by_a_process(folder: Path, cache: Path) -> str:
    environ = {**os.environ, "PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(cache)}
    ran = subprocess.run(
        [sys.executable, "-c", FIND], env=environ, capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


def test_plugin_that_is_installed_again_at_once_is_the_new_one(
    distributions: Distributions, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    distributions.add("dist-mine", mine="module_old")
    assert found_by_a_process(distributions.folder, cache) == "module_old"
    assert list(cache.rglob("*")), "stevedore has remembered it"
    [described] = distributions.folder.glob("*/entry_points.txt")
    before = described.stat()
    described.write_text("[pycom.plugins]\nmine = module_new\n")
    # Seconds later: the times differ, though not by what 32 bits can tell.
    os.utime(described, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))
    assert found_by_a_process(distributions.folder, cache) == "module_new"


def test_what_is_installed_while_the_process_runs_is_found(distributions: Distributions) -> None:
    assert "mine" not in installed_names()
    distributions.add("dist-mine", mine="module_mine")
    assert targets("mine") == ["module_mine"]


def test_metadata_is_read_once_while_nothing_changes(
    distributions: Distributions, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributions.add("dist-mine", mine="module_mine")
    before = installed()

    def read(**_: str) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(importlib.metadata, "entry_points", read)
    assert installed() == before
    os.utime(distributions.folder, ns=(1, 1))
    with pytest.raises(AssertionError, match="read again"):
        installed()


def test_one_plugin_of_two_distributions_counts_once(distributions: Distributions) -> None:
    distributions.add("dist-old-name", mine="module_mine")
    distributions.add("dist-new-name", mine="module_mine")
    assert targets("mine") == ["module_mine"]


def offer(distributions: Distributions, name: str, target: str) -> None:
    distributions.add(name)
    [described] = distributions.folder.glob(f"{name}-1.0.dist-info/entry_points.txt")
    described.write_text(f"[{discovery.SERVICES}]\ncom.foo.clock = {target}\n")


def test_service_of_an_interface_is_found(distributions: Distributions) -> None:
    distributions.module("module_clock", "class Clock: pass")
    offer(distributions, "one", "module_clock:Clock")
    offer(distributions, "twin", "module_clock:Clock")
    assert discovery.service("com.foo.clock").__name__ == "Clock"


def test_service_that_nobody_offers_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="'com.foo.clock' is needed .* there is nothing"):
        discovery.service("com.foo.clock")


def test_service_that_two_offer_is_an_error(distributions: Distributions) -> None:
    offer(distributions, "one", "module_clock:Clock")
    offer(distributions, "two", "module_watch:Watch")
    with pytest.raises(ConfigurationError, match="module_clock:Clock, module_watch:Watch"):
        discovery.service("com.foo.clock")


def test_what_is_no_folder_on_the_path_is_passed_over(
    distributions: Distributions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for entry in ("", str(tmp_path / "missing"), str(tmp_path / "missing.zip")):
        monkeypatch.syspath_prepend(entry)
    distributions.add("dist-mine", mine="module_mine")
    assert discovery.installed_names().count("mine") == 1
