"""The native operators, each beside the way that it replaces and beside a plain copy of the bytes that it moves.

One file an operator, whose `cases()` says what is timed; `timing.py` times it, `python -m tundish_bench.kernels` shows
it.
"""
