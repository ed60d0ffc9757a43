"""The decision to look again before sleeping."""

from __future__ import annotations

from pathlib import Path

import pytest

from pycom_plugins.transport_zmtp import polling
from pycom_plugins.transport_zmtp.polling import Polling, cores


@pytest.fixture
def _many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "cores", lambda: 4.0)


def looks(waiter: Polling, waits: int, succeed: bool) -> int:
    """Count the looks in so many waits, all of which are in vain or not."""
    count = 0
    for _ in range(waits):
        if waiter.wanted():
            count += 1
            waiter.succeeded() if succeed else waiter.failed()
    return count


@pytest.mark.usefixtures("_many_cores")
def test_looks_while_it_is_not_in_vain() -> None:
    assert looks(Polling(100e-6), 1000, succeed=True) == 1000


@pytest.mark.usefixtures("_many_cores")
def test_looks_seldom_where_it_is_in_vain_and_comes_back() -> None:
    waiter = Polling(100e-6)
    assert looks(waiter, 65 * 100, succeed=False) <= 106
    assert looks(waiter, 65 + 200, succeed=True) >= 200


@pytest.mark.usefixtures("_many_cores")
def test_one_wait_in_vain_among_many_costs_little() -> None:
    waiter = Polling(100e-6)
    assert sum(looks(waiter, 1, succeed=n % 10 > 0) for n in range(1000)) > 800


@pytest.mark.usefixtures("_many_cores")
@pytest.mark.parametrize(("pushed_aside", "most"), [(False, 500), (True, 200)])
def test_some_waits_in_vain_are_too_many_and_being_in_the_way_sooner(
    pushed_aside: bool, most: int
) -> None:
    waiter = Polling(100e-6)
    count = 0
    for _ in range(1000):
        if waiter.wanted():
            count += 1
            waiter.failed(pushed_aside) if count % 5 == 0 else waiter.succeeded()
    assert 20 < count < most


@pytest.mark.usefixtures("_many_cores")
@pytest.mark.parametrize("budget", [0, -1.0])
def test_budget_of_zero_switches_it_off(budget: float) -> None:
    assert looks(Polling(budget), 100, succeed=True) == 0


@pytest.mark.parametrize(("number", "expected"), [(1.0, 0), (1.99, 0), (2.0, 100)])
def test_never_on_less_than_two_cores(
    number: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "cores", lambda: number)
    assert looks(Polling(100e-6), 100, succeed=True) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "nonsense"}, 8),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n"}, 0.5),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/cpu.max": "300000 100000\n",
                "sys/fs/cgroup/a/cpu.max": "50000 100000\n",
                "sys/fs/cgroup/cpu.max": "200000 100000\n",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/docker/a\n2:memory:/x\n0::/\n",
                "sys/fs/cgroup/cpu/docker/a/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu/docker/a/cpu.cfs_period_us": "100000\n",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/docker/a\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            8,
        ),
    ],
)
def test_quota_of_a_cgroup(
    files: dict[str, str], expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cores(tmp_path) == expected


def test_cores_of_this_process() -> None:
    assert cores() > 0
