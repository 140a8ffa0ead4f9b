"""Benchmarks: what the project measures of itself and of its peers."""
