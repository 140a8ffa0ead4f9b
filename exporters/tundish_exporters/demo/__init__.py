"""`tundish demo`."""


def demo() -> None:
    """."""
