"""The server: fronts that take requests off the wire and hand them to the runtime."""
