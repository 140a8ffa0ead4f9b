"""Placement: which variant of a model runs, on how many instances, threads and items at a time.

What is best differs from machine to machine, so it is measured where it runs: for a few seconds when a version is
loaded for the first time (`Placer`), or for minutes by `tundish tune` (`tuning.tune`). What was found is kept beside
the repository for this machine (`PlacementStore`).
"""
