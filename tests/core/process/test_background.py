"""A stream that makes nobody wait."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest
from helpers import until

from pycom_core.process import _background as background
from pycom_core.process._background import BackgroundStream

PATIENCE = 30  # s


class Pipe:
    """A pipe, and a text stream that writes into it."""

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        self.stream: TextIO = os.fdopen(writer, "w", encoding="utf-8", errors="backslashreplace")

    def read(self, count: int) -> str:
        """Read that many bytes."""
        found = b""
        while len(found) < count:
            found += os.read(self._reader, count - len(found))
        return found.decode()

    def close(self) -> None:
        self.close_reader()
        self.stream.close()

    def close_reader(self) -> None:
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def never(count: int) -> None:
    raise AssertionError(f"{count} were dropped")


def test_what_is_written_arrives_in_order(pipe: Pipe) -> None:
    stream = BackgroundStream(pipe.stream, never)
    texts = [f"line {number} ü\n" for number in range(1000)]
    for text in texts:
        assert stream.write(text) == len(text)
    stream.flush()
    expected = "".join(texts)
    assert pipe.read(len(expected.encode())) == expected


def test_characters_that_the_stream_cannot_encode_are_escaped(pipe: Pipe) -> None:
    BackgroundStream(pipe.stream, never).write("\ud800\n")
    assert pipe.read(7) == "\\ud800\n"


def test_writing_waits_for_no_reader_and_says_what_it_dropped(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "LIMIT", 1000)
    dropped: list[int] = []
    said = threading.Event()
    stream = BackgroundStream(pipe.stream, lambda count: (dropped.append(count), said.set()))
    block = "x" * 2**20  # more than fits into any pipe; taken although it is long, as it is alone
    stream.write(block)
    until(lambda: not stream._waiting)  # the thread has begun to write it
    assert not stream.drain(0.001)
    for number in range(200):
        stream.write(f"{number:9}\n")
    assert pipe.read(len(block) + 1000) == block + "".join(f"{n:9}\n" for n in range(100))
    assert said.wait(PATIENCE)
    assert dropped == [100]
    assert stream.drain(PATIENCE)
    stream.write("again\n")
    assert pipe.read(6) == "again\n"


def test_a_reader_that_is_gone_is_no_error(pipe: Pipe) -> None:
    stream = BackgroundStream(pipe.stream, never)
    pipe.close_reader()
    stream.write("lost\n")
    assert stream.drain(PATIENCE)


def test_a_pipe_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.stream.fileno(), False)
    block = "x" * 2**20
    BackgroundStream(pipe.stream, never).write(block)
    assert pipe.read(len(block)) == block


def test_a_stream_in_memory() -> None:
    memory = io.StringIO()
    stream = BackgroundStream(memory, never)
    stream.write("text")
    assert stream.drain(PATIENCE)
    assert memory.getvalue() == "text"


def test_all_else_is_as_the_stream_says(pipe: Pipe) -> None:
    stream = BackgroundStream(pipe.stream, never)
    assert (stream.encoding, stream.isatty()) == ("utf-8", False)
    with pytest.raises(AttributeError, match="nonsense"):
        stream.nonsense  # noqa: B018


def test_a_forked_child_writes_by_itself(pipe: Pipe) -> None:
    stream = BackgroundStream(pipe.stream, never)
    child = os.fork()
    if not child:
        stream.write("child\n")
        os._exit(0 if stream.drain(0) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert pipe.read(6) == "child\n"
