"""Bytes in, objects out: the frames and the JSON of ZeroJSON 1.0. No socket, no state.

Whatever a peer sends, the functions of this module return or raise `BadRequest`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from pycom_core import constants
from pycom_core.errors import BadRequest, RemoteError, remote_error
from pycom_core.messages import Attachment, Response
from pycom_core.wire import _jsonable as jsonable

_decode = msgspec.json.Decoder().decode
_VERSION = {"version": constants.PROTO_VERSION}

Frames = Sequence[Attachment]
_FrameT = TypeVar("_FrameT", bound=Attachment)


def split_frames(frames: Sequence[_FrameT]) -> tuple[Sequence[_FrameT], Sequence[_FrameT]]:
    """Split a message to a ROUTER at its first empty frame: return address, payload.

    The return address is everything before the delimiter, and is sent back unchanged. Raises
    `BadRequest` if there is no delimiter.
    """
    try:
        index = frames.index(b"")
    except ValueError:
        raise BadRequest("No empty delimiter frame before the command") from None
    return frames[:index], frames[index + 1 :]


def as_frame(value: Any) -> Attachment:
    """Return an object that holds bytes as one frame. Raises TypeError if it holds none.

    The bytes are copied only if they do not lie in one piece, as in a slice with a step, or if the
    items are not plain.
    """
    if type(value) is bytes:
        return value
    try:
        view = memoryview(value)
    except (TypeError, ValueError, BufferError) as error:
        raise TypeError(
            "An attachment must be bytes, or an object that lends its bytes, not "
            f"{jsonable.type_name(type(value))}: {error}"
        ) from error
    try:
        return view.cast("B")
    except TypeError:
        return view.tobytes()


def dict_to_wire(
    data: Mapping[str, Any],
    with_version: bool = True,
    encoder: msgspec.json.Encoder = jsonable.ENCODER,
) -> bytes:
    """Pack a dict of JSON values. Raises TypeError, with the place, for what JSON cannot hold."""
    value = {**data, **_VERSION} if with_version else data
    try:
        return encoder.encode(value)
    except Exception:
        return jsonable.encode_carefully(value, encoder)


def dict_from_wire(data: Attachment) -> dict[str, Any]:
    """Unpack an object from JSON. Raises `BadRequest` for anything else."""
    try:
        value = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = _decode_leniently(data)
    if type(value) is not dict:
        raise BadRequest(f"Expected a JSON object, got {_json_type(value)}")
    return value


def _decode_leniently(data: Attachment) -> Any:
    # What 0.6.0 reads and writes beyond the JSON standard: NaN, Infinity, lone surrogates.
    try:
        return json.loads(bytes(data).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRequest(f"Invalid encoding, expected UTF-8 ({error})") from None
    except RecursionError:
        raise BadRequest("Cannot decode JSON: it is nested too deep") from None
    except ValueError as error:
        raise BadRequest(f"Cannot decode JSON: {error}") from None


def _json_type(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def status_to_dict(response: Response) -> dict[str, Any]:
    """Return the code of a response, and its error text if any. Raises TypeError for a bad code."""
    if response.code:
        if type(response.code) is not int:
            raise TypeError(f"the code of the response is {response.code!r:.100}, and no int")
        return {"code": response.code, "error": response.message or ""}
    return {"code": 0}


def raise_for_status(data: Mapping[str, Any]) -> None:
    """Raise the `RemoteError` of an error answer; otherwise do nothing."""
    code = data.get("code")
    if type(code) is not int:
        raise RemoteError("The answer has no code")
    if code:
        error = data.get("error")
        raise remote_error(code, error if type(error) is str else None)
