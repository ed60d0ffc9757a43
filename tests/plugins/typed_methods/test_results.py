"""Results are checked against their annotation, in development and where it is asked for."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import threading
import uuid
from typing import Annotated, Any, Literal, TypedDict

import attrs
import msgspec
import pytest
from in_process import MakeRuntime, call

import pycom
import zerojson
from pycom_core import ServiceServer, Settings
from pycom_core.testing import LocalNetwork
from pycom_plugins.typed_methods.contracts import typed
from pycom_plugins.typed_methods.options import checks_results

NAME = "com.foo.results"


@attrs.define
class Receipt:
    total: float
    day: datetime.date
    _secret: str
    note: str = ""


@dataclasses.dataclass
class Dog:
    tricks: list[str]


class Size(TypedDict, total=False):
    height: float


DAY = datetime.date(2026, 11, 1)
NOON = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
RIGHT = {
    "whole": 3,
    "part": 3,
    "nothing": None,
    "receipt": Receipt(1.5, DAY, "hidden"),  # what is private does not leave
    "receipts": [Receipt(1, DAY, "")],
    "pet": Dog(["sit"]),
    "size": {"height": 2, "more": 1},
    "word": "yes",
    "pair": (1, "a"),
    "fives": -10,
    "once": {1, 2},
    "by_number": {-1: "a", 20: "b"},
    "by_word": {"yes": 1},
    "by_id": {uuid.UUID(int=1): 1},
    "zoned": NOON,
    "local": datetime.datetime(2026, 11, 1, 12),
    "anything": object,
}
WRONG: dict[str, tuple[Any, str]] = {
    "whole": ("3", 'result: expected int, got "3"'),
    "part": (float("nan"), "result: expected float, got null"),
    "nothing": (0, "result: expected null, got 0"),
    "receipt": ({"total": 1, "day": DAY}, "result.note: missing"),
    "receipts": ([Receipt("1", DAY, "")], 'result[0].total: expected float, got "1"'),  # type: ignore[arg-type]
    "pet": (Dog([1]), "result.tricks[0]: expected str, got 1"),  # type: ignore[list-item]
    "size": ({"height": "2"}, 'result.height: expected float, got "2"'),
    "word": ("maybe", 'result: expected "no" | "yes", got "maybe"'),
    "pair": ((1, 2), "result[1]: expected str, got 2"),
    "fives": (3, "result: expected multipleOf 5, got 3"),
    "once": ([1, 1], "result: expected uniqueItems True, got array"),
    "by_number": ({"x": "y"}, 'result, key "x": expected pattern ^-?[0-9]+$, got "x"'),
    "by_word": ({"x": 1}, 'result, key "x": expected "no" | "yes", got "x"'),
    "by_id": ({"x": 1}, 'result, key "x": expected UUID, got "x"'),
    "zoned": (datetime.datetime(2026, 11, 1), "result: expected pattern (Z|"),
    "local": (NOON, "result: expected pattern ^("),
}


@pycom.interface(NAME)
class Results(pycom.Service):
    """Methods that return prepared values, whatever their annotations say."""

    given: Any = None

    @pycom.method
    def whole(self, request: Any) -> int:
        return self.given

    @pycom.method
    def part(self, request: Any) -> float:
        return self.given

    @pycom.method
    def nothing(self, request: Any) -> None:
        return self.given

    @pycom.method
    def receipt(self, request: Any) -> Receipt:
        return self.given

    @pycom.method
    def receipts(self, request: Any) -> list[Receipt]:
        return self.given

    @pycom.method
    def pet(self, request: Any) -> Dog | None:
        return self.given

    @pycom.method
    def size(self, request: Any) -> Size:
        return self.given

    @pycom.method
    def word(self, request: Any) -> Literal["yes", "no"]:
        return self.given

    @pycom.method
    def pair(self, request: Any) -> tuple[int, str]:
        return self.given

    @pycom.method
    def fives(self, request: Any) -> Annotated[int, msgspec.Meta(multiple_of=5)]:
        return self.given

    @pycom.method
    def once(self, request: Any) -> set[int]:
        return self.given

    @pycom.method
    def by_number(self, request: Any) -> dict[int, str]:
        return self.given

    @pycom.method
    def by_word(self, request: Any) -> dict[Literal["yes", "no"], int]:
        return self.given

    @pycom.method
    def by_id(self, request: Any) -> dict[uuid.UUID, int]:
        return self.given

    @pycom.method
    def zoned(self, request: Any) -> Annotated[datetime.datetime, msgspec.Meta(tz=True)]:
        return self.given

    @pycom.method
    def local(self, request: Any) -> Annotated[datetime.datetime, msgspec.Meta(tz=False)]:
        return self.given

    @pycom.method
    def anything(self, request: Any) -> Any:
        return 3

    # How methods may answer.

    @pycom.method
    async def later(self, request: Any) -> int:
        await asyncio.sleep(0)
        return self.given

    @pycom.method
    def future(self, request: Any) -> int:
        future = zerojson.Future(request)
        threading.Thread(target=future.response, args=[self.given]).start()
        return future  # type: ignore[return-value]

    @pycom.method
    def response(self, request: Any) -> int:
        return request.response(self.given)

    @pycom.method
    def error(self, request: Any) -> int:
        return request.error(42, "sold out")

    @pycom.method
    def promised(self, request: Any) -> zerojson.Response:
        return request.response(self.given)

    @pycom.method(results=("n", "blob"), attachments=(None, "blob"))
    def several(self, request: Any) -> tuple[int, bytes]:
        return self.given, b"blob"

    @pycom.method
    def hooked(self, request: Any) -> int:
        return self.given


def add_text(iface: Any, method: Any, data: Any) -> None:
    data.result = f"{data.result} pieces"


Results.hooked.__method__.posthooks.append(add_text)  # type: ignore[attr-defined]


@pytest.fixture
def server(make_runtime: MakeRuntime) -> ServiceServer:
    return ServiceServer(["local://a"], [Results()], make_runtime(development=True))


def give(server: ServiceServer, method: str, value: Any) -> dict[str, Any]:
    server.interfaces[NAME].instance.given = value
    return call(server, NAME, method)


REFUSED = {"code": 1, "error": "Unknown error during request"}


@pytest.mark.parametrize("method", RIGHT)
def test_right_results_pass(server: ServiceServer, method: str) -> None:
    assert give(server, method, RIGHT[method])["code"] == 0


@pytest.mark.parametrize("method", WRONG)
def test_wrong_results_are_refused_and_the_log_says_why(
    server: ServiceServer, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    value, fault = WRONG[method]
    assert give(server, method, value) == REFUSED
    assert f"TypeError: {NAME}.{method} returned what is no " in caplog.text
    assert fault in caplog.text


def test_the_log_names_the_whole_annotation(
    server: ServiceServer, caplog: pytest.LogCaptureFixture
) -> None:
    give(server, "pair", (1, 2))
    assert "returned what is no tuple[int, str]: result[1]" in caplog.text


@pytest.mark.parametrize("method", ["later", "future", "response"])
def test_however_a_method_answers(
    server: ServiceServer, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert give(server, method, 3) == {"code": 0, "result": 3}
    assert give(server, method, "3") == REFUSED
    assert f'{NAME}.{method} returned what is no int: result: expected int, got "3"' in caplog.text


def test_errors_are_no_results(server: ServiceServer) -> None:
    assert give(server, "error", None) == {"code": 42, "error": "sold out"}


def test_annotations_that_promise_nothing(server: ServiceServer) -> None:
    assert give(server, "promised", "3")["result"] == "3"


def test_named_results_are_checked_by_name(
    server: ServiceServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert give(server, "several", 3)["result"] == {"n": 3}
    assert give(server, "several", "3") == REFUSED
    assert 'result.n: expected int, got "3"' in caplog.text


def test_what_counts_is_the_result_before_hooks_change_it(server: ServiceServer) -> None:
    assert give(server, "hooked", 3)["result"] == "3 pieces"
    assert give(server, "hooked", "3") == REFUSED


def test_what_cannot_be_sent_is_told_as_ever(
    server: ServiceServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert give(server, "whole", object()) == REFUSED
    assert "com.foo.results.whole returned what cannot be sent" in caplog.text
    assert "result: object is nothing that JSON knows" in caplog.text


def test_in_threads(make_runtime: MakeRuntime) -> None:
    runtime = make_runtime(development=True, threads=1)
    server = ServiceServer(["local://a"], [Results()], runtime)
    assert give(server, "whole", "3") == REFUSED


# Where results are checked.


@pytest.mark.parametrize(
    ("development", "table", "checked"),
    [
        (False, {}, False),
        (True, {}, True),
        (False, {"check_results": True}, True),
        (True, {"check_results": False}, False),
    ],
)
def test_settings(
    make_runtime: MakeRuntime, development: bool, table: dict[str, Any], checked: bool
) -> None:
    runtime = make_runtime(development=development, tables={"typed_methods": table})
    server = ServiceServer(["local://a"], [Results()], runtime)
    assert give(server, "whole", "3")["code"] == (1 if checked else 0)


def test_wrong_settings(make_runtime: MakeRuntime) -> None:
    for table, message in (
        ({"check_result": True}, "typed_methods.check_result; did you mean 'check_results'"),
        ({"check_results": "yes"}, "typed_methods.check_results: Expected `bool | null`"),
    ):
        runtime = make_runtime(tables={"typed_methods": table})
        with pytest.raises(pycom.ConfigurationError, match=message):
            ServiceServer(["local://a"], [Results], runtime)


def test_production_does_not_check() -> None:
    assert checks_results(Settings(development=False)) is False


def test_networks_for_tests_check() -> None:
    service = Results()
    with LocalNetwork() as network:
        network.serve(service)
        component = network.context().locate(NAME)
        service.given = "3"
        with pytest.raises(pycom.RemoteError, match="Unknown error"):
            component.invoke("whole")
    with LocalNetwork(typed_methods={"check_results": False}) as network:
        network.serve(service)
        assert network.context().locate(NAME).invoke("whole") == "3"


def test_calls_in_place_are_checked() -> None:
    service = Results()
    service.given = "3"
    with pytest.raises(TypeError, match="com.foo.results.whole returned what is no int"):
        typed(service).invoke("whole")
