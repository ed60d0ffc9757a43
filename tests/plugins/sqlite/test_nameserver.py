"""Nameserver records in an SQLite file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pycom_core.backends import ServiceRecord
from pycom_core.testing import Clock, NameserverBackendContract
from pycom_core.testing.contracts.common import at_once
from pycom_plugins.sqlite import nameserver as sqlite
from pycom_plugins.sqlite.nameserver import SqliteBackend

ONE = ServiceRecord("/one", "tcp://10.0.0.1:1", ("com.foo",))


class TestContract(NameserverBackendContract):
    @pytest.fixture
    def backend_factory(self, clock: Clock, tmp_path: Path) -> Callable[[], SqliteBackend]:
        return lambda: SqliteBackend(f"sqlite://{tmp_path}/names", clock.now)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite://{tmp_path}/names"


def opened_at(url: str, now: float, boot: str) -> tuple[SqliteBackend, Clock]:
    clock = Clock(now)
    return SqliteBackend(url, clock.now, boot), clock


def test_restart_does_not_prolong_a_lease(url: str) -> None:
    backend, clock = opened_at(url, 1000, "boot")
    at_once(backend.register(ONE, 60))
    at_once(backend.close())
    backend, clock = opened_at(url, 1050, "boot")
    assert at_once(backend.list()) == [ONE]
    clock.advance(11)
    assert at_once(backend.list()) == []
    at_once(backend.close())


@pytest.mark.parametrize("now", [5.0, 900_000.0])
def test_reboot_gives_one_new_lease(url: str, now: float) -> None:
    backend, _clock = opened_at(url, 1000, "boot 1")
    at_once(backend.register(ONE, 60))
    at_once(backend.close())
    backend, clock = opened_at(url, now, "boot 2")
    assert at_once(backend.find("com.foo")) == [ONE]
    at_once(backend.close())
    backend, clock = opened_at(url, now + 59, "boot 2")
    assert at_once(backend.find("com.foo")) == [ONE]
    clock.advance(2)
    assert at_once(backend.find("com.foo")) == []
    at_once(backend.close())


def test_what_has_ended_leaves_the_file(url: str) -> None:
    backend, clock = opened_at(url, 1000, "boot")
    for number in range(100):
        at_once(backend.register(ServiceRecord(f"/{number}", "tcp://a:1", ("com.foo",)), 60))
    clock.advance(61)
    at_once(backend.register(ONE, 60))
    assert backend._table.read("SELECT count(*) FROM pycom_services") == [(1,)]
    assert backend._table.read("SELECT count(*) FROM pycom_providers") == [(1,)]
    at_once(backend.close())


PROCESS = """
import sys
from pycom_core.backends import ServiceRecord
from pycom_core.errors import AccessDenied
from pycom_core.testing.contracts.common import at_once
from pycom_plugins.sqlite.nameserver import SqliteBackend

url, number = sys.argv[1:]
sys.stdin.read(1)  # the signal to begin
backend = SqliteBackend(url)
for step in range(100):
    own = ServiceRecord(f"/{number}/{step}", f"tcp://10.0.0.{number}:1", ("com.foo",))
    at_once(backend.register(own, 60))
try:
    at_once(backend.register(ServiceRecord("/contended", own.address, ("com.won",)), 60))
    print("won")
except AccessDenied:
    print("lost")
at_once(backend.close())
"""


def test_processes_share_a_file(url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, url, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("!")
        process.stdin.flush()
    outcomes = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert sorted(outcomes) == ["lost", "lost", "lost", "won"]
    backend = SqliteBackend(url)
    assert len(at_once(backend.find("com.foo"))) == 400
    assert [record.address for record in at_once(backend.find("com.won"))] == [
        f"tcp://10.0.0.{outcomes.index('won')}:1"
    ]
    at_once(backend.close())


def test_contribution(url: str) -> None:
    backend = sqlite.pycom_nameserver_backends()["sqlite"](url)
    assert isinstance(backend, SqliteBackend)
    at_once(backend.close())


def test_plugins_do_not_import_sqlite3_before_it_is_wanted() -> None:
    code = (
        "import sys, pycom_plugins.sqlite.nameserver, pycom_plugins.sqlite.sessions; "
        "sys.exit('sqlite3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
