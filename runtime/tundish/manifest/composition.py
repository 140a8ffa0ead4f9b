"""What a composed bundle says: which bundles it is made of, and how an item goes through them.

A component is a bundle inside the bundle, `components/<name>/bundle.json`, complete and judged for itself: it has its
own variants, gate and files, and is loaded as a model of its own, `NAME.COMPONENT`. The steps are a graph: a step hands
values to a component, and what that answers is a value under the step's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tundish.manifest.preprocess import InputName
from tundish.manifest.terms import Part, PositiveInt, TaskName
from tundish.manifest.variants import Accuracy, BundleFile, Gate
from tundish.manifest.version import Version

MAX_COMPONENTS = 8
MAX_STEPS = 16

ValueName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""Of a value in the graph: a part of the item, or what a step made."""

ENGINE = "engine"
"""`NAME.engine` is a model's bare engine, so that no component may have this name."""


class Component(Part):
    """A bundle inside the bundle."""

    name: ValueName
    bundle: BundleFile
    """Its bundle.json, whose hash stands for all that it names."""

    @model_validator(mode="after")
    def _lies_in_its_place(self) -> Component:
        place = f"components/{self.name}/bundle.json"
        if self.bundle.path != place:
            raise ValueError(f"component '{self.name}' must lie at {place}, got {self.bundle.path}")
        return self


class Step(Part):
    """One call of a component, or one for each element of a list."""

    name: ValueName
    """Of what comes of it."""
    component: ValueName
    inputs: Annotated[tuple[ValueName, ...], Field(min_length=1, max_length=8)]
    """The values that make the component's item; an image and a place in it are the image's region there."""
    for_each: ValueName | None = None
    """The input that is a list: there is a call for each element in its place, and a list comes of the step.

    Inputs that other steps made by going through the same list go along with it.
    """
    remembered: Annotated[int, Field(ge=0)] = 0
    """How many answers are kept, those used last, for items that come again: images or texts as they were sent."""

    def elementwise(self, steps: Sequence[Step]) -> frozenset[str]:
        """Its inputs of which each call gets an element; `steps` are all of the model."""
        if self.for_each is None:
            return frozenset()
        made = {step.name for step in steps if step.for_each == self.for_each}
        return frozenset(self.inputs) & {self.for_each, *made}


class SimilarityPostprocess(Part):
    """From an image's vector and those of texts to labels with scores, highest first.

    The score of a text is the function of `scale * cosine + bias`.
    """

    kind: Literal["similarity"] = "similarity"
    function: Literal["softmax", "sigmoid"]
    scale: Annotated[float, Field(allow_inf_nan=False)]
    bias: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    template: Annotated[str, Field(pattern=r"^[^{}]*\{\}[^{}]*$")]
    """What makes a text of a label, which comes in the place of its `{}`."""


class PromptedPostprocess(Part):
    """From the segment of each prompt to an image's segments, labelled by the number of their prompt, from 0."""

    kind: Literal["prompted"] = "prompted"


class LinesPostprocess(Part):
    """From regions of text, and what each says, to the lines of a document."""

    kind: Literal["lines"] = "lines"
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """A line's score is at least that; what is below is hardly a text."""
    turned_above: Annotated[float, Field(ge=0, lt=1)] | None = None
    """A region whose label is `180` with a score above that stands upside down, and is turned before it is read; None
    if no step labels regions."""


class ReadPagePostprocess(Part):
    """From the lines that are read in an image to the words of a page, about which a question is asked."""

    kind: Literal["read-page"] = "read-page"
    lines: LinesPostprocess


ComposedPostprocess = Annotated[
    SimilarityPostprocess | PromptedPostprocess | LinesPostprocess | ReadPagePostprocess, Field(discriminator="kind")
]
"""How the values of the steps become a typed result."""


class Composition(Version):
    """One version of a model that is composed of others."""

    format_version: Literal[2] = 2
    task: TaskName
    reads: Annotated[tuple[InputName, ...], Field(min_length=1)]
    """The parts of an item, in their order."""
    components: Annotated[tuple[Component, ...], Field(min_length=1, max_length=MAX_COMPONENTS)]
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=MAX_STEPS)]
    """In an order in which each has its inputs."""
    postprocess: ComposedPostprocess
    accuracy: Accuracy | None
    """What the fastest variants together were measured to get right; None if there was nothing to measure it on."""
    gate: Gate
    """Of them; the components' own gates are in their manifests."""
    max_queue_size: PositiveInt = 256
    """Items that may wait; more are refused."""

    @property
    def files(self) -> tuple[BundleFile, ...]:
        """Every file of the bundle but the manifest itself and what its components name."""
        return (*self.assets, *(component.bundle for component in self.components))

    @model_validator(mode="after")
    def _is_a_graph(self) -> Composition:
        names = [component.name for component in self.components]
        if len(set(names)) < len(names) or ENGINE in names:
            raise ValueError(f"components must have different names, and none '{ENGINE}', got {names}")
        made = [step.name for step in self.steps]
        if twice := [name for index, name in enumerate(made) if name in (*self.reads, *made[:index])]:
            raise ValueError(f"two values have the name '{twice[0]}'")
        known: set[str] = set(self.reads)
        for step in self.steps:
            if step.component not in names:
                raise ValueError(f"step '{step.name}' calls '{step.component}', which is none of {names}")
            if missing := [name for name in step.inputs if name not in known]:
                raise ValueError(f"step '{step.name}' takes '{missing[0]}', which nothing before it makes")
            if step.remembered and (len(step.inputs) > 1 or step.inputs[0] not in self.reads):
                raise ValueError(f"step '{step.name}' remembers, so it must take one part of the item and nothing else")
            if step.for_each is not None and step.for_each not in step.inputs:
                raise ValueError(f"step '{step.name}' goes through '{step.for_each}', which is none of its inputs")
            known.add(step.name)
        if unused := set(names) - {step.component for step in self.steps}:
            raise ValueError(f"no step calls {sorted(unused)}")
        return self
