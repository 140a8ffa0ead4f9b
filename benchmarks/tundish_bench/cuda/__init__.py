"""The operators on an NVIDIA GPU, each beside a copy within its memory of as many bytes as it moves.

One file an operator, whose `cases()` says what is timed; `timing.py` times it, `python -m tundish_bench.cuda` shows it.
"""
