"""Contents of reports: one with all that there may be, and one with next to nothing."""

from __future__ import annotations

import numpy as np

from support.images import encoded
from tundish_exporters.batch_limits import BatchTimes
from tundish_exporters.parity import Difference, Parity
from tundish_exporters.report.content import (
    About,
    ActivationHistogram,
    ChangedAnswer,
    Comparison,
    Confusion,
    Environment,
    GroupAccuracy,
    LayerError,
    ReportContent,
    ShownPart,
    StageMedians,
    Trial,
)
from tundish_exporters.report.samples import thumbnail
from tundish_exporters.report.wording import headline

LABELS = ("crack", "dent", "hot cell", "inactive cell", "scratch", "soiling", "sound", "shadow of a frame or a cable")

PARITY = Parity(32, Difference(2.4e-7, 1.1e-7), Difference(3.1e-5, 4.0e-6), 1.9e-6)
MACHINE = Environment(
    machine="x86_64",
    processor="AMD EPYC 7713 64-Core Processor",
    cores=2,
    python="3.11.2",
    instructions=("sse4_1", "avx", "avx2", "fma"),
    packages={"tundish": "0.1.0", "onnxruntime": "1.23.2", "openvino": "2026.4.0"},
)


def poor_content() -> ReportContent:
    """An export without data: nothing was tried."""
    about = About(model="plain", version=1, task="feature-extraction", source="an ONNX file")
    return ReportContent(about=about, headline=headline("plain", ()), parity=PARITY, environment=MACHINE)


def rich_content() -> ReportContent:
    """A search with fifteen trials, forty-five layers and twenty-four histograms."""
    trials = _trials()
    return ReportContent(
        about=About(
            model="solar-cells",
            version=3,
            task="image-classification",
            source="a Hugging Face directory (torch 2.9.1, transformers 4.57.1, onnx 1.19.1)",
            license="apache-2.0",
            intended_use="Sorting images of solar cells before lamination. Not for modules in the field.",
        ),
        headline=headline("solar-cells", trials),
        warnings=(
            "2 of 1,002 samples of cells cannot be used and were left out: crack/17.png (Not an image); sound/4.png is "
            "empty.",
            "onnx-int8-cpu does not pass the gate and will not be served: accuracy is over the bound of 0.50 points.",
        ),
        parity=PARITY,
        environment=MACHINE,
        max_drop=0.005,
        trials=trials,
        comparison=_comparison(),
        labels={
            name: _groups(LABELS, 0.004 * number) for number, name in enumerate(("onnx-fp32-cpu", "onnx-int8-cpu"))
        },
        slices={"onnx-int8-cpu": _groups(("line 1", "line 2", "line 3, nights"), 0.01)},
        layers=_layers(),
        activations=_activations(),
        stages=(
            StageMedians("onnx-fp32-cpu", 1.31, 11.9, 0.05, 20),
            StageMedians("openvino-int8-cpu", 1.28, 3.86, 0.05, 20),
            StageMedians("onnx-int8-cpu", 1.29, 4.62, 0.06, 20),
        ),
        batches=(BatchTimes(0, {1: 3.92, 2: 3.71, 4: 3.55, 8: 3.62}),),
    )


def _trials() -> tuple[Trial, ...]:
    recipes = [
        ("onnx-fp32-cpu", "onnx", "fp32", 11.9, 0.0, "passed", "as exported"),
        ("static-u8s8-mean", "onnx", "int8", 4.62, 0.002, "passed", "static Q/DQ, activations uint8, mean extremes"),
        ("static-u8s8-entropy", "onnx", "int8", 4.64, 0.006, "failed", "static Q/DQ, activations uint8, entropy"),
        ("static-u8s8-percentile", "onnx", "int8", 4.6, 0.0078, "failed", "static Q/DQ, 99.99th percentile"),
        ("static-mean", "openvino", "int8", 3.86, 0.003, "served", "static Q/DQ, activations uint8, mean extremes"),
        ("static-entropy", "openvino", "int8", 3.84, 0.0064, "failed", "static Q/DQ, activations uint8, entropy"),
        ("static-percentile", "openvino", "int8", 3.87, 0.0081, "failed", "static Q/DQ, 99.99th percentile"),
        ("static-s8s8", "onnx", "int8", 5.9, 0.0032, "slower", "static Q/DQ, both signed, for TensorRT"),
        ("dynamic-u8s8", "onnx", "int8", 16.2, 0.001, "slower", "dynamic, weights int8 per channel"),
        ("per-tensor", "onnx", "int8", 4.5, 0.412, "failed", "static Q/DQ, weights int8 per tensor"),
        ("smooth-0.5", "onnx", "int8", 4.71, 0.0031, "passed", "SmoothQuant with a half, static Q/DQ"),
        ("bias-corrected", "openvino", "int8", 3.88, 0.0044, "passed", "static Q/DQ with corrected biases"),
        ("bf16", "openvino", "bf16", 9.8, -0.002, "passed", "as exported, computed in bf16"),
        ("weights-int4-block32", "onnx", "int4", 12.8, None, "slower", "weights int4 in blocks of 32"),
        ("fp16", "onnx", "fp16", None, None, "impossible", "weights and activations fp16"),
    ]  # fmt: skip
    return tuple(_trial(*recipe) for recipe in recipes)


def _trial(
    name: str, engine: str, precision: str, milliseconds: float | None, drop: float | None, outcome: str, recipe: str
) -> Trial:
    reasons = {
        "served": "The fastest that passes: a drop within the bound of 0.50.",
        "passed": "Passes the gate; static-mean is faster.",
        "failed": "accuracy is over the bound of 0.50 points.",
        "slower": "Slower than what passes already, so it was not judged.",
        "impossible": "ONNX Runtime has no fp16 kernel for Conv on a CPU.",
    }
    return Trial(
        name=name,
        engine=engine,
        precision=precision,
        recipe=recipe,
        outcome=outcome,  # type: ignore[arg-type]  # one of them
        reason=reasons[outcome],
        milliseconds=milliseconds,
        speedup=None if milliseconds is None else 11.9 / milliseconds,
        metric="accuracy" if drop is not None else None,
        value=None if drop is None else 0.934 - drop,
        reference=None if drop is None else 0.934,
        drop=drop,
        interval=None if drop is None or precision == "fp32" else (drop - 0.0032, drop + 0.0041),
        samples=500 if drop is not None else None,
        kept_layers=("/features/0/conv/Conv", "/classifier/Gemm") if name.startswith("smooth") else (),
        bytes=None if milliseconds is None else (9_000_000 if precision == "fp32" else 2_400_000),
    )


def _comparison() -> Comparison:
    random = np.random.default_rng(4)
    counts = random.integers(0, 2, (len(LABELS), len(LABELS))) * random.integers(0, 3, (len(LABELS), len(LABELS)))
    np.fill_diagonal(counts, random.integers(30, 90, len(LABELS)))
    colors = ("red", "green", "blue")
    pictures = [thumbnail(encoded(color, size=(300, 200 + 60 * number))) for number, color in enumerate(colors)]
    examples = tuple(
        ChangedAnswer(
            sample=f"crack/cell_{number:04d}.png",
            parts=(ShownPart("image", picture=pictures[number % 3]),),
            float_answer=f"crack {0.61 - 0.01 * number:.3f}",
            answer=f"{LABELS[1 + number % 7]} {0.52 + 0.01 * number:.3f}",
            truth="crack" if number < 9 else None,
            likeness=0.0,
            float_is_right=True if number < 9 else None,
            is_right=False if number < 9 else None,
        )
        for number in range(12)
    )
    confusion = Confusion(LABELS, tuple(tuple(map(int, row)) for row in counts), left_out=0)
    return Comparison("openvino-int8-cpu", True, 500, 17, False, examples, confusion)


def _groups(names: tuple[str, ...], drop: float) -> tuple[GroupAccuracy, ...]:
    return tuple(
        GroupAccuracy(
            name, 0.95 - drop * (number - 1), 0.95, 40 + number, 3 + number, (-0.02, 0.03) if number else None
        )
        for number, name in enumerate(names)
    )


def _layers() -> tuple[LayerError, ...]:
    errors = np.random.default_rng(1).lognormal(-4.3, 1.1, 45)
    return tuple(
        LayerError(
            node=f"/model/features/features.{number}/conv/conv.{number % 3}/conv.{number % 3}.0/Conv",
            operator="Conv" if number < 44 else "Gemm",
            error=float(error),
            kept=bool(error > 0.08),
        )
        for number, error in enumerate(errors)
    )


def _activations() -> tuple[ActivationHistogram, ...]:
    histograms = []
    for number in range(24):
        random = np.random.default_rng(number)
        values = random.standard_normal(20_000) * 2
        if number % 2:
            values = np.clip(values, 0, None)
        low, high = (0.0, 4.0 + number / 8) if number % 2 else (-4.0 - number / 8, 5.0)
        step = (high - low) / 48
        edges = low + step * np.arange(-8, 57)
        counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
        histograms.append(
            ActivationHistogram(
                tensor=f"/features/features.{number}/conv/conv.{number % 3}/Conv_output_0",
                operator="Clip" if number % 2 else "Conv",
                edges=tuple(edges.tolist()),
                counts=tuple(counts.tolist()),
                low=low,
                high=high,
                least=float(values.min()),
                greatest=float(values.max()),
                clipped=float(((values < low) | (values > high)).mean()),
            )
        )
    return tuple(sorted(histograms, key=lambda each: -each.clipped))
