"""What every engine promises, on networks of a few nodes; NumPy is the oracle."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tundish.datatypes import NUMPY_DTYPES
from tundish.engines import Engine, check_tensors, computes_on_caller, load_file
from tundish.errors import EngineError
from tundish.manifest import TENSORS, EngineName, ModelSpec, TensorSpec

DRAW = np.random.default_rng(3)
SIDE = 1024

ELEMENTS = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
}

Load = Callable[..., Engine]


def answers(engine: Engine, **inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return engine.run(inputs)


@pytest.fixture(params=get_args(EngineName))
def load(request: pytest.FixtureRequest) -> Load:
    """Loads a file by each engine."""

    def loaded(path: Path, threads: int = 1) -> Engine:
        return load_file(request.param, path, precision="fp32", threads=threads)

    return loaded


def write(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], **constants: NDArray[Any]) -> Path:
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def tensor(name: str, *shape: str | int, element: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, element, shape)


def write_sum(path: Path) -> Path:
    """`first` + `second`, both `[batch, n]`, and `first` once more as `same`."""
    return write(
        path,
        [helper.make_node("Add", ["first", "second"], ["sum"]), helper.make_node("Identity", ["first"], ["same"])],
        [tensor("first", "batch", "n"), tensor("second", "batch", "n")],
        [tensor("sum", "batch", "n"), tensor("same", "batch", "n")],
    )


def write_product(path: Path) -> Path:
    """`x` `[batch, 1024]` times a matrix eight times over: long enough to watch."""
    matrix = DRAW.standard_normal((SIDE, SIDE), np.float32) / SIDE**0.5
    names = ["x", *(f"x{number}" for number in range(7)), "y"]
    nodes = [helper.make_node("MatMul", [a, "matrix"], [b]) for a, b in itertools.pairwise(names)]
    return write(path, nodes, [tensor("x", "batch", SIDE)], [tensor("y", "batch", SIDE)], matrix=matrix)


def rows(*shape: int) -> NDArray[Any]:
    return DRAW.standard_normal(shape, np.float32)


@pytest.mark.parametrize("datatype", ELEMENTS)
def test_a_tensor_of_each_datatype_goes_through(load: Load, datatype: str, tmp_path: Path) -> None:
    element = ELEMENTS[datatype]
    path = write(
        tmp_path / "same.onnx",
        [helper.make_node("Identity", ["x"], ["y"])],
        [tensor("x", "batch", 3, element=element)],
        [tensor("y", "batch", 3, element=element)],
    )
    engine = load(path)
    for side, name in ((engine.inputs, "x"), (engine.outputs, "y")):
        assert [(spec.name, spec.datatype, spec.wire_shape) for spec in side] == [(name, datatype, (-1, 3))]
    dtype = NUMPY_DTYPES[datatype]
    for batch in (1, 4, 2):
        array = DRAW.integers(0, 2 if datatype == "BOOL" else 100, (batch, 3)).astype(dtype)
        answer = answers(engine, x=array)["y"]
        assert answer.dtype == dtype
        np.testing.assert_array_equal(answer, array)


def test_an_input_without_dimensions_is_one_value(load: Load, tmp_path: Path) -> None:
    path = write(
        tmp_path / "scale.onnx",
        [helper.make_node("Mul", ["value", "factor"], ["product"])],
        [tensor("value", "batch", 1), tensor("factor")],
        [tensor("product", "batch", 1)],
    )
    engine = load(path)
    assert [spec.shape for spec in engine.inputs if spec.name == "factor"] == [()]
    values = rows(3, 1)
    for factor in (2.5, -1.0):
        product = answers(engine, value=values, factor=np.array(factor, np.float32))["product"]
        np.testing.assert_allclose(product, values * np.float32(factor), rtol=1e-6)


def test_inputs_and_outputs_belong_to_the_caller(load: Load, tmp_path: Path) -> None:
    engine = load(write_sum(tmp_path / "sum.onnx"))
    first, second = rows(2, 5), rows(2, 5)
    copies = first.copy(), second.copy()
    answer = answers(engine, first=first, second=second)
    for given, copy in zip((first, second), copies, strict=True):
        np.testing.assert_array_equal(given, copy)
    answers(engine, first=rows(2, 5), second=rows(2, 5))
    first[:] = 7
    np.testing.assert_array_equal(answer["same"], copies[0])
    np.testing.assert_allclose(answer["sum"], copies[0] + copies[1], rtol=1e-6)
    answer["sum"][:] = np.nan
    again = answers(engine, first=copies[0], second=copies[1])
    np.testing.assert_allclose(again["sum"], copies[0] + copies[1], rtol=1e-6)


def test_inputs_may_lie_anyhow_in_memory(load: Load, tmp_path: Path) -> None:
    engine = load(write_sum(tmp_path / "sum.onnx"))
    first, second = rows(6, 5)[::2], rows(5, 3).T
    second.flags.writeable = False
    answer = answers(engine, first=first, second=second)
    np.testing.assert_allclose(answer["sum"], first + second, rtol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"second": None},
        {"third": rows(2, 5)},
        {"second": np.ones((2, 5))},
        {"second": np.ones((2, 5), np.int32)},
        {"second": rows(2, 4)},
        {"second": rows(2, 5, 1)},
    ],
    ids=["missing", "unknown", "double", "integer", "shape", "rank"],
)
def test_what_an_engine_cannot_run_is_an_error_in_a_line(load: Load, change: dict[str, Any], tmp_path: Path) -> None:
    engine = load(write_sum(tmp_path / "sum.onnx"))
    good = {"first": rows(2, 5), "second": rows(2, 5)}
    engine.run(good)  # an input that is missing must not be that of the request before
    bad = {name: array for name, array in {**good, **change}.items() if array is not None}
    with pytest.raises(EngineError, match=r"^The engine failed: .+$") as caught:
        engine.run(bad)
    assert "\n" not in str(caught.value)
    np.testing.assert_allclose(answers(engine, **good)["sum"], good["first"] + good["second"], rtol=1e-6)


def test_a_request_that_fails_leaves_nothing_behind(load: Load, tmp_path: Path) -> None:
    """The embeddings of up to eight tokens: for more, the first layers run before shapes are found not to fit."""
    words, positions = rows(10, 4), rows(8, 4)
    path = write(
        tmp_path / "embeddings.onnx",
        [
            helper.make_node("Gather", ["words", "ids"], ["word"]),
            helper.make_node("Shape", ["ids"], ["count"], start=1, end=2),
            helper.make_node("Slice", ["numbers", "zero", "count", "one"], ["number"]),
            helper.make_node("Gather", ["positions", "number"], ["position"]),
            helper.make_node("Add", ["word", "position"], ["sum"]),
            helper.make_node("LayerNormalization", ["sum", "scale"], ["y"]),
        ],
        [tensor("ids", "batch", "tokens", element=TensorProto.INT64)],
        [tensor("y", "batch", "tokens", 4)],
        words=words,
        positions=positions,
        numbers=np.arange(8)[np.newaxis],
        zero=np.zeros(1, np.int64),
        one=np.ones(1, np.int64),
        scale=np.ones(4, np.float32),
    )
    engine = load(path)
    for tokens in (5, 9, 5, 20, 5, 8, 9, 8):
        ids = DRAW.integers(0, 10, (1, tokens))
        if tokens > 8:
            with pytest.raises(EngineError, match="The engine failed"):
                answers(engine, ids=ids)
        else:
            expected = words[ids] + positions[:tokens]
            expected -= expected.mean(axis=2, keepdims=True)
            expected /= np.sqrt(expected.var(axis=2, keepdims=True) + 1e-5)
            np.testing.assert_allclose(answers(engine, ids=ids)["y"], expected, atol=1e-5)


@pytest.mark.parametrize("content", [None, b"no network"], ids=["missing", "nonsense"])
def test_a_file_that_is_no_network_is_named(
    load: Load, content: bytes | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match=r"does not take .*model\.onnx: .+"):
        load(path)
    assert capfd.readouterr() == ("", "")


def test_a_network_that_the_engine_lacks_an_operator_for_is_refused(load: Load, tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Foundry", ["x"], ["y"], domain="steel")], "graph", [tensor("x", "batch")], [tensor("y", "n")]
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("steel", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), tmp_path / "model.onnx")
    with pytest.raises(EngineError, match=r"does not take .*Foundry"):
        load(tmp_path / "model.onnx")


def test_the_tensors_are_held_against_the_manifest(load: Load, tmp_path: Path) -> None:
    path = write_sum(tmp_path / "sum.onnx")
    engine = load(path)

    def spec(name: str, shape: tuple[str | int, ...] = ("batch", "n"), datatype: Any = "FP32") -> TensorSpec:
        return TensorSpec(name=name, datatype=datatype, shape=shape)

    inputs, outputs = (spec("first"), spec("second")), (spec("sum"), spec("same", ("rows", 5)))
    check_tensors(engine, ModelSpec(task=TENSORS, inputs=inputs, outputs=outputs), path)
    for wrong in (
        {"inputs": inputs[:1]},
        {"inputs": (spec("first"), spec("third"))},
        {"inputs": (spec("first"), spec("second", ("batch", 5)))},
        {"inputs": (spec("first", datatype="FP16"), spec("second"))},
        {"outputs": outputs[::-1]},
        {"outputs": (spec("sum"), spec("same", ("batch",)))},
    ):
        content: dict[str, Any] = {"task": TENSORS, "inputs": inputs, "outputs": outputs, **wrong}
        said = ModelSpec(**content)
        with pytest.raises(EngineError, match=r"sum\.onnx has the (in|out)puts .* its manifest says .*; export"):
            check_tensors(engine, said, path)


def test_fp32_is_not_rounded_to_less(load: Load, tmp_path: Path) -> None:
    path = write_product(tmp_path / "product.onnx")
    matrix = numpy_helper.to_array(onnx.load(path).graph.initializer[0]).astype(np.float64)
    x = rows(4, SIDE)
    expected = x.astype(np.float64)
    for _ in range(8):
        expected = expected @ matrix
    # bf16 is off by some 1e-2.
    np.testing.assert_allclose(answers(load(path), x=x)["y"], expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_other_threads_go_on_while_an_engine_runs(load: Load, tmp_path: Path) -> None:
    engine = load(write_product(tmp_path / "product.onnx"))
    x = rows(512, SIDE)
    answers(engine, x=x)
    begun, done = threading.Event(), threading.Event()

    def run() -> None:
        begun.set()
        answers(engine, x=x)
        done.set()

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    steps = 0
    while not done.is_set():
        steps += 1
        time.sleep(1e-4)
    thread.join()
    assert steps > 10


@pytest.mark.parametrize("threads", [1, 2])
def test_an_engine_computes_on_the_threads_it_is_given(load: Load, threads: int, tmp_path: Path) -> None:
    if threads > len(os.sched_getaffinity(0)):
        pytest.skip("the machine has one core")
    engine = load(write_product(tmp_path / "product.onnx"), threads)
    x = rows(256, SIDE)
    answers(engine, x=x)
    before = _processor_ticks()
    for run in range(1000):
        answers(engine, x=x)
        spent = [ticks - before.get(task, 0) for task, ticks in _processor_ticks().items()]
        computing = sum(ticks > max(spent) / 4 for ticks in spent)  # others hand over, and copy
        if run >= 20 and computing >= threads:
            break
    assert computing == threads


@pytest.mark.parametrize("engine", [engine for engine in get_args(EngineName) if computes_on_caller(engine, 1)])
def test_an_engine_that_says_so_computes_on_its_caller_alone(engine: EngineName, tmp_path: Path) -> None:
    assert not computes_on_caller(engine, 2)
    network = load_file(engine, write_product(tmp_path / "product.onnx"), precision="fp32", threads=1)
    x = rows(256, SIDE)
    answers(network, x=x)
    threads = len(list(Path("/proc/self/task").iterdir()))
    own, all_together = time.thread_time(), time.process_time()
    while time.thread_time() - own < 0.2:
        answers(network, x=x)
    assert time.process_time() - all_together < 1.2 * (time.thread_time() - own)
    assert len(list(Path("/proc/self/task").iterdir())) == threads


def _processor_ticks() -> dict[str, int]:
    """Of each thread of this process, by the kernel: hundredths of a second that it has run."""
    ticks = {}
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            ticks[task.name] = int(fields[11]) + int(fields[12])
    return ticks
