"""Load on any server of the Open Inference Protocol, and what it sees of the server.

A measurement walks one way: `endpoint` says whom to ask, `contents` and `requests` what, `load` how; `generator` runs
the load in a process of its own (`loops`, by `grpc_wire` or `http_wire`) and sends `records` back; `measuring` waits
until the server is steady, takes the repeats and makes `figures` of them.
"""
