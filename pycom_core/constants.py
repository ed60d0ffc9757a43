"""The numbers and names of the protocol and of the well-known services."""

from __future__ import annotations

from typing import Final

__version_info__: Final = (1, 0, 0, "")
__version__: Final = "{}.{}.{}{}".format(*__version_info__)

# Error codes of ZeroJSON 1.0; 7 and 8 were added by this implementation.
ERROR_UNKNOWN: Final = 1
ERROR_METHOD_NOT_FOUND: Final = 2
ERROR_SERVICE_NOT_FOUND: Final = 3
ERROR_BAD_REQUEST: Final = 4
ERROR_ACCESS_DENIED: Final = 5
ERROR_SESSION_EXPIRED: Final = 6
ERROR_DEADLINE_EXCEEDED: Final = 7
ERROR_OVERLOADED: Final = 8

# The wire.
PROTO_VERSION: Final = "1.0"
PROTO_CMD_CALL: Final = b"CALL"
PROTO_CMD_FINISH: Final = b"FINISH"
PROTO_STATUS_SUCCESS: Final = b"OK"
PROTO_STATUS_FAILURE: Final = b"FAIL"
PROTO_DEFAULT_TIMEOUT: Final = 5000  # ms
PROTO_SESSION_TIMEOUT: Final = 3600 * 1000  # ms
DEADLINE_EXTENSION: Final = "org.pycom.deadline"  # ms left when the request was sent

# What every service that can be introspected answers to.
GENERIC_METHOD_INTROSPECT: Final = "introspect"

# The nameserver.
NS_INTERFACE: Final = "org.pycom.nameserver"
NS_METHOD_STAT: Final = "stat"
NS_METHOD_LOCATE: Final = "locate"
NS_METHOD_REGISTER: Final = "register"
NS_METHOD_LIST_SERVICES: Final = "list_services"
NS_METHOD_UNREGISTER: Final = "unregister"
NS_METHOD_FIND: Final = "find"
NS_SERVICE_TIMEOUT: Final = 60000  # ms
NS_NAME_LOCAL: Final = "local"
NS_DEFAULT_ADDRESS: Final = "tcp://127.0.0.1:2012"
NS_DEFAULT_SERVICE: Final = "/org/pycom/nameserver"

# The authenticator.
AUTH_INTERFACE: Final = "org.pycom.authenticator"
AUTH_METHOD_AUTHENTICATE: Final = "authenticate"
AUTH_METHOD_VALIDATE: Final = "validate"
AUTH_EXTENSION: Final = "org.pycom.auth"
