"""The doctor: its reports on plugins that work, and on plugins that do not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result
from in_process import Distributions

from pycom_core import ConfigurationError, Settings, cli
from pycom_core.plugins._implementations import hook_names
from pycom_core.process._doctor import diagnosed, examine, explain
from pycom_core.settings import Plugins


def examined(name: str, settings: Settings | None = None) -> dict[str, Any]:
    """Return the doctor's report on one plugin."""
    [found] = [item for item in examine(diagnosed(settings or Settings())) if item["name"] == name]
    return found


def pycom(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, arguments)


def test_plugin_that_is_well(distributions: Distributions) -> None:
    distributions.plugin(
        "mine",
        """
        pycom_requires = ("call", "pycom>=1.0")
        @hookimpl
        def pycom_balancers(): return {"nearest": print, "first": print}
        @hookimpl(trylast=True)
        def pycom_configure(runtime): pass
        """,
    )
    found = examined("mine")
    assert found.pop("load_time_ms") > 0
    assert found.pop("order")["pycom_balancers"] == 2
    assert found == {
        "name": "mine",
        "distribution": "dist-mine",
        "version": "1.0",
        "state": "active",
        "reason": "",
        "requires": ["call", "pycom>=1.0"],
        "hooks": ["pycom_balancers", "pycom_configure"],
        "contributions": {"pycom_balancers": ["nearest", "first"]},
    }
    assert examined("call")["contributions"] == {"pycom_commands": ["CALL"]}


def test_disabled(distributions: Distributions) -> None:
    distributions.plugin("mine", "raise SystemExit")
    found = examined("mine", Settings(plugins=Plugins(disable=["mine"])))
    assert (found["state"], found["hooks"], found["order"]) == ("disabled", [], {})


#: Plugins that stop the start, and what is said of it.
FAILING = {
    "import": ("import nowhere", "No module named 'nowhere'"),
    "exit": ("import sys\nsys.exit('enough')", "SystemExit: enough"),
    "exit in a hook": ("@hookimpl\ndef pycom_configure(): exit()", "failed in pycom_configure"),
    "async factory": (
        "async def make(url): pass\n@hookimpl\ndef pycom_balancers(): return {'bad': make}",
        "'bad' to pycom_balancers, which must be a factory(url) that is not async",
    ),
    "unknown hook": ("@hookimpl\ndef pycom_prehok(): pass", "did you mean pycom_prehook?"),
    "wrong argument": ("@hookimpl\ndef pycom_prehook(call): pass", "'call'"),
    "need": ("pycom_requires = ('nix',)", "needs the plugin 'nix', which is not installed"),
    "contribution": (
        "@hookimpl\ndef pycom_session_stores(): return 5",
        "returned int from pycom_session_stores",
    ),
    "command": ("@hookimpl\ndef pycom_commands(server): 1 / 0", "ZeroDivisionError"),
    "taken name": (
        "@hookimpl\ndef pycom_balancers(): return {'random': print}",
        "the plugin 'balancing' of pycom",
    ),
    "configuration": ("@hookimpl\ndef pycom_configure(): 1 / 0", "failed in pycom_configure"),
}


@pytest.mark.parametrize(("source", "reason"), FAILING.values(), ids=FAILING)
def test_failed_plugin_is_shown_and_stops_nothing(
    source: str, reason: str, distributions: Distributions
) -> None:
    distributions.plugin("mine", source)
    found = examined("mine")
    assert (found["state"], found["distribution"]) == ("failed", "dist-mine")
    for part in ("'mine'", "dist-mine 1.0", reason, "plugins.disable"):
        assert part in found["reason"]
    assert examined("call")["state"] == "active"


@pytest.mark.parametrize("source", ["raise SystemExit(0)", "@hookimpl\ndef pycom_cli(): exit(0)"])
def test_plugin_that_exits_ends_no_command(source: str, distributions: Distributions) -> None:
    distributions.plugin("mine", source)
    for command in (["plugins"], ["plugins", "--json"], ["--help"]):
        ran = pycom(*command)
        assert ran.exit_code == 0
        assert ("call" if "plugins" in command else "nameserver") in ran.stdout
    assert "plugin 'mine' of dist-mine 1.0" in ran.stderr
    assert "SystemExit" in ran.stderr


def test_settings_that_a_plugin_refuses(distributions: Distributions) -> None:
    distributions.plugin(
        "mine",
        """
        from pycom_core import ConfigurationError
        @hookimpl
        def pycom_configure(): raise ConfigurationError("mine.file must be set")
        """,
    )
    found = examined("mine")
    assert (found["state"], found["reason"]) == ("failed", "mine.file must be set")


def test_one_name_for_two(distributions: Distributions) -> None:
    for number in (1, 2):
        distributions.module(f"module_{number}", "")
        distributions.add(f"dist-{number}", same=f"module_{number}")
    found = examined("same")
    assert found["state"] == "failed"
    assert sorted(found["distribution"].split(" and ")) == ["dist-1", "dist-2"]
    for part in ("'same'", "dist-1 1.0", "dist-2 1.0", "Uninstall one", "plugins.disable"):
        assert part in found["reason"]


def test_two_versions_of_one_distribution(distributions: Distributions) -> None:
    distributions.plugin("mine", "")
    twin = distributions.folder / "dist_mine-2.0.dist-info"
    twin.mkdir()
    (twin / "METADATA").write_text("Metadata-Version: 2.1\nName: dist-mine\nVersion: 2.0\n")
    found = examined("mine")
    assert found["state"] == "active"
    assert "dist-mine is installed in the versions 1.0 and 2.0" in found["reason"]
    assert "Uninstall" in found["reason"]


def test_settings_that_are_wrong_themselves() -> None:
    with pytest.raises(ConfigurationError, match="names nonsense"):
        diagnosed(Settings(plugins=Plugins(disable=["nonsense"])))


# The order of the calls.


def test_explained_hook(distributions: Distributions) -> None:
    for name, mark in {
        "a": "",
        "b": "tryfirst=True",
        "c": "trylast=True",
        "d": "wrapper=True",
    }.items():
        distributions.plugin(
            name,
            f"""
            @hookimpl({mark})
            def pycom_prehook(data):
                {"yield" if mark.startswith("wrapper") else "pass"}
            """,
        )
    found = explain(diagnosed(Settings()), "pycom_prehook")
    assert found["signature"] == "pycom_prehook(iface, method, data)"
    assert found["about"].startswith("See or change a request in place")
    calls = found["calls"]
    assert [call["plugin"] for call in calls] == ["d", "b", "a", "c"]
    assert [call["marks"] for call in calls] == [["wrapper"], ["tryfirst"], [], ["trylast"]]
    assert calls[0] == {
        "plugin": "d",
        "distribution": "dist-d 1.0",
        "state": "active",
        "function": "module_d:pycom_prehook",
        "arguments": ["data"],
        "marks": ["wrapper"],
    }


def test_explained_on_the_command_line(distributions: Distributions) -> None:
    distributions.plugin("mine", "@hookimpl(tryfirst=True)\ndef pycom_balancers(): 1 / 0")
    ran = pycom("plugins", "explain", "pycom_balancers")
    assert ran.exit_code == 0
    signature, _about, first, second = ran.output.splitlines()
    assert signature == "pycom_balancers()"
    assert first == "1\tmine\tdist-mine 1.0\tmodule_mine:pycom_balancers()\ttryfirst, failed"
    assert second.startswith("2\tbalancing\tpycom ")
    [of_one] = [json.loads(pycom("plugins", "explain", "pycom_balancers", "--json").output)]
    assert [call["plugin"] for call in of_one["calls"]] == ["mine", "balancing"]


def test_all_hooks_explained_on_the_command_line() -> None:
    rows = dict(line.split("\t") for line in pycom("plugins", "explain").output.splitlines())
    assert list(rows) == hook_names()
    assert rows["pycom_commands"] == "call"
    listed = json.loads(pycom("plugins", "explain", "--json").output)
    assert [item["hook"] for item in listed] == hook_names()
    assert json.loads(pycom("plugins", "--json", "explain").output) == listed


def test_hook_that_is_none() -> None:
    ran = pycom("plugins", "explain", "pycom_prehok")
    assert ran.exit_code == 2
    assert "There is no hook 'pycom_prehok'; did you mean pycom_prehook?" in ran.output
