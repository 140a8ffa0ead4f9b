"""Scheduling: a model's queue, its batching rule and the instances that drive its engines."""

from tundish.scheduling.queue import Batching, EntryName
from tundish.scheduling.scheduler import Scheduler

__all__ = ["Batching", "EntryName", "Scheduler"]
