"""NVIDIA's client, unmodified, against a running server: the extensions of the Open Inference Protocol."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from support.bundles import SIZE, make_bundle
from support.calls import ANSWER_SECONDS, connect
from support.images import encoded
from support.server_process import ServerProcess, wait_until
from tritonclient.utils import InferenceServerException, serialize_byte_tensor
from tritonclient.utils import shared_memory as shm

from tundish.errors import InvalidInputError
from tundish.server.classification import classify
from tundish_proto import open_inference_pb2 as oip


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    make_bundle(tmp_path)
    return tmp_path


@pytest.fixture
def server(repository: Path) -> Iterator[ServerProcess]:
    """New, and the test's alone."""
    with ServerProcess(repository, "--shared-memory") as process:
        yield process
        assert process.running, process.output


@pytest.fixture
def own(server: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    """A client of a server that the test may change, or that nobody has asked before."""
    with triton.InferenceServerClient(server.url) as connection:
        yield connection


@pytest.fixture(scope="module")
def sharing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    repository = tmp_path_factory.mktemp("shared")
    make_bundle(repository)
    with ServerProcess(repository, "--shared-memory") as process:
        yield process
        assert process.running, process.output


@pytest.fixture
def shared(sharing_server: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    """A client of a server whose model and regions the test may change, if it changes the model back."""
    with triton.InferenceServerClient(sharing_server.url) as connection:
        yield connection
        connection.unregister_system_shared_memory()


STAGES = ("queue", "compute_input", "compute_infer", "compute_output")


def images(*colors: str) -> triton.InferInput:
    tensor = triton.InferInput("image", [len(colors), 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[encoded(color)] for color in colors], np.object_))
    return tensor


def pixels(*rows: tuple[float, float, float]) -> triton.InferInput:
    array = np.array(rows, np.float32)[:, :, np.newaxis, np.newaxis].repeat(SIZE, 2).repeat(SIZE, 3)
    tensor = triton.InferInput("pixel_values", list(array.shape), "FP32")
    tensor.set_data_from_numpy(array)
    return tensor


def statistics(client: triton.InferenceServerClient, name: str) -> triton.service_pb2.ModelStatistics:
    (found,) = client.get_inference_statistics(name).model_stats
    return found


def test_statistics_count_what_was_asked(own: triton.InferenceServerClient) -> None:
    for _ in range(3):
        own.infer("colors", [images("red", "green")])
    with pytest.raises(InferenceServerException):
        own.infer("colors", [triton.InferInput("image", [1, 1], "BYTES")])
    own.infer("colors.engine", [pixels((1, 0, 0))])
    found = statistics(own, "colors")
    assert (found.name, found.version, found.inference_count) == ("colors", "1", 6)
    assert 3 <= found.execution_count <= 6
    assert (found.inference_stats.success.count, found.inference_stats.fail.count) == (3, 1)
    for stage in STAGES:
        duration = getattr(found.inference_stats, stage)
        assert duration.count == 3
        assert duration.ns > 0
    # perf_analyzer divides each by the number of requests, and calls what is left of a request overhead.
    stages = [getattr(found.inference_stats, stage).ns for stage in STAGES]
    assert sum(stages) < found.inference_stats.success.ns
    assert sum(batch.batch_size * batch.compute_infer.count for batch in found.batch_stats) == 6
    assert found.last_inference > 1.7e12
    assert statistics(own, "colors.engine").inference_count == 1
    assert {found.name for found in own.get_inference_statistics().model_stats} == {"colors", "colors.engine"}
    with pytest.raises(InferenceServerException, match="no model 'colours'"):
        own.get_inference_statistics("colours")


def states(client: triton.InferenceServerClient) -> dict[tuple[str, str], str]:
    return {(model.name, model.version): model.state for model in client.get_model_repository_index().models}


def test_a_model_is_unloaded_and_loaded(shared: triton.InferenceServerClient) -> None:
    assert states(shared) == {("colors", "1"): "READY"}
    shared.unload_model("colors")
    assert states(shared) == {("colors", "1"): "UNAVAILABLE"}
    assert not shared.is_model_ready("colors")
    assert shared.is_server_ready()
    with pytest.raises(InferenceServerException, match="It was unloaded; load it again to use it") as caught:
        shared.infer("colors", [images("red")])
    assert caught.value.status() == "StatusCode.UNAVAILABLE"
    shared.unload_model("colors")  # once more changes nothing
    shared.load_model("colors")
    assert shared.infer("colors", [images("red")]).as_numpy("label")[0, 0] == b"red"


def test_a_new_version_is_served_once_it_is_loaded(own: triton.InferenceServerClient, repository: Path) -> None:
    make_bundle(repository, version=2)
    assert own.infer("colors", [images("red")]).get_response().model_version == "1"
    own.load_model("colors")
    assert own.infer("colors", [images("red")]).get_response().model_version == "2"
    shutil.rmtree(repository / "colors" / "2")
    own.load_model("colors")
    assert states(own) == {("colors", "1"): "READY"}


def test_a_version_that_cannot_be_loaded_leaves_the_others(own: triton.InferenceServerClient, repository: Path) -> None:
    bundle = make_bundle(repository, version=2)
    (bundle.directory / "model.onnx").write_bytes(b"broken")
    with pytest.raises(InferenceServerException, match=r"model\.onnx"):
        own.load_model("colors")
    assert states(own) == {("colors", "1"): "READY", ("colors", "2"): "UNAVAILABLE"}
    assert own.infer("colors", [images("red")]).get_response().model_version == "1"


@pytest.mark.parametrize("name", ["colours", "../colors", "", ".", "/etc"])
def test_what_the_repository_does_not_have_cannot_be_loaded(shared: triton.InferenceServerClient, name: str) -> None:
    with pytest.raises(InferenceServerException, match="The repository has no model") as caught:
        shared.load_model(name)
    assert caught.value.status() == "StatusCode.NOT_FOUND"


def test_a_model_is_not_loaded_from_a_request(shared: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match=r"the parameters \['config'\] are not taken"):
        shared.load_model("colors", config="{}")


def test_classification_names_the_highest(shared: triton.InferenceServerClient) -> None:
    outputs = [triton.InferRequestedOutput("logits", class_count=2)]
    response = shared.infer("colors.engine", [pixels((0.1, 0.3, 0.2), (0.5, 0.0, 0.4))], outputs=outputs)
    assert response.as_numpy("logits").tolist() == [
        [b"3.000000:1:green", b"2.000000:2:blue"],
        [b"5.000000:0:red", b"4.000000:2:blue"],
    ]
    with pytest.raises(InferenceServerException, match="'label' is not numbers"):
        shared.infer("colors", [images("red")], outputs=[triton.InferRequestedOutput("label", class_count=1)])


def test_a_pipelines_scores_have_their_labels_beside_them(shared: triton.InferenceServerClient) -> None:
    """They are in an order of their own, so that the place of a score says nothing of its label."""
    outputs = [triton.InferRequestedOutput("score", class_count=1), triton.InferRequestedOutput("label")]
    response = shared.infer("colors", [images("blue")], outputs=outputs)
    assert response.as_numpy("label")[0, 0] == b"blue"
    score = response.as_numpy("score")[0, 0].decode()
    assert re.fullmatch(r"[01]\.\d{6}:0", score), score


def test_a_classification_is_no_book() -> None:
    array = np.zeros((2, 2**15 + 1), np.float32)
    assert classify("wide", array, 2**15, ()).size == 2**16
    with pytest.raises(InvalidInputError, match="asks for 65538 texts; at most 65536 are answered"):
        classify("wide", array, 10**6, ())


@pytest.fixture
def region() -> Iterator[object]:
    handle = shm.create_shared_memory_region("inputs", "/tundish_test_inputs", 4096)
    yield handle
    shm.destroy_shared_memory_region(handle)


def test_tensors_lie_in_shared_memory(shared: triton.InferenceServerClient, region: object) -> None:
    array = np.zeros((1, 3, SIZE, SIZE), np.float32)
    array[0, 2] = 1
    shm.set_shared_memory_region(region, [array])
    shared.register_system_shared_memory("both", "/tundish_test_inputs", 4096)
    (status,) = shared.get_system_shared_memory_status().regions.values()
    assert (status.name, status.key, status.offset, status.byte_size) == ("both", "/tundish_test_inputs", 0, 4096)
    tensor = triton.InferInput("pixel_values", list(array.shape), "FP32")
    tensor.set_shared_memory("both", array.nbytes)
    output = triton.InferRequestedOutput("logits")
    output.set_shared_memory("both", 12, offset=2048)
    response = shared.infer("colors.engine", [tensor], outputs=[output])
    assert list(response.get_response().raw_output_contents) == [b""]
    np.testing.assert_allclose(shm.get_contents_as_numpy(region, np.float32, [1, 3], 2048), [[0, 0, 10]])
    shared.unregister_system_shared_memory()
    assert not shared.get_system_shared_memory_status().regions
    with pytest.raises(InferenceServerException, match="There is no region 'both'"):
        shared.infer("colors.engine", [tensor], outputs=[output])


def test_images_lie_in_shared_memory(shared: triton.InferenceServerClient, region: object) -> None:
    serialized = serialize_byte_tensor(np.array([[encoded("green")]], np.object_))
    shm.set_shared_memory_region(region, [serialized])
    shared.register_system_shared_memory("images", "tundish_test_inputs", 4000, offset=0)
    tensor = triton.InferInput("image", [1, 1], "BYTES")
    tensor.set_shared_memory("images", len(serialized.item()))
    assert shared.infer("colors", [tensor]).as_numpy("label")[0, 0] == b"green"


@pytest.mark.usefixtures("region")
@pytest.mark.parametrize(
    ("key", "size", "offset", "message"),
    [
        ("/tundish_test_inputs", 5000, 0, "5000 bytes from byte 0 on does not fit"),
        ("/tundish_test_inputs", 96, 4001, "which has 4096"),
        ("/tundish_test_inputs", 0, 0, "does not fit"),
        ("/tundish_no_such_thing", 10, 0, "cannot be opened: No such file"),
        ("../../etc/passwd", 10, 0, "is not the key of a shared memory object"),
        ("/..", 10, 0, "is not the key of a shared memory object"),
        ("", 10, 0, "is not the key of a shared memory object"),
    ],
)
def test_a_region_that_is_not_there_is_refused(
    shared: triton.InferenceServerClient, key: str, size: int, offset: int, message: str
) -> None:
    with pytest.raises(InferenceServerException, match=message):
        shared.register_system_shared_memory("bad", key, size, offset=offset)


@pytest.mark.usefixtures("region")
def test_shared_memory_that_shrinks_costs_only_its_own_request(shared: triton.InferenceServerClient) -> None:
    shared.register_system_shared_memory("shrinks", "/tundish_test_inputs", 4096)
    with Path("/dev/shm/tundish_test_inputs").open("r+b") as file:
        file.truncate(10)
    tensor = triton.InferInput("pixel_values", [1, 3, SIZE, SIZE], "FP32")
    tensor.set_shared_memory("shrinks", 3 * SIZE * SIZE * 4)
    with pytest.raises(InferenceServerException, match="has become smaller"):
        shared.infer("colors.engine", [tensor])
    assert shared.infer("colors", [images("red")]).as_numpy("label")[0, 0] == b"red"


@pytest.mark.usefixtures("region")
def test_shared_memory_is_off_unless_it_is_switched_on(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="start it with --shared-memory") as caught:
        client.register_system_shared_memory("inputs", "/tundish_test_inputs", 4096)
    assert caught.value.status() == "StatusCode.UNIMPLEMENTED"
    client.unregister_system_shared_memory()  # as perf_analyzer does before it begins


def test_a_gpus_shared_memory_is_answered_for(client: triton.InferenceServerClient) -> None:
    assert not client.get_cuda_shared_memory_status().regions
    client.unregister_cuda_shared_memory()
    with pytest.raises(InferenceServerException, match="use system shared memory") as caught:
        client.register_cuda_shared_memory("inputs", base64.b64encode(b"handle"), 0, 64)
    assert caught.value.status() == "StatusCode.UNIMPLEMENTED"


def test_trace_settings_are_told_and_stand(client: triton.InferenceServerClient) -> None:
    settings = client.get_trace_settings(as_json=True)["settings"]
    assert settings["trace_level"]["value"] == ["OFF"]
    assert client.update_trace_settings(settings={"trace_level": "OFF"}, as_json=True)["settings"] == settings
    with pytest.raises(InferenceServerException, match="does not trace requests"):
        client.update_trace_settings("colors", {"trace_level": ["TIMESTAMPS"]})
    with pytest.raises(InferenceServerException, match="There is no trace setting 'colour'"):
        client.update_trace_settings(settings={"colour": "red"})


def test_log_settings_change_what_is_logged(own: triton.InferenceServerClient, server: ServerProcess) -> None:
    assert own.get_log_settings(as_json=True)["settings"]["log_info"] == {"bool_param": True}
    changed = own.update_log_settings({"log_info": False}, as_json=True)["settings"]
    assert changed["log_info"] == {"bool_param": False}
    assert changed["log_error"] == {"bool_param": True}
    own.unload_model("colors")
    own.load_model("colors")
    assert server.output.count("is ready") == 1
    own.update_log_settings({"log_info": True})
    own.unload_model("colors")
    own.load_model("colors")
    wait_until(lambda: server.output.count("is ready") == 2)  # what it says comes by a pipe, and later than answers
    settings = own.get_log_settings(as_json=True)["settings"]
    values = {name: next(iter(setting.values())) for name, setting in settings.items()}
    assert own.update_log_settings(values, as_json=True)["settings"] == settings, "what it says of itself, it takes"
    with pytest.raises(InferenceServerException, match="There is no log setting 'log_colour'"):
        own.update_log_settings({"log_colour": True})


def test_a_priority_is_taken(client: triton.InferenceServerClient) -> None:
    for priority in (0, 1, 3, 99):
        assert client.infer("colors", [images("red")], priority=priority).as_numpy("label")[0, 0] == b"red"


@pytest.mark.parametrize(
    ("name", "parameter", "sentence"),
    [
        ("timeout", oip.InferParameter(string_param="1000"), "'timeout' must be an integer, got '1000'"),
        ("timeout", oip.InferParameter(double_param=0.5), "'timeout' must be an integer, got 0.5"),
        ("timeout", oip.InferParameter(), "'timeout' must be an integer, got None"),
        ("timeout", oip.InferParameter(int64_param=-1), "'timeout' must not be negative, got -1"),
        ("priority", oip.InferParameter(bool_param=True), "'priority' must be an integer, got True"),
    ],
)
def test_a_parameter_of_another_type_is_refused(
    colors: ServerProcess, name: str, parameter: oip.InferParameter, sentence: str
) -> None:
    request = oip.ModelInferRequest(model_name="colors", parameters={name: parameter})
    request.inputs.add(name="image", datatype="BYTES", shape=[1]).contents.bytes_contents.append(encoded("red"))
    with connect(colors.url) as connection, pytest.raises(grpc.RpcError) as caught:
        connection.open_inference.ModelInfer(request, timeout=ANSWER_SECONDS)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert sentence in str(caught.value.details())


@pytest.mark.parametrize(
    "parameters",
    [
        {"shared_memory_region": oip.InferParameter(int64_param=1)},
        {"shared_memory_byte_size": oip.InferParameter(string_param="8")},
        {"shared_memory_offset": oip.InferParameter(string_param="0")},
    ],
    ids=lambda parameters: str(*parameters),
)
def test_a_place_in_shared_memory_of_another_type_is_refused(
    colors: ServerProcess, parameters: dict[str, oip.InferParameter]
) -> None:
    place = {
        "shared_memory_region": oip.InferParameter(string_param="inputs"),
        "shared_memory_byte_size": oip.InferParameter(int64_param=8),
    }
    request = oip.ModelInferRequest(model_name="colors")
    request.inputs.add(name="image", datatype="BYTES", shape=[1], parameters=place | parameters)
    with connect(colors.url) as connection, pytest.raises(grpc.RpcError) as caught:
        connection.open_inference.ModelInfer(request, timeout=ANSWER_SECONDS)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert f"'{next(iter(parameters))}' must be" in str(caught.value.details())
