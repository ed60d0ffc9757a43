"""The answer to a message that is too big, as far as what came of it tells how."""

from __future__ import annotations

from pycom_core import BaseCommand, Response, constants
from pycom_core.messages import Attachment
from pycom_plugins.transport_zmtp.engine import TooBig


def reason(message: TooBig) -> str:
    """Say in which way it is too big, and which setting of the service would let it pass."""
    if message.limit is None:
        return f"{message.problem}. The connection ends"
    return (
        f"{message.problem}, of which {message.limit} are taken (setting max_message_size). "
        "The connection ends"
    )


def too_big(message: TooBig, why: str) -> list[Attachment]:
    """The frames of a reply; none if the return address did not come."""
    if b"" not in message.frames:
        return []
    envelope = message.frames[: message.frames.index(b"")]
    text = f"The message is too big: {why}"
    response = Response(None, code=constants.ERROR_BAD_REQUEST, message=text)
    return [*envelope, b"", constants.PROTO_STATUS_SUCCESS, *BaseCommand().reply(response)]
