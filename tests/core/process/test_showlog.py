"""Which records the command line shows; what it writes is in the tests of whole processes."""

from __future__ import annotations

import contextlib
import io
import logging
import sys

import pytest

from pycom_core import ConfigurationError
from pycom_core.process import _showlog as showlog
from pycom_core.process._background import BackgroundStream


class Log:
    """Standard error of a process in which nobody has configured logging yet."""

    def __init__(self) -> None:
        self._memory = io.StringIO()

    def __enter__(self) -> Log:
        # Not in a fixture: pytest has handlers of its own in the root from then on.
        root, ours = logging.getLogger(), logging.getLogger("pycom")
        with contextlib.ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            for one in (root, ours):
                stack.callback(one.setLevel, one.level)
            stack.callback(setattr, ours, "disabled", False)
            root.setLevel(logging.WARNING)
            patch.setattr(root, "handlers", [])
            patch.setattr(logging, "lastResort", logging.lastResort)
            patch.setattr(showlog, "_streams", {})
            patch.setattr(showlog, "_shown", False)
            patch.setattr(showlog, "_handler", None)
            patch.setattr(sys, "stderr", self._memory)
            patch.delenv(showlog.VARIABLE, raising=False)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def text(self) -> str:
        """All that is in it."""
        showlog.flush()
        return self._memory.getvalue()


@pytest.mark.parametrize(
    ("text", "verbose", "level"),
    [
        (None, False, logging.INFO),
        ("", False, logging.INFO),
        ("  ", False, logging.INFO),
        ("warning", False, logging.WARNING),
        ("Debug", False, logging.DEBUG),
        ("35", False, 35),
        ("ERROR", True, logging.DEBUG),
    ],
)
def test_level(
    text: str | None, verbose: bool, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Log():
        if text is not None:
            monkeypatch.setenv(showlog.VARIABLE, text)
        showlog.show(verbose)
        assert logging.getLogger().level == logging.getLogger("pycom").level == level


@pytest.mark.parametrize("verbose", [True, False])
@pytest.mark.parametrize("text", ["loud", "-1", "1.5", "INFO,DEBUG"])
def test_level_that_there_is_not(text: str, verbose: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with Log():
        monkeypatch.setenv(showlog.VARIABLE, text)
        with pytest.raises(ConfigurationError, match=f"PYCOM_LOGGING_LEVEL is '{text}'; write"):
            showlog.show(verbose)


def test_records_are_shown_at_once_and_without_a_handler() -> None:
    with Log() as log:
        showlog.show(False)
        logging.getLogger("of_a_module").info("early")
        assert log.text.endswith(" INFO of_a_module: early\n")
        assert logging.getLogger().handlers == []


def test_no_handler_is_added_behind_ours() -> None:
    with Log() as log:
        showlog.show(False)
        showlog.settle()
        logging.info("by a function that configures where nobody has")
        assert len(logging.getLogger().handlers) == 1
        assert log.text.count("by a function") == 1


def test_what_a_module_configures_stays_and_waits_for_nobody() -> None:
    audit = logging.getLogger("audit")
    with Log() as log:
        showlog.show(True)
        logging.basicConfig(level="WARNING", format="MINE %(message)s")
        memory = io.StringIO()
        audit.addHandler(logging.StreamHandler(memory))
        showlog.settle()
        audit.warning("twice")
        (handler,) = logging.getLogger().handlers
        assert isinstance(handler, logging.StreamHandler)
        assert isinstance(handler.stream, BackgroundStream)
        assert logging.getLogger().level == logging.WARNING
        assert (log.text, memory.getvalue()) == ("MINE twice\n", "twice\n")
        audit.handlers.clear()


def test_who_has_configured_before_keeps_the_level() -> None:
    with Log():
        logging.basicConfig(level="ERROR")
        showlog.show(False)
        showlog.settle()
        assert logging.getLogger().level == logging.ERROR
        assert len(logging.getLogger().handlers) == 1


def test_our_logger_is_not_disabled_by_chance() -> None:
    with Log() as log:
        showlog.show(False)
        logging.getLogger("pycom").disabled = True  # by dictConfig, as it is not told of it
        showlog.settle()
        logging.getLogger("pycom").info("still there")
        assert "still there" in log.text


def test_a_library_changes_nothing() -> None:
    with Log():
        logging.getLogger("pycom").disabled = True
        before = logging.lastResort
        showlog.settle()
        assert logging.getLogger().handlers == []
        assert logging.lastResort is before
        assert logging.getLogger("pycom").disabled


def test_without_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with Log():
        monkeypatch.setattr(sys, "stderr", None)
        showlog.show(False)
        showlog.settle()
        logging.getLogger("pycom").info("nobody sees it")
