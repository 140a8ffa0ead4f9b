"""Scheduling: a model's queue, its batching rule, its instances, and the cores that all models share."""

from tundish.scheduling.batching import SEQUENCE_IDLE_SECONDS, Batching
from tundish.scheduling.coordinator import Coordinator
from tundish.scheduling.cores import Cores
from tundish.scheduling.instance import any_instance_hangs
from tundish.scheduling.item import EntryName, Step
from tundish.scheduling.queue import DEFAULT_PRIORITY, PRIORITIES
from tundish.scheduling.scheduler import RUN_LIMIT_SECONDS, Scheduler

__all__ = [
    "DEFAULT_PRIORITY",
    "PRIORITIES",
    "RUN_LIMIT_SECONDS",
    "SEQUENCE_IDLE_SECONDS",
    "Batching",
    "Coordinator",
    "Cores",
    "EntryName",
    "Scheduler",
    "Step",
    "any_instance_hangs",
]
