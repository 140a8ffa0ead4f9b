"""Peers: other servers that a benchmark runs beside tundish, each installed into an environment of its own."""
