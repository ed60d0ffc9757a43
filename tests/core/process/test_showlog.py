"""The records that the command line shows; tests of whole processes check the lines it writes."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

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
            patch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
            patch.setattr(threading, "excepthook", threading.__excepthook__)
            stack.callback(logging.captureWarnings, False)
            stack.callback(setattr, warnings, "showwarning", warnings.showwarning)
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


# What Python prints by itself.


class Raising:
    def __init__(self) -> None:
        self.raises = True

    def __del__(self) -> None:
        raise ValueError("ignored")


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no text")


def in_a_thread() -> None:
    thread = threading.Thread(target=int, args=["lost"], name="worker")
    thread.start()
    thread.join()


def warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (
            Raising,
            r" ERROR pycom: Exception ignored in.* <function Raising.__del__ at .*\nTraceback",
        ),
        (in_a_thread, r" ERROR pycom: Exception in thread worker\nTraceback"),
        (warn, r" WARNING py.warnings: .*test_showlog.py:\d+: DeprecationWarning: old"),
    ],
    ids=["finalizer", "thread", "warning"],
)
def test_what_python_prints_is_logged(act: Callable[[], Any], expected: str) -> None:
    with Log() as log:
        showlog.show(False)
        showlog.settle()
        act()
        assert re.search(expected, log.text), log.text


def test_thread_that_exits_is_no_failure() -> None:
    with Log() as log:
        showlog.show(False)
        showlog.settle()
        thread = threading.Thread(target=sys.exit)
        thread.start()
        thread.join()
        assert log.text == ""


def test_who_has_set_hooks_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    with Log() as log, warnings.catch_warnings():
        sys.unraisablehook = threading.excepthook = seen.append
        warnings.showwarning = lambda *given: seen.append(given)
        showlog.show(False)
        showlog.settle()
        for act in (Raising, in_a_thread, warn):
            act()
        assert len(seen) == 3
        assert log.text == ""
    seen.clear()  # which keeps what cannot be collected


@pytest.mark.parametrize("configured", [True, False])
def test_record_that_cannot_be_written(configured: bool) -> None:
    with Log() as log:
        showlog.show(False)
        if configured:
            logging.basicConfig(handlers=[logging.StreamHandler()])
        showlog.settle()
        logging.getLogger("shop").error("%d items", "no number")
        logging.getLogger("shop").error("%d items", Unprintable())
        assert log.text.count("--- Logging error ---") == 2
        assert "TypeError: %d format: a" in log.text
        assert "test_showlog.py:" in log.text
        assert "'%d items', ('no number',)" in log.text


def test_handler_that_deals_with_what_it_cannot_write_is_left_alone() -> None:
    seen: list[logging.LogRecord] = []

    class Own(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            self.handleError(record)

        def handleError(self, record: logging.LogRecord) -> None:
            seen.append(record)

    with Log() as log:
        showlog.show(False)
        logging.basicConfig(handlers=[Own()])
        showlog.settle()
        logging.getLogger("shop").error("%d items", "no number")
        assert len(seen) == 1
        assert log.text == ""
