"""Models as arguments and results, over the wire of a test network."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import subprocess
import sys
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import attrs
import pytest
from pycom_pydantic.codec import Models
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator

from pycom_core import BadRequest, RemoteError, Request, interface, method
from pycom_core.testing import LocalNetwork, SampleObjects, TypeCodecContract

T = TypeVar("T")


class Item(BaseModel):
    """Something to sell."""

    name: str = Field(min_length=1)
    price: decimal.Decimal = Field(decimal.Decimal(1), gt=0)

    @field_validator("name")
    @classmethod
    def not_forbidden(cls, name: str) -> str:
        if name == "poison":
            raise ValueError("not sold here")
        return name


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    items: list[Item]
    day: datetime.date | None = None
    customer: str = Field("", alias="customer-name")


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    day: datetime.date
    pair: tuple[int, str]


class Node(BaseModel):
    next: Node | None = None


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str] = []


class Pet(RootModel[Annotated[Cat | Dog, Field(discriminator="kind")]]):
    pass


class Page(BaseModel, Generic[T]):
    items: list[T]


class Opaque(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    value: Any = None
    handle: type[object] | None = None
    hidden: complex | None = None


@attrs.define
class Basket:
    order: Order
    extras: dict[str, Item] = attrs.field(factory=dict)


@interface("com.foo.shop")
class Shop:
    introspection_data: ClassVar[dict[str, Any]] = {}

    @method
    def echo(self, request: Request, order: Order) -> Order:
        assert type(order) is Order
        assert all(type(item) is Item for item in order.items)
        return order

    @method
    def unannotated(self, request: Request, name: str):  # type: ignore[no-untyped-def]
        return {"items": [Item(name=name, price=decimal.Decimal(1))]}

    @method
    def basket(self, request: Request, basket: Basket, more: Item | None = None) -> list[Basket]:
        assert type(basket.order) is Order
        return [basket]

    @method
    def strict(self, request: Request, value: Strict) -> Strict:
        return value

    @method
    def node(self, request: Request, node: Node) -> Node:
        return node

    @method
    def pet(self, request: Request, pet: Pet) -> str:
        return type(pet.root).__name__

    @method
    def page(self, request: Request, page: Page[Item]) -> Page[Item]:
        assert type(page.items[0]) is Item
        return page

    @method
    async def later(self, request: Request, item: Item) -> Item:
        return item

    @method
    def opaque(self, request: Request, opaque: Opaque) -> None:
        assert type(opaque) is Opaque

    @method
    def broken(self, request: Request) -> Item:
        return Item.model_construct(name="", price=decimal.Decimal(1))


class TestContract(TypeCodecContract):
    @pytest.fixture
    def sample(self) -> SampleObjects:
        day = datetime.date(2026, 11, 1)
        objects = [
            Item(name="tea", price=decimal.Decimal("1.50")),
            Strict(day=day, pair=(1, "a")),
            Node(next=Node()),
            Pet(Dog(tricks=["sit"])),
            Page[Item](items=[]),
        ]
        wrong = [(Item, {}), (Item, None), (Strict, {"day": 3, "pair": [1, "a"]}), (Pet, {})]
        return SampleObjects(Models(), objects, wrong)


@pytest.fixture
def network() -> Iterator[LocalNetwork]:
    with LocalNetwork() as network:
        network.serve(Shop)
        yield network


def call(network: LocalNetwork, name: str, args: Any = None) -> Any:
    with network.context().locate("com.foo.shop") as shop:
        return shop.invoke(name, args)


SIDES = ("arguments", "result")
TEA = {"name": "tea", "price": "3"}
ORDER = {"items": [TEA], "day": "2026-11-01", "customer-name": "Ann"}


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        ("echo", {"order": ORDER}, ORDER),
        ("echo", {"order": {"items": []}}, {"items": [], "day": None, "customer-name": ""}),
        ("unannotated", {"name": "tea"}, {"items": [{"name": "tea", "price": "1"}]}),
        ("basket", {"basket": {"order": ORDER, "extras": {"a": TEA}}, "more": TEA},
         [{"order": ORDER, "extras": {"a": TEA}}]),
        ("strict", {"value": {"day": "2026-11-01", "pair": [1, "a"]}},
         {"day": "2026-11-01", "pair": [1, "a"]}),
        ("node", {"node": {"next": {}}}, {"next": {"next": None}}),
        ("pet", {"pet": {"kind": "dog"}}, "Dog"),
        ("page", {"page": {"items": [TEA]}}, {"items": [TEA]}),
        ("later", {"item": TEA}, TEA),
        ("opaque", {"opaque": {"value": [1]}}, None),
    ],
)  # fmt: skip
def test_accepted(network: LocalNetwork, name: str, args: Any, result: Any) -> None:
    assert call(network, name, args) == result


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("echo", {"order": {"items": [TEA, {"name": "tea", "price": -1}]}},
         "args.order.items[1].price: Input should be greater than 0"),
        ("echo", {"order": {"items": [{}, {"name": ""}], "more": 1}},
         "args.order.items[0].name: Field required (and 2 more)"),
        ("echo", {"order": {"items": [{"name": "poison"}]}},
         "args.order.items[0].name: Value error, not sold here"),
        ("echo", {"order": 3}, "args.order: Input should be an object"),
        ("echo", {"order": {**ORDER, "customer-name": 3}},
         "args.order.customer-name: Input should be a valid string"),
        ("strict", {"value": {"day": 3, "pair": [1, "a"]}}, "args.value.day: "),
        ("basket", {"basket": {"order": ORDER, "extras": {"a": {}}}},
         "args.basket.extras[...].name: Field required"),
        ("pet", {"pet": {"kind": "cow"}}, "args.pet: Input tag 'cow' found using 'kind'"),
        ("later", {"item": {"name": "\ud800"}}, "args.item: "),
        ("echo", {}, "Argument 'order' is required"),
    ],
)  # fmt: skip
def test_refused(network: LocalNetwork, name: str, args: Any, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        call(network, name, args)
    assert str(caught.value).startswith(message)


def test_models_may_be_sent(network: LocalNetwork) -> None:
    order = Order(items=[Item(name="tea", price=decimal.Decimal(3))], **{"customer-name": "Ann"})  # type: ignore[arg-type]
    assert call(network, "echo", {"order": order}) == {**ORDER, "day": None}

    async def send() -> Any:
        async with network.async_context() as context:
            shop = await context.locate("com.foo.shop")
            return await shop.invoke("later", {"item": Item(name="tea", price=decimal.Decimal(1))})

    assert asyncio.run(send()) == {"name": "tea", "price": "1"}


def test_results_that_break_their_promise(
    network: LocalNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RemoteError, match="Unknown error"):
        call(network, "broken")
    assert "returned what is no Item: result.name: expected minLength 1" in caplog.text


def test_descriptions(network: LocalNetwork) -> None:
    methods = call(network, "introspect")["methods"]
    schemas = {name: info.get("schema") for name, info in methods.items()}
    order = schemas["echo"]["arguments"]["$defs"]["Order"]
    assert order["properties"]["items"]["items"] == {"$ref": "#/$defs/Item"}
    assert order["required"] == ["items"]
    assert order["additionalProperties"] is False
    assert "customer-name" in order["properties"]
    # It may be a number when it comes, and is a text when it leaves.
    price = [schemas["echo"][side]["$defs"]["Item"]["properties"]["price"] for side in SIDES]
    assert ["anyOf" in schema for schema in price] == [True, False]
    assert schemas["later"]["arguments"]["$defs"].keys() == {"Item"}
    assert schemas["node"]["arguments"]["properties"] == {"node": {"$ref": "#/$defs/Node"}}
    assert schemas["page"]["result"]["$defs"].keys() == {"Page_Item", "Item"}


def test_what_pydantic_cannot_describe_says_nothing() -> None:
    class Handle:
        pass

    class Holder(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)

        handle: Handle

    assert Models().schema(Holder, result=False) == {}


def test_pydantic_is_not_imported_before_a_model_is_met() -> None:
    code = """
import sys
from pycom_core import Runtime, Settings
runtime = Runtime(Settings())
assert "pydantic" in runtime.plugins.active
print("pydantic" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
