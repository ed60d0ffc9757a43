from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

FUZZ = Path(__file__).with_name("fuzz.py")


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("zmtp_fuzz", FUZZ)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["zmtp_fuzz"] = module  # where attrs looks for it
    spec.loader.exec_module(module)
    return module


def test_bent_messages_end_in_events_or_protocol_errors() -> None:
    report = load().Fuzzer(seed=1).run(messages=10_000)
    assert report.faults == []
    assert report.messages == 10_000
    assert report.refused > 500
    assert report.events > 2_000
