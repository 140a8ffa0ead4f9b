"""The order of a search: what is tried, what waits, what is retried with layers in float, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tundish.manifest import Accuracy, EngineName, Precision
from tundish_exporters import gate
from tundish_exporters.errors import DataError, ExportError
from tundish_exporters.progress import silent
from tundish_exporters.quantize.sensitivity import LayerError
from tundish_exporters.search.bar import SearchBar
from tundish_exporters.search.budget import Budget
from tundish_exporters.search.searching import Search
from tundish_exporters.search.stopwatch import Pace
from tundish_exporters.search.trial import Trial, best_first, front, why_none


@dataclass(frozen=True)
class FakeRecipe:
    """Loses so much accuracy, unless its bad layers stay in float."""

    name: str
    speed: float
    drop: float
    bad: tuple[str, ...] = ()
    kept: frozenset[str] = frozenset()
    precision: Precision = "int8"
    engines: tuple[EngineName, ...] = ("onnx",)

    @property
    def description(self) -> str:
        return self.name

    def keeping(self, layers: frozenset[str]) -> FakeRecipe:
        return replace(
            self, name=f"{self.name} keeping {len(layers)}", kept=layers, speed=self.speed - 0.1 * len(layers)
        )

    def prepare(self, source: Path, destination: Path, calibration: Any, progress: Any) -> None:
        raise NotImplementedError

    def write(self, prepared: Path, destination: Path, calibration: Any, progress: Any) -> None:
        raise NotImplementedError


@dataclass
class FakeBench:
    """Measures what recipes say of themselves; also the workshop."""

    layers: tuple[str, ...] = tuple("abcdefgh")
    seconds: float = 0.0
    """That each measurement takes, by the fake clock."""
    interrupted_at: str = ""
    faults: dict[str, Exception] = field(default_factory=dict)
    """What recipes fail by when they are judged."""
    judged: list[str] = field(default_factory=list)
    clock: float = 0.0

    def race(self, recipe: FakeRecipe, engine: EngineName) -> Pace:  # noqa: ARG002
        if recipe.name == "unwritable":
            raise ExportError("It cannot be written.")
        if recipe.name == "unloadable":
            raise ExportError("It cannot be loaded.")
        return Pace(10 / recipe.speed, recipe.speed)

    def accuracy(self, recipe: FakeRecipe, engine: EngineName, pace: Pace) -> Accuracy:  # noqa: ARG002
        if recipe.name == self.interrupted_at:
            raise KeyboardInterrupt
        if recipe.name in self.faults:
            raise self.faults[recipe.name]
        self.judged.append(recipe.name)
        self.clock += self.seconds
        drop = 0.0 if recipe.bad and set(recipe.bad) <= recipe.kept else recipe.drop
        return Accuracy(metric="accuracy", value=0.9 - drop, reference=0.9, samples=1000)

    def is_remembered(self, recipe: FakeRecipe, engine: EngineName) -> bool:  # noqa: ARG002
        return False

    def errors(self, recipe: FakeRecipe) -> list[LayerError]:  # noqa: ARG002
        return [LayerError(name, "Conv", 1 / (place + 1)) for place, name in enumerate(self.layers)]

    def discard(self, recipe: FakeRecipe) -> None:
        """It has no file."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Search]:
    """Searches for so many seconds of the bench's clock."""

    def run(bench: FakeBench, *recipes: FakeRecipe, seconds: float = 1000.0) -> Search:
        monkeypatch.setattr("tundish_exporters.search.budget.time.monotonic", lambda: bench.clock)
        monkeypatch.setattr("tundish_exporters.search.searching.installed_engines", lambda recipe: recipe.engines)
        budget = Budget(seconds / 60)
        fake: Any = bench
        search = Search(fake, fake, lambda accuracy: gate.judge(accuracy, 0.005), budget, SearchBar(silent, budget))
        search.run(recipes)
        return search

    return run


def outcomes(search: Search) -> dict[str, str]:
    return {trial.recipe.name: trial.outcome for trial in search.trials}


def test_the_fastest_that_passes_is_the_best(run: Callable[..., Search]) -> None:
    search = run(
        FakeBench(), FakeRecipe("good", 2.0, 0.001), FakeRecipe("better", 3.0, 0.004), FakeRecipe("wrong", 4.0, 0.2)
    )
    best = search.best("onnx")
    assert best is not None
    assert best.recipe.name == "better"
    assert outcomes(search) == {"good": "passed", "better": "passed", "wrong": "failed"} | {
        f"wrong keeping {count}": "failed" for count in (1, 2, 4)
    }


def test_what_is_slower_waits_until_all_else_is_tried_and_is_then_judged(run: Callable[..., Search]) -> None:
    bench = FakeBench()
    search = run(bench, FakeRecipe("fast", 3.0, 0.004), FakeRecipe("exact", 2.0, 0.0), FakeRecipe("faster", 4.0, 0.003))
    assert bench.judged == ["fast", "faster", "exact"]
    assert outcomes(search) == {"fast": "passed", "exact": "passed", "faster": "passed"}
    assert [trial.recipe.name for trial in front(search.trials)] == ["faster", "exact"]


def test_what_is_almost_as_fast_is_judged_before_layers_are_kept_in_float(run: Callable[..., Search]) -> None:
    """By another engine, whose layers are nothing to the one that has passed."""
    reserves = [FakeRecipe(name, speed, 0.0) for name, speed in [("c", 2.2), ("b", 2.3), ("a", 2.4), ("slow", 2.0)]]
    failing = FakeRecipe("failing", 2.9, 0.05, bad=("a",), engines=("openvino",))
    bench = FakeBench()
    run(bench, FakeRecipe("passing", 2.4, 0.0), *reserves, failing)
    assert bench.judged == ["passing", "failing", "a", "b", "failing keeping 1", "c", "slow"]


def test_what_is_no_faster_than_fp32_is_never_judged(run: Callable[..., Search]) -> None:
    bench = FakeBench()
    search = run(bench, FakeRecipe("slow", 1.0, 0.0))
    assert bench.judged == []
    assert "1.00 times as fast as fp32 in ONNX Runtime: no faster" in search.trials[0].reason
    assert search.best("onnx") is None


def test_the_fewest_of_the_worst_layers_that_let_it_pass_are_kept_in_float(run: Callable[..., Search]) -> None:
    bench = FakeBench()
    search = run(bench, FakeRecipe("mixed", 3.0, 0.2, bad=("c",)))
    assert bench.judged == ["mixed", "mixed keeping 1", "mixed keeping 2", "mixed keeping 4", "mixed keeping 3"]
    best = search.best("onnx")
    assert best is not None
    assert (best.kept, best.whole) == (("a", "b", "c"), FakeRecipe("mixed", 3.0, 0.2, bad=("c",)))


def test_keeping_layers_ends_where_it_is_slower_than_what_passes(run: Callable[..., Search]) -> None:
    bench = FakeBench()
    search = run(bench, FakeRecipe("good", 2.75, 0.001), FakeRecipe("mixed", 3.0, 0.2, bad=("d",)))
    assert outcomes(search)["mixed keeping 2"] == "failed"
    assert bench.judged[-1] == "mixed keeping 4", "judged with the time that was left"


def test_no_more_than_half_of_the_layers_are_kept(run: Callable[..., Search]) -> None:
    bench = FakeBench(layers=("a", "b", "c"))
    assert outcomes(run(bench, FakeRecipe("mixed", 3.0, 0.2, bad=("b",)))) == {
        "mixed": "failed",
        "mixed keeping 1": "failed",
    }


def test_the_first_is_tried_though_there_is_no_time_and_the_others_are_named(run: Callable[..., Search]) -> None:
    recipes = [FakeRecipe(name, 2.0, 0.2) for name in ("first", "second", "third")]
    search = run(FakeBench(seconds=1), *recipes, seconds=0.5)
    assert outcomes(search) == {"first": "failed", "second": "not tried", "third": "not tried"}


def test_what_has_begun_is_finished_when_the_time_is_up(run: Callable[..., Search]) -> None:
    recipes = [FakeRecipe(name, speed, 0.2) for name, speed in (("a", 2.0), ("b", 2.1), ("c", 2.2))]
    assert outcomes(run(FakeBench(seconds=1), *recipes, seconds=1.5)) == {
        "a": "failed",
        "b": "failed",
        "c": "not tried",
    }


def test_an_interrupt_keeps_what_is_known(run: Callable[..., Search]) -> None:
    bench = FakeBench(interrupted_at="second")
    search = run(bench, FakeRecipe("first", 2.0, 0.0), FakeRecipe("second", 3.0, 0.0), FakeRecipe("third", 4.0, 0.0))
    assert search.is_interrupted
    best = search.best("onnx")
    assert best is not None
    assert best.recipe.name == "first"


@pytest.mark.parametrize("name", ["unwritable", "unloadable"])
def test_a_recipe_that_is_impossible_costs_no_other(run: Callable[..., Search], name: str) -> None:
    search = run(FakeBench(), FakeRecipe(name, 2.0, 0.0), FakeRecipe("good", 2.0, 0.0))
    assert outcomes(search) == {name: "impossible", "good": "passed"}
    assert search.trials[0].reason.startswith("It cannot be")


def test_a_recipe_that_fails_on_a_sample_is_impossible_and_costs_no_other(run: Callable[..., Search]) -> None:
    fault = ExportError("It fails on cat.png.")
    bench = FakeBench(faults={"first": fault, "waiting": fault})
    recipes = [FakeRecipe("first", 3.0, 0.0), FakeRecipe("good", 2.0, 0.0), FakeRecipe("waiting", 1.5, 0.0)]
    search = run(bench, *recipes)
    assert [(each.recipe.name, each.outcome, each.speedup) for each in search.trials] == [
        ("first", "impossible", 3.0),
        ("good", "passed", 2.0),
        ("waiting", "impossible", 1.5),
    ]
    assert {each.reason for each in search.trials if each.outcome == "impossible"} == {"It fails on cat.png."}


def test_data_that_no_recipe_can_be_held_against_end_the_search(run: Callable[..., Search]) -> None:
    with pytest.raises(DataError, match="finds nothing"):
        run(FakeBench(faults={"first": DataError("The float model finds nothing.")}), FakeRecipe("first", 3.0, 0.0))


@pytest.mark.parametrize(
    ("recipes", "why"),
    [
        (
            [FakeRecipe("unwritable", 2.0, 0.0)],
            "no recipe can be made and judged. The first, unwritable by onnx: It ca",
        ),
        (
            [FakeRecipe("unwritable", 2.0, 0.0), FakeRecipe("slow", 0.5, 0.0), FakeRecipe("less", 0.9, 0.0)],
            "no recipe that can be made is faster. The fastest, less by onnx: It is 0.90 times as fast",
        ),
        ([], "no recipe was judged before the search ended"),
    ],
)
def test_where_nothing_is_left_it_says_why(run: Callable[..., Search], recipes: list[FakeRecipe], why: str) -> None:
    assert why_none(run(FakeBench(), *recipes).trials).startswith(why)


def test_each_engine_has_a_best_of_its_own(run: Callable[..., Search]) -> None:
    both: tuple[EngineName, ...] = ("onnx", "openvino")
    search = run(FakeBench(), FakeRecipe("a", 2.0, 0.0, engines=both), FakeRecipe("b", 3.0, 0.0, engines=("onnx",)))
    assert [(each.recipe.name, each.engine, each.outcome) for each in search.trials] == [
        ("a", "onnx", "passed"),
        ("a", "openvino", "passed"),
        ("b", "onnx", "passed"),
    ]
    best = search.best("openvino")
    assert best is not None
    assert best.recipe.name == "a"


def test_of_what_is_as_fast_as_the_fastest_that_which_answers_most_like_the_float_model_comes_first() -> None:
    def trial(name: str, speedup: float, value: float, agreement: float | None) -> Trial:
        accuracy = Accuracy(metric="accuracy", value=value, reference=0.9, samples=1000, agreement=agreement)
        recipe = FakeRecipe(name, speedup, 0.0)
        return Trial(recipe, "onnx", "passed", "", milliseconds=1 / speedup, speedup=speedup, accuracy=accuracy)

    trials = [
        trial("fastest", 2.40, 0.92, 0.97),
        trial("as fast, more alike", 2.35, 0.90, 0.99),
        trial("slower, most alike", 2.30, 0.90, 1.0),
        trial("slowest", 2.20, 0.90, 1.0),
    ]
    names = [each.recipe.name for each in best_first(list(reversed(trials)))]
    assert names == ["as fast, more alike", "fastest", "slower, most alike", "slowest"]
    # Vectors, or the agreement itself, are their own measure.
    alone = [trial("one", 2.40, 0.995, None), trial("other", 2.39, 0.997, None)]
    assert [each.recipe.name for each in best_first(alone)] == ["other", "one"]
    assert best_first([]) == []
