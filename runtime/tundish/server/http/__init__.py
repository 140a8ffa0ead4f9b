"""The HTTP front: the Open Inference Protocol's REST form, with its binary data extension, and `/metrics`.

A request becomes the message that gRPC would have brought, goes to the same method of the same front, and what that
answers becomes JSON: each rule of the protocol has one implementation.
"""

from tundish.server.http.app import make_app
from tundish.server.http.listener import Listener

__all__ = ["Listener", "make_app"]
