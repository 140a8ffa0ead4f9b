"""Sweeps: a server under more and more load, where its knee is, and how much it takes within a limit of latency."""
