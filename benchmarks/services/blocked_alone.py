"""The service `blocked` without the thread that receives and sends while the loop is held."""

from blocked import Blocked as Blocked

from pycom_core.transport import StandIn

StandIn._stand_in = lambda self: None
