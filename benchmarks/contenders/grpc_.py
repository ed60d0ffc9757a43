"""gRPC for threads, with JSON as its messages, which need no generated code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import grpc
import msgspec

from contenders import ARGUMENTS
from contenders.asynchronous import AsyncCall, Measure, connected
from contenders.asynchronous import many as many_async
from contenders.serving import listens_on

DISTRIBUTIONS = ("grpcio",)
encode, decode = msgspec.json.encode, msgspec.json.decode
_BAR, _ECHO = "/example/bar", "/example/echo"
_CODECS = {"request_serializer": encode, "response_deserializer": decode}


def one(address: str) -> Callable[[], Any]:
    bar = grpc.insecure_channel(address).unary_unary(_BAR, **_CODECS)
    return lambda: bar(ARGUMENTS)


def threads(address: str) -> Callable[[], Callable[[], Any]]:
    call = one(address)  # a channel is for all threads
    return lambda: call


def many(address: str) -> Measure:
    async def connect() -> AsyncCall:
        bar = grpc.aio.insecure_channel(address).unary_unary(_BAR, **_CODECS)
        return lambda: bar(ARGUMENTS)

    return partial(many_async, connected(connect))


def echo(address: str) -> Callable[[bytes], bytes]:
    remote: Callable[[bytes], bytes] = grpc.insecure_channel(address).unary_unary(_ECHO)
    return remote


def bar(name: str, value: Any = None) -> dict[str, Any]:
    return {name: value}


class Handlers(grpc.GenericRpcHandler):
    """The two methods, without the code that protoc would generate."""

    def __init__(self, asynchronous: bool = False) -> None:
        async def async_bar(request: Any, context: object) -> Any:
            return bar(**request)

        function = async_bar if asynchronous else lambda request, context: bar(**request)
        self._methods = {
            _BAR: grpc.unary_unary_rpc_method_handler(function, decode, encode),
            _ECHO: grpc.unary_unary_rpc_method_handler(lambda request, context: request),
        }

    def service(self, handler_call_details: Any) -> Any:
        return self._methods.get(handler_call_details.method)


def serve() -> None:
    server = grpc.server(ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers((Handlers(),))
    listens_on(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    server.start()
    server.wait_for_termination()


async def serve_async() -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Handlers(asynchronous=True),))
    listens_on(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    if "async" in sys.argv:
        import asyncio

        asyncio.run(serve_async())
    else:
        serve()
