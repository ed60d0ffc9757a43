"""The nameserver at an address."""

from __future__ import annotations

import pytest

from pycom_core import AccessDenied, CallTimeout, Client, ServiceNotFound, constants
from pycom_core.client._detect import detect_ns


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (None, None),
        (CallTimeout("late"), ServiceNotFound),
        (AccessDenied("not you"), AccessDenied),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_detected_nameserver_is_open_and_others_are_closed(
    error: BaseException | None,
    raised: type[BaseException] | None,
    default_runtime: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[Client] = []
    really_close = Client.close

    def close(client: Client) -> None:
        closed.append(client)
        really_close(client)

    def invoke(client: Client, name: str) -> None:
        assert (client.address, client.name, name) == ("tcp://a:1", constants.NS_INTERFACE, "stat")
        if error is not None:
            raise error

    monkeypatch.setattr(Client, "invoke", invoke)
    monkeypatch.setattr(Client, "close", close)
    if raised is None:
        found = detect_ns("tcp://a:1")
        assert closed == []
        found.close()
    else:
        with pytest.raises(raised):
            detect_ns("tcp://a:1")
        assert len(closed) == 1
