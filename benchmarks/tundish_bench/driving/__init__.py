"""Load on any server of the Open Inference Protocol, and what it sees of the server.

A measurement walks one way: `endpoint` says whom to ask, `contents` or `questions` what, `dialects` and `requests` in
which form, `asking` what the `answers` are held against, `load` how; `generator` runs the load in a process of its own
(`loops`, by `grpc_wire` or `http_wire`) and sends `records` back. From there `measuring` waits until one server is
steady, takes the repeats and makes `figures` of them; where servers are compared, `tundish_bench.rounds` loads them in
turn.
"""
