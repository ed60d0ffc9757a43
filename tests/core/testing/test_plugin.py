"""The pytest plugin, as another project has it."""

from __future__ import annotations

import os
import re

import pytest

pytest_plugins = ["pytester"]

GREETER = """
import pycom

@pycom.interface("com.foo.greeter")
class Greeter(pycom.Service):
    @pycom.method
    def greet(self, request, name):
        return f"Hello, {name}!"
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run its tests in a process of their own."""
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_fixtures(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        greeter=GREETER,
        test_it="""
        import pytest
        import pycom
        from greeter import Greeter

        def greet(network):
            component = network.context().locate("com.foo.greeter")
            return component.invoke("greet", {"name": "Ann"})

        def test_local(pycom_network):
            pycom_network.serve(Greeter)
            assert greet(pycom_network) == "Hello, Ann!"

        def test_real(pycom_real_network):
            pycom_real_network.spawn("greeter")
            assert greet(pycom_real_network) == "Hello, Ann!"

        def test_clock(pycom_network, pycom_clock):
            pycom_network.serve(Greeter)
            pycom_clock.advance(61)
            with pytest.raises(pycom.ServiceNotFound):
                greet(pycom_network)
        """,
    )
    result = run(pytester, "-W", "error")
    result.assert_outcomes(passed=3)
    assert "Log of" not in result.stdout.str()


def test_log_is_shown_when_a_test_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        greeter=GREETER,
        test_it="""
        import pytest
        from pycom_core.testing import RealNetwork

        @pytest.fixture
        def own_network():
            with RealNetwork() as network:
                network.spawn("greeter", name="/own").wait_for("listens on")
                yield network

        def test_fixture(pycom_real_network):
            pycom_real_network.spawn("greeter", name="/of/the/fixture").wait_for("listens on")
            assert False

        def test_own(own_network):
            assert False

        def test_block():
            with RealNetwork() as network:
                network.spawn("greeter", name="/of/the/block").wait_for("listens on")
                assert False

        def test_passes(own_network):
            pass
        """,
    )
    result = run(pytester)
    result.assert_outcomes(failed=3, passed=1)
    output = result.stdout.str()
    for title in ("- Log of /of/the/fixture, process", "- Log of /own, process"):
        assert re.search(rf"{title} \d+ -+\n(?:.*\n)*?.*listens on tcp", output)
    assert re.search(r"-- /of/the/block, process \d+\n(?:.*\n)*?.*listens on tcp", output)
    assert output.count("Log of /own") == 1


def test_processes_end_with_ctrl_c(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        greeter=GREETER,
        test_it="""
        import os
        import signal
        import threading

        def test_it(pycom_real_network):
            pycom_real_network.serve(*[__import__("greeter").Greeter])
            child = pycom_real_network.spawn("greeter")
            with open("pid", "w") as file:
                file.write(str(child.process.pid))
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(60)
        """,
    )
    result = run(pytester)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    with pytest.raises(ProcessLookupError):
        os.kill(int((pytester.path / "pid").read_text()), 0)


def test_unused_it_costs_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        import threading

        def test_it():
            ours = {name for name in sys.modules if name.partition(".")[0] in ("pycom", "zerojson")
                    or name.startswith(("pycom_core", "pycom_plugins"))}
            assert ours == {"pycom_core", "pycom_core.testing", "pycom_core.testing.plugin"}
            assert not {"zmq", "attrs", "msgspec", "asyncio", "stevedore"} & set(sys.modules)
            assert threading.active_count() == 1

        def test_that_fails():
            assert False
        """
    )
    result = run(pytester, "-p", "no:hypothesispytest", "-p", "no:timeout", "-p", "no:anyio")
    result.assert_outcomes(passed=1, failed=1)


def test_can_be_left_out(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(pycom_network): pass")
    result = run(pytester, "-p", "no:pycom")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'pycom_network' not found*"])
