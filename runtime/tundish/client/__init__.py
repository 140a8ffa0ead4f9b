"""Clients of a tundish server: `Client` blocks, `AsyncClient` awaits; both answer with the same typed results.

    with Client("127.0.0.1:8001") as client:
        prediction = client.predict("photo-labels", image="cat.jpg")
        outputs = client.infer("photo-labels.engine", {"pixel_values": pixels})

Every failure is a `tundish.TundishError` of the class that the server raised.
"""

from tundish.client._async import AsyncClient
from tundish.client._sync import Client

__all__ = ["AsyncClient", "Client"]
