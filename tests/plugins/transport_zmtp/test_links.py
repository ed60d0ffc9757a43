"""A link that loses all packets for a while, and what was sent meanwhile."""

from __future__ import annotations

import sys
from pathlib import Path

import helpers
from links import FAR, link

HERE = Path(__file__).parent


def test_request_that_was_given_up_before_it_arrived_is_not_run(
    processes: helpers.Processes,
) -> None:
    with link() as (near, far, switch):

        def start(side: tuple[str, ...], script: str, address: str) -> helpers.Program:
            return processes.program(*side, sys.executable, str(HERE / script), address)

        server = start(far, "stopped_server.py", f"tcp://{FAR}:*")
        client = start(near, "link_client.py", server.wait_for(r"at (\S+)")[1])
        client.wait_for("answered")
        switch(False)
        given_up = client.wait_for(r"gave up (call-\d+), sent=True")[1]
        client.wait_for("goes on")
        switch(True)
        server.wait_for("ran afterwards")
        assert f"ran {given_up}\n" not in server.output
