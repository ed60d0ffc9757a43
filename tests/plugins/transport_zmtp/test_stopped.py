"""A process that is stopped and goes on: what waited for it meanwhile."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import helpers
import pytest
from helpers import answer_in, until
from in_process import payload
from zmtp_stage import Client, plain

SERVER = Path(__file__).with_name("stopped_server.py")


@pytest.mark.parametrize("is_signal", [True, False], ids=["SIGSTOP", "lock of Python"])
def test_requests_that_were_given_up_meanwhile_are_not_run(
    is_signal: bool, processes: helpers.Processes
) -> None:
    server = processes.python(str(SERVER))
    address = server.wait_for(r"at (\S+)")[1]
    pid = server.process.pid

    def ask(client: Client, method: str, **others: object) -> None:
        for buffer in client.connection.encode([b"1", b"", *payload("a.b", method, **others)]):
            client.sock.sendall(buffer)

    closing, resetting, cancelling, late, early = (Client(plain(address)) for _ in range(5))
    with closing, resetting, cancelling, late, early:
        ask(early, "early")
        early.message()
        if is_signal:
            os.kill(pid, signal.SIGSTOP)
            until(lambda: "State:\tT" in Path(f"/proc/{pid}/status").read_text())
        else:
            ask(early, "hold")
            server.wait_for("ran hold")
        for client, method in (
            (closing, "closed"),
            (resetting, "reset"),
            (cancelling, "cancelled"),
        ):
            for _ in range(900):  # more than the inbox holds, and than is received at a time
                ask(client, method)
        cancelling.send(b"1", b"", b"CANCEL", b"{}")
        ask(late, "late", extensions={"org.pycom.deadline": 100})
        ask(early, "patient", extensions={"org.pycom.deadline": 60_000})
        closing.sock.close()
        resetting.reset()
        if is_signal:
            time.sleep(1.2)
            os.kill(pid, signal.SIGCONT)
        else:
            early.message()
        assert answer_in(late.message()[2:])["code"] == 7
        assert answer_in(early.message()[2:])["code"] == 0
        ask(late, "afterwards")
        assert answer_in(late.message()[2:])["code"] == 0
        ran = server.wait_for("ran afterwards") and server.output
        assert [line for line in ran.splitlines() if line.startswith("ran")] == [
            "ran early",
            *([] if is_signal else ["ran hold"]),
            "ran patient",
            "ran afterwards",
        ]
