"""Settings: files, environment, precedence, and errors that say what is meant."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
import pytest

from pycom_core import ConfigurationError, Settings
from pycom_core.settings import Authentication, Plugins, load, names, plain, table


def written(folder: Path, content: Any, name: str = "pycom.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def loaded(folder: Path, content: Any, **options: Any) -> Settings:
    """Settings of a file with this content, in an empty environment."""
    return load(written(folder, content), environ={}, **options)


EVERYTHING = {
    "address": "tcp://127.0.0.1:2013",
    "advertise": "tcp://host.example:2013",
    "service": "/com/foo/one",
    "nameserver": ["tcp://10.0.0.1:2012", "tcp://10.0.0.2:2012"],
    "network": "network.toml",
    "key": "service.key",
    "authentication": {"policy": "required"},
    "nameserver_backend": "sqlite:///a",
    "session_store": "sqlite:///b",
    "session_timeout": 1,
    "balancer": "round-robin",
    "transport": ["mine", "zmq"],
    "event_loop": "asyncio",
    "ipc": False,
    "development": True,
    "threads": 4,
    "max_message_size": 1000,
    "max_in_flight": 10,
    "drain_timeout": 0,
    "plugins": {"disable": ["call"], "optional": ["mine"], "trace": True},
    "guarantees": {"nameserver_backend": ["persistent", "shared"]},
}


def test_defaults() -> None:
    assert load(environ={}) == Settings()
    assert Settings() == Settings(
        address=None,
        service=None,
        nameserver=("local",),
        authentication=Authentication(None),
        nameserver_backend="memory:",
        session_store="memory:",
        session_timeout=3_600_000,
        balancer="random",
        threads=0,
        plugins=Plugins((), (), False),
        guarantees={},
        tables={},
    )


@pytest.mark.parametrize("mode", [True, False])
def test_development_is_that_of_python(mode: bool) -> None:
    code = "from pycom_core import Settings; print(Settings().development)"
    options = ["-X", "dev"] if mode else []
    # Without what the Python that runs the tests was told.
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDEVMODE"}
    done = subprocess.run(
        [sys.executable, *options, "-c", code], env=environ, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == str(mode)


def test_json(tmp_path: Path) -> None:
    settings = loaded(tmp_path, EVERYTHING)
    assert settings == Settings(
        **{
            **EVERYTHING,
            "nameserver": ("tcp://10.0.0.1:2012", "tcp://10.0.0.2:2012"),
            "transport": ("mine", "zmq"),
            "authentication": Authentication("required"),
            "plugins": Plugins(("call",), ("mine",), True),
            "guarantees": {"nameserver_backend": ("persistent", "shared")},
        }
    )
    assert set(EVERYTHING) == set(names()), "the test knows every setting"


@pytest.mark.parametrize("key", ["nameserver", "transport"])
def test_one_name_is_a_list_of_one(key: str, tmp_path: Path) -> None:
    found = [
        loaded(tmp_path, {key: "mine"}),
        load(environ={f"PYCOM_{key.upper()}": "mine"}),
        load(environ={f"PYCOM_{key.upper()}": '["mine"]'}),
        load(environ={}, overrides={key: "mine"}),
        Settings(**{key: "mine"}),
        Settings(**{key: ["mine"]}),
    ]
    assert [getattr(settings, key) for settings in found] == [("mine",)] * len(found)


def test_plain_is_what_a_file_would_hold(tmp_path: Path) -> None:
    content = {**EVERYTHING, "mine": {"color": "red"}}
    settings = loaded(tmp_path, content, tables=["mine"])
    assert json.loads(json.dumps(plain(settings))) == content
    assert plain(Settings())["nameserver"] == "local"


def test_toml(tmp_path: Path) -> None:
    text = """
    address = "tcp://127.0.0.1:2013"
    nameserver = ["a", "b"]
    threads = 2
    [authentication]
    policy = "never"
    [plugins]
    disable = ["call"]
    [mine]
    color = "red"
    """
    path = written(tmp_path, text, "pycom.toml")
    assert load(path, environ={}, tables=["mine"]) == Settings(
        address="tcp://127.0.0.1:2013",
        nameserver=("a", "b"),
        threads=2,
        authentication=Authentication("never"),
        plugins=Plugins(("call",)),
        tables={"mine": {"color": "red"}},
    )


def test_environment() -> None:
    environ = {
        "PYCOM_ADDRESS": "tcp://127.0.0.1:1",
        "PYCOM_SERVICE": "42",
        "PYCOM_NAMESERVER": '["a", "b"]',
        "PYCOM_NAMESERVER_BACKEND": "sqlite:///a",
        "PYCOM_THREADS": "3",
        "PYCOM_AUTHENTICATION": '{"policy": "required"}',
        "PYCOM_PLUGINS": '{"disable": ["call"]}',
        "OTHER_ADDRESS": "not ours",
    }
    assert load(environ=environ) == Settings(
        address="tcp://127.0.0.1:1",
        service="42",
        nameserver=("a", "b"),
        nameserver_backend="sqlite:///a",
        threads=3,
        authentication=Authentication("required"),
        plugins=Plugins(("call",)),
    )
    assert load(environ={"PYCOM_NAMESERVER": "tcp://h:1"}).nameserver == ("tcp://h:1",)


@pytest.mark.parametrize("word", ["1", "true", "True", "YES", "on", " 1 "])
@pytest.mark.parametrize("key", ["ipc", "development"])
def test_word_for_true_in_the_environment(key: str, word: str) -> None:
    assert getattr(load(environ={f"PYCOM_{key.upper()}": word}), key) is True


@pytest.mark.parametrize("word", ["0", "false", "FALSE", "No", "off"])
@pytest.mark.parametrize("key", ["ipc", "development"])
def test_word_for_false_in_the_environment(key: str, word: str) -> None:
    assert getattr(load(environ={f"PYCOM_{key.upper()}": word}), key) is False


@pytest.mark.parametrize("word", ["2", "maybe", "null", " "])
def test_word_that_is_no_truth_names_those_that_are(word: str) -> None:
    with pytest.raises(ConfigurationError, match=f"ipc in the environment is '{word}'; write one"):
        load(environ={"PYCOM_IPC": word})


def test_numbers_are_truths_in_the_environment_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ipc in .*Expected `bool`, got `int`"):
        loaded(tmp_path, {"ipc": 0})
    assert load(environ={"PYCOM_THREADS": "1"}).threads == 1


def test_number_or_a_word(tmp_path: Path) -> None:
    for said, threads in (("auto", "auto"), ("4", 4)):
        assert load(environ={"PYCOM_THREADS": said}).threads == threads
    assert loaded(tmp_path, {"threads": "auto"}).threads == "auto"
    with pytest.raises(ConfigurationError, match="threads in the environment: .*'3x'; write a num"):
        load(environ={"PYCOM_THREADS": "3x"})


def test_empty_variable_is_none_at_all() -> None:
    for name in ("NAMESERVER", "ADDRESS", "THREADS", "PLUGINS", "NONSENSE"):
        assert load(environ={f"PYCOM_{name}": ""}) == Settings()


def test_environment_is_the_process_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYCOM_SERVICE", "/from/environ")
    assert load().service == "/from/environ"


def test_file_that_the_environment_names(tmp_path: Path) -> None:
    environ = {"PYCOM_CONFIG": str(written(tmp_path, {"service": "/named"}))}
    assert load(environ=environ).service == "/named"
    other = written(tmp_path, {"service": "/given"}, "other.json")
    assert load(other, environ=environ).service == "/given"


def test_unknown_variable_is_only_reported(caplog: pytest.LogCaptureFixture) -> None:
    environ = {"PYCOM_ADRESS": "x", "PYCOM_CONFIG": "", "PYCOM_LOGGING_LEVEL": "DEBUG"}
    assert load(environ=environ) == Settings()
    [record] = caplog.records
    assert "PYCOM_ADRESS" in record.getMessage()
    assert "did you mean 'address'?" in record.getMessage()


def test_precedence(tmp_path: Path) -> None:
    """Command line > environment > file > default."""
    sources: list[tuple[str, dict[str, Any]]] = [
        ("default", {}),
        ("file", {"file": written(tmp_path, {"service": "file", "threads": 1})}),
        ("environ", {"environ": {"PYCOM_SERVICE": "environ"}}),
        ("override", {"overrides": {"service": "override"}}),
    ]
    arguments: dict[str, Any] = {"environ": {}, "defaults": {"service": "default"}}
    for expected, more in sources:
        arguments.update(more)
        assert load(**arguments).service == expected
    assert load(**arguments).threads == 1, "what the others leave alone stays"


def test_overrides_of_none_are_left_out() -> None:
    settings = load(environ={"PYCOM_SERVICE": "environ"}, overrides={"service": None})
    assert settings.service == "environ"


def test_nested_tables_are_merged_key_by_key(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        {"plugins": {"disable": ["call"], "optional": ["a"]}, "mine": {"a": 1, "b": 1}},
        overrides={"plugins": {"optional": ["b"]}, "mine": {"b": 2}},
        tables=["mine"],
    )
    assert settings.plugins == Plugins(("call",), ("b",))
    assert settings.tables == {"mine": {"a": 1, "b": 2}}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"adress": "x"}, "Unknown setting 'adress' in .*; did you mean 'address'?"),
        ({"nameservers": "x"}, "did you mean 'nameserver'?"),
        ({"callx": {}}, "did you mean 'call'?"),
        ({"zzz": 1}, "Unknown setting 'zzz' in .*; known are address, advertise, authentication"),
        ({"tables": {}}, "Unknown setting 'tables'"),
        ({"authentication": {"polcy": None}}, r"authentication\.polcy; did you mean 'policy'\?"),
        ({"plugins": {"disabled": []}}, r"plugins\.disabled; did you mean 'disable'\?"),
        ({"guarantees": {"balancer": []}}, "guarantees"),
        ({"guarantees": {"session_store": ["fast"]}}, "guarantees.*fast"),
        ({"authentication": {"policy": "maybe"}}, "policy is 'maybe'; write \"required\""),
        ({"authentication": {"policy": 1}}, "authentication"),
        ({"authentication": "required"}, "authentication in .*Expected `object`, got `str`"),
        ({"plugins": {"disable": [1]}}, "plugins"),
        ({"address": 1}, "address in .*got `int`"),
        ({"service": []}, "service in .*got `array`"),
        ({"nameserver": 1}, "nameserver in .*got `int`"),
        ({"nameserver": [1]}, "nameserver in "),
        ({"nameserver": []}, "nameserver is an empty list; name at least one"),
        ({"transport": []}, "transport is an empty list; name at least one"),
        ({"transport": [1]}, "transport in "),
        ({"nameserver_backend": None}, "nameserver_backend in .*got `null`"),
        ({"threads": "four"}, "threads in .*'four'; write a number or \"auto\"$"),
        ({"threads": "autom"}, "threads in .*'autom'; write a number or \"auto\"$"),
        ({"threads": 1.5}, "threads in "),
        ({"threads": True}, "threads in .*got `bool`"),
        ({"threads": -1}, "threads is -1; it must be at least 0"),
        ({"max_message_size": 0}, "max_message_size is 0; it must be at least 1"),
        ({"max_in_flight": 0}, "max_in_flight is 0; it must be at least 1"),
        ({"session_timeout": 0}, "session_timeout is 0; it must be at least 1"),
        ({"event_loop": "trio"}, '\'trio\'; write "auto" or "asyncio" or "uvloop"$'),
        ({"drain_timeout": -1}, "drain_timeout is -1; it must be at least 0"),
        ({"call": 1}, "table 'call' in .* must be an object"),
        ([], "must hold a table of settings"),
        ("", "is not valid JSON"),
        ('{"address": }', "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
    ],
)
def test_mistakes_in_a_file(content: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"(?s){says}") as caught:
        loaded(tmp_path, content, tables=["call"])
    if "is not valid" in says or "must hold" in says or " in " in says:
        assert "pycom.json" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"threads": -1}, "threads is -1; it must be at least 0"),
        ({"session_timeout": 0}, "session_timeout is 0; it must be at least 1"),
        ({"threads": "4"}, "threads: Invalid enum value '4'; write a number or \"auto\""),
        ({"threads": True}, "threads: Expected `int | str`, got `bool`; write a number or"),
        ({"ipc": 0}, "ipc: Expected `bool`, got `int`"),
        ({"address": 2013}, "address: Expected `str | null`, got `int`"),
        ({"balancer": None}, "balancer: Expected `str`, got `null`"),
        ({"event_loop": "trio"}, "event_loop: Invalid enum value 'trio'"),
        ({"nameserver": None}, "nameserver: Expected "),
        ({"nameserver": ()}, "nameserver is an empty list; name at least one"),
        ({"transport": []}, "transport is an empty list; name at least one"),
        ({"transport": [1]}, "transport: Expected `str`, got `int`"),
        ({"guarantees": {"session_store": ["fast"]}}, "guarantees: Invalid enum value 'fast'"),
        ({"plugins": {"disable": ["call"]}}, "plugins: Expected `Plugins`, got `dict`"),
        ({"authentication": "never"}, "authentication: Expected `Authentication`, got `str`"),
    ],
)
def test_mistakes_in_a_program(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{re.escape(says)}"):
        Settings(**given)
    with pytest.raises(ConfigurationError, match=f"^{re.escape(says)}"):
        attrs.evolve(Settings(), **given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"disable": 3}, "plugins.disable is 3; write a list of names of plugins"),
        ({"disable": None}, "plugins.disable is None; write a list"),
        ({"disable": ["call", 3]}, "plugins.disable is ('call', 3); write a list"),
        ({"optional": 3}, "plugins.optional is 3; write a list of names of plugins"),
        ({"optional": [b"call"]}, "plugins.optional is (b'call',); write a list"),
        ({"trace": "no"}, "plugins.trace is 'no'; write true or false"),
        ({"trace": 1}, "plugins.trace is 1; write true or false"),
    ],
)
def test_mistakes_about_plugins_in_a_program(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{re.escape(says)}"):
        Plugins(**given)
    with pytest.raises(ConfigurationError, match=f"^{re.escape(says)}"):
        attrs.evolve(Plugins(), **given)


def test_names_of_plugins_are_one_or_several_of_any_kind() -> None:
    for given in ("call", ["call"], {"call"}, {"call": 1}.keys(), iter(["call"])):
        assert Plugins(disable=given, optional=given).disable == ("call",)  # type: ignore[arg-type]


def test_mappings_of_any_kind_are_taken() -> None:
    asked = MappingProxyType({"session_store": ("shared",)})
    assert Settings(guarantees=asked).guarantees is asked


@pytest.mark.parametrize("text", ["a = ", "[plugins]\n[plugins]", "\udcff"])
def test_mistakes_in_toml(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pycom.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError, match=r"pycom\.toml is not valid TOML"):
        load(path, environ={})


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Cannot read .*missing: No such file"):
        load(tmp_path / "missing", environ={})
    with pytest.raises(ConfigurationError, match="Cannot read"):
        load(environ={"PYCOM_CONFIG": str(tmp_path)})


def test_mistakes_elsewhere_say_where() -> None:
    with pytest.raises(ConfigurationError, match="threads in the environment"):
        load(environ={"PYCOM_THREADS": "four"})
    with pytest.raises(ConfigurationError, match="threads in the arguments"):
        load(environ={}, overrides={"threads": "four"})
    with pytest.raises(
        ConfigurationError, match="'treads' in the arguments; did you mean 'threads'"
    ):
        load(environ={}, overrides={"treads": 4})


def test_tables_of_plugins_only_under_their_names(tmp_path: Path) -> None:
    content = {"mine": {"anything": [1, {"deep": None}]}}
    assert loaded(tmp_path, content, tables=["mine"]).tables == content
    with pytest.raises(ConfigurationError, match="Unknown setting 'mine'"):
        loaded(tmp_path, content)


def test_table_read_as_a_class() -> None:
    @attrs.frozen
    class Mine:
        color: str = "red"
        size: int = 1

    assert table(Settings(), "mine", Mine) == Mine()
    assert table(Settings(tables={"mine": {"size": 2}}), "mine", Mine) == Mine(size=2)
    with pytest.raises(ConfigurationError, match=r"mine\.colour; did you mean 'color'"):
        table(Settings(tables={"mine": {"colour": "red"}}), "mine", Mine)
    with pytest.raises(ConfigurationError, match=r"mine\.size: Expected"):
        table(Settings(tables={"mine": {"size": "big"}}), "mine", Mine)


def test_settings_do_not_change() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings().address = "tcp://h:1"  # type: ignore[misc]
