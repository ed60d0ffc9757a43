"""A service with contracts of all kinds."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec

import pycom

if TYPE_CHECKING:
    from nowhere import NoSuchThing  # type: ignore[import-not-found]

NAME = "com.foo.store"


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@attrs.define
class Item:
    """Something to sell."""

    name: str
    price: float = attrs.field(validator=attrs.validators.lt(1000))
    color: Color = Color.RED
    parts: list[Item] = attrs.field(factory=list)


@dataclasses.dataclass
class Box:
    width: int
    tags: set[str] = dataclasses.field(default_factory=set)

    def __post_init__(self) -> None:
        if self.width == 13:
            raise ValueError("13 brings bad luck")


class Point(NamedTuple):
    x: int
    y: int = 0


class Size(TypedDict):
    height: float


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    tricks: list[str]


class Message(msgspec.Struct, rename={"sender": "from"}):
    sender: str
    text: str | msgspec.UnsetType = msgspec.UNSET


@pycom.interface(NAME)
class Store(pycom.Service):
    """Methods that return their arguments, as far as JSON can tell them apart."""

    Prices = dict[str, float]

    # What annotations may be.

    @pycom.method
    def items(self: NoSuchThing, request: NoSuchThing, items: list[Item]) -> list[Item]:
        assert all(type(item) is Item and type(item.color) is Color for item in items)
        return items

    @pycom.method
    def several(
        self, request: Any, box: Box, point: Point, size: Size, message: Message
    ) -> tuple[Box, Point, Size, Message]:
        assert (type(box), type(point), type(message)) == (Box, Point, Message)
        return box, point, size, message

    @pycom.method
    def times(
        self,
        request: Any,
        at: datetime.datetime,
        day: datetime.date,
        hour: datetime.time,
        long: datetime.timedelta,
    ) -> list[Any]:
        assert type(at) is datetime.datetime
        return [at, day, hour, long, [type(one).__name__ for one in (at, day, hour, long)]]

    @pycom.method
    def values(
        self,
        request: Any,
        id: uuid.UUID,
        amount: decimal.Decimal,
        blob: bytes,
        numbers: frozenset[int],
        word: Literal["yes", "no"],
        counts: Mapping[int, Sequence[int]],
    ) -> list[Any]:
        assert type(counts) is dict
        kinds = [type(one).__name__ for one in (id, amount, blob, numbers, word)]
        return [id, amount, blob, sorted(numbers), word, counts, kinds]

    @pycom.method
    def either(self, request: Any, value: int | list[str] | Item | None) -> Any:
        return type(value).__name__

    @pycom.method
    def pet(self, request: Any, pet: Cat | Dog) -> str:
        return type(pet).__name__

    @pycom.method
    def limits(
        self,
        request: Any,
        count: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1,
        word: Annotated[str, msgspec.Meta(pattern="^[a-z]*$", max_length=3)] = "",
    ) -> list[Any]:
        return [count, word]

    @pycom.method
    def prices(self, request: Any, prices: Prices) -> Prices:
        return prices

    @pycom.method
    def number(self, request: Any, whole: int = 0, part: float = 0.0) -> list[Any]:
        return [whole, part, type(part).__name__]

    # How methods may be written.

    @pycom.method
    def partly(self, request: Any, free, count: int, rest=None, *, last: str = "z"):  # type: ignore[no-untyped-def]
        return [free, count, rest, last]

    @pycom.method
    def keywords(self, request: Any, a: int = 1, *, b: int) -> list[Any]:
        return [a, b]

    @pycom.method
    def defaults(self, request: Any, count: int = None, items: list[int] = [7]) -> list[Any]:  # type: ignore[assignment]  # noqa: B006, RUF013
        return [count, items, items is self.defaults.__func__.__defaults__[1]]  # type: ignore[attr-defined]

    @pycom.method
    async def later(self, request: Any, item: Item) -> Item:
        return item

    @pycom.method(results=("size", "mirrored"), attachments=("image", "mirrored"))
    def mirror(self, request: Any, times: int, image: bytes) -> tuple[int, bytes]:
        return times * len(image), bytes(image)[::-1]

    @pycom.method(attachments=("image", None))
    def maybe(self, request: Any, image: bytes = b"none", times: int = 1) -> str:
        return (bytes(image) * times).decode()

    @pycom.method(results=("one",))
    def one(self, request: Any) -> Item:
        return Item("tea", 3)

    @pycom.method("by-another.name")
    def named(self, request: Any, value: int) -> int:
        return value

    @pycom.method
    def list(self, request: Any, list: list[int]) -> list[int]:
        return list

    @pycom.method
    def raw(self, request: Any, item: Item) -> Any:
        return request.args

    @pycom.method
    def anything(self, request: Any, value: Any, other: object = None) -> Any:
        return value

    @pycom.method
    def plain(self, request, value=None):  # type: ignore[no-untyped-def]
        return value

    @pycom.method
    def nothing(self, request: Any) -> None:
        return request.args or None  # a promise that is not kept

    @pycom.method
    def unencodable(self, request: Any) -> Box:
        return Box(1, {object()})  # type: ignore[arg-type]
