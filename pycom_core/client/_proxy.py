"""Proxies: the methods of a remote interface as Python methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from pycom_core.client._binding import Call, Calls
from pycom_core.client._client import Client
from pycom_core.client._component import BaseComponent
from pycom_core.client._context import Context
from pycom_core.client._remote_methods import RemoteMethods, own


class ProxyContext:
    """A `Context` whose components are proxies.

    Takes the arguments of a `Context`, or a context to wrap. Its attributes are those of that
    context, to read and to set.
    """

    _wrapped: Context

    def __init__(
        self,
        nameserver: Context | ProxyContext | str | Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        if isinstance(nameserver, ProxyContext):
            nameserver = nameserver._wrapped
        if not isinstance(nameserver, Context):
            nameserver = Context(nameserver, **options)
        elif options:
            raise TypeError(f"Set {', '.join(options)} on the context that is wrapped")
        self.__dict__["_wrapped"] = nameserver

    def __getattr__(self, name: str) -> Any:
        if name == "_wrapped" or name.startswith("__"):  # what Python asks for is of this object
            raise AttributeError(name)
        return getattr(self._wrapped, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._wrapped, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._wrapped, name)

    def __dir__(self) -> list[str]:
        return list({*super().__dir__(), *dir(self._wrapped)})

    def __copy__(self) -> ProxyContext:
        return ProxyContext(self._wrapped.__copy__())

    def __deepcopy__(self, memo: object) -> ProxyContext:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        return ProxyContext, (self._wrapped,)

    def nameserver(self) -> ProxyComponent:
        """See `Context.nameserver`."""
        return ProxyComponent(self._wrapped.nameserver())

    def locate(self, iface: str, service_name: str | None = None) -> ProxyComponent:
        """See `Context.locate`."""
        component = self._wrapped.locate(iface, service_name)
        try:
            return ProxyComponent(component)
        except BaseException:
            component.close()  # its service was not called: the balancer is to know
            raise

    def connect(self, address: str, iface: str) -> ProxyComponent:
        """See `Context.connect`."""
        return ProxyComponent(self._wrapped.connect(address, iface))


class ProxyComponent(RemoteMethods):
    """Remote methods as Python methods; a context manager that closes the component.

    Required arguments may be positional, all may be keywords, attachments among them. Several
    results come as a named tuple. The names of the component itself (`close`, `invoke`, `name`,
    `session_id`, `with_timeout`) give way to methods of those names.
    """

    def __init__(self, wrapped: BaseComponent) -> None:
        super().__init__(
            wrapped,
            wrapped.describe()
            if isinstance(wrapped, Client)
            else Calls(wrapped.name, wrapped.introspect()),
        )

    def _function(self, call: Call) -> Callable[..., Any]:
        name, bind, read, invoke = call.described.name, call.bind, call.read, self._wrapped.invoke

        def method(*args: Any, **kwargs: Any) -> Any:
            attachment = bind(args, kwargs)
            result = invoke(name, kwargs, None, attachment)
            return result if read is None else read(result)

        return method

    @own
    def name(self) -> Any:
        """Name of the interface."""
        return self._wrapped.name

    @own
    def context(self) -> Any:
        """The context that it was found by."""
        return self._wrapped.context

    @own
    def address(self) -> Any:
        """Address of the service."""
        return self._wrapped.address

    @own
    def invoke(self) -> Any:
        """See `BaseComponent.invoke`."""
        return self._wrapped.invoke

    @own
    def invoke_with_request(self) -> Any:
        """See `BaseComponent.invoke_with_request`."""
        return self._wrapped.invoke_with_request

    @own
    def close(self) -> Any:
        """Let go of the component."""
        return self._wrapped.close

    def __repr__(self) -> str:
        return f"<Proxy of {self._wrapped!r}>"

    def __enter__(self) -> ProxyComponent:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._wrapped.close()
