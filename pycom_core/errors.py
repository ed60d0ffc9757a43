"""One tree of exceptions: whatever PyCOM raises on purpose is a `PycomError`."""

from __future__ import annotations

from pycom_core import constants


class PycomError(Exception):
    """The root of every exception that PyCOM raises on purpose."""


class RemoteError(PycomError):
    """A call failed on the other side; `code` says how, the text is meant for the caller.

    A service raises it (or a subclass) to answer with that code; the client raises the subclass
    that belongs to the code of the answer, and `RemoteError` itself for codes of the service's own.
    """

    code: int = constants.ERROR_UNKNOWN

    def __init__(self, message: str = "", code: int | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class MethodNotFound(RemoteError):
    """The interface has no method of that name."""

    code = constants.ERROR_METHOD_NOT_FOUND


class ServiceNotFound(RemoteError):
    """No live service provides the interface, or no nameserver could be asked."""

    code = constants.ERROR_SERVICE_NOT_FOUND


class BadRequest(RemoteError):
    """The request is malformed, or its arguments are not what the method takes."""

    code = constants.ERROR_BAD_REQUEST


class AccessDenied(RemoteError):
    """The caller is not known, or may not do this."""

    code = constants.ERROR_ACCESS_DENIED


class SessionExpired(RemoteError):
    """The server holds no session of that id."""

    code = constants.ERROR_SESSION_EXPIRED


class DeadlineExceeded(RemoteError):
    """The request's deadline passed before it could be answered; it was not run, or was stopped."""

    code = constants.ERROR_DEADLINE_EXCEEDED


class Overloaded(RemoteError):
    """The server refused the request before running it; another try, or another server, may do."""

    code = constants.ERROR_OVERLOADED


class ServiceNotAvailable(PycomError):
    """The service could not be reached, or broke down while it answered.

    `sent` is False if the request did not leave this process as a whole: it is not run, and the
    call may be made again. Otherwise it may have run.
    """

    def __init__(self, message: str = "", sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class CallTimeout(ServiceNotAvailable, TimeoutError):
    """No answer within the timeout of the call. The client stays usable."""


class CallCancelled(PycomError):
    """A call was given up, as the request that it was made for is cancelled: nobody waits for it.

    Only blocking calls by `request.context()` raise it. `sent` is as in `ServiceNotAvailable`.
    """

    def __init__(self, message: str = "", sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class ConfigurationError(PycomError):
    """A setting is missing, unknown or wrong."""


class PluginError(ConfigurationError):
    """A plugin cannot be used; the text names its distribution and what to do."""


class PluginFailed(PycomError):
    """A plugin failed while it was used; the text names its distribution and what to do."""


_BY_CODE: dict[int, type[RemoteError]] = {
    cls.code: cls
    for cls in (
        MethodNotFound,
        ServiceNotFound,
        BadRequest,
        AccessDenied,
        SessionExpired,
        DeadlineExceeded,
        Overloaded,
    )
}


def remote_error(code: int, message: str | None) -> RemoteError:
    """Build the exception that stands for an error answer."""
    return _BY_CODE.get(code, RemoteError)(message or f"Remote error #{code}", code=code)
