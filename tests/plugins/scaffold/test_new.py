"""`pycom plugins new`: what it writes can be installed, and its tests pass."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from packaging.requirements import Requirement
from wheels import Environment

from pycom_core import constants
from pycom_core.cli import main
from pycom_core.settings import tomllib
from pycom_plugins.scaffold.writing import FAMILIES, Names


def new(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["plugins", "new", *map(str, arguments)])


@pytest.mark.parametrize("family", FAMILIES)
def test_written(family: str, tmp_path: Path) -> None:
    project = tmp_path / "here"
    done = new("pycom-geo-ip", "--family", family, "--directory", project)
    assert done.exit_code == 0
    *files, following, before = done.output.splitlines()
    assert {Path(file).relative_to(project).as_posix() for file in files} == {
        "README.md",
        "pyproject.toml",
        "src/pycom_geo_ip/__init__.py",
        "src/pycom_geo_ip/py.typed",
        "tests/test_geo_ip.py",
    }
    assert following == f"Next: pip install -e '{project}[test]' && pytest {project}"
    assert "it is not on the package index" in before
    for file in files:
        text = Path(file).read_text()
        assert "acme" not in text.lower()
        if file.endswith(".py"):
            compile(text, file, "exec")


def test_pycom_that_wrote_it_is_what_it_needs(tmp_path: Path) -> None:
    """So pip finds that where it is installed; elsewhere the README says where to get it from."""
    new("geo", "--family", "cli", "--directory", tmp_path)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    [needed] = map(Requirement, project["dependencies"])
    assert needed.name == "pycom"
    assert needed.specifier.contains(constants.__version__)
    assert not needed.specifier.contains("0.6.0")
    readme = (tmp_path / "README.md").read_text()
    assert "PyCOM 1.0 is not on the package index yet" in readme
    assert "--find-links" in readme


@pytest.mark.parametrize("name", ["geo-ip", "geo_ip", "pycom-geo-ip", "pycom_geo_ip"])
def test_names(name: str) -> None:
    assert Names.of(name) == Names("geo_ip", "pycom-geo-ip", "pycom_geo_ip")


def test_names_that_hold_that_of_the_template() -> None:
    names = Names.of("acme-acme")
    assert names.put_into("pycom-acme pycom_acme Acme ACME") == (
        "pycom-acme-acme pycom_acme_acme AcmeAcme ACME_ACME"
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is no name"),
        ("5", "is no name"),
        ("a b", "is no name"),
        ("../up", "is no name"),
        ("Geo", "is no name"),
        ("geo--ip", "is no name"),
        ("pycom-", "is no name"),
        ("class", "'class' means something to Python itself; choose another name"),
        ("pycom-import", "'import' means something to Python itself"),
        ("core", "choose another name"),
        ("plugins", "choose another name"),
        ("session-store", "choose another name"),
        ("call", "There is a plugin 'call' already"),
    ],
)
def test_name_that_is_none(name: str, reason: str, tmp_path: Path) -> None:
    project = tmp_path / "here"
    refused = new(name, "--family", "cli", "--directory", project)
    assert refused.exit_code == 2
    assert reason in refused.output
    assert not project.exists()


def test_directory_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    refused = new("geo", "--family", "cli", "--directory", tmp_path)
    assert refused.exit_code == 2
    assert "not empty" in refused.output
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_without_the_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = main.commands["plugins"]
    monkeypatch.setattr(plugins, "commands", {})
    monkeypatch.setenv("PYCOM_PLUGINS", '{"disable": ["scaffold"]}')
    refused = new("geo", "--family", "cli")
    assert refused.exit_code == 2
    assert "No such command 'new'" in refused.output


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("family", FAMILIES)
def test_installed(family: str, base: Environment, tmp_path: Path) -> None:
    """A user's way, on an installed PyCOM: write, build, install, test, and ask the doctor."""
    base.pycom("plugins", "new", f"try-{family}", "--family", family, directory=tmp_path)
    project = tmp_path / f"pycom-try-{family}"

    environment = Environment(tmp_path / "environment", base)
    environment.install(base.build(project))
    report = environment.run("-m", "pytest", "-W", "error", directory=project)
    assert " passed" in report
    assert "failed" not in report
    environment.run("-m", "mypy", directory=project)
    listed = json.loads(environment.pycom("plugins", "--json"))
    [mine] = [item for item in listed if item["name"] == f"try_{family}"]
    assert (mine["state"], mine["reason"]) == ("active", "")
    assert (mine["distribution"], mine["version"]) == (f"pycom-try-{family}", "0.1.0")
    assert mine["hooks"]
