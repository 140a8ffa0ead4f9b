"""NVIDIA's HTTP clients, unmodified, against a running server: the REST form of the Open Inference Protocol."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from support.bundles import LABELS, SIZE, make_bundle
from support.images import encoded
from support.server_process import ServerProcess
from tritonclient.utils import InferenceServerException
from tritonclient.utils import shared_memory as shm

REGION_KEY = "/tundish_test_http"


@pytest.fixture
def web(colors: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    """A client of a server that stays as it is."""
    with triton.InferenceServerClient(colors.http_url) as connection:
        yield connection


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose models and regions the tests may change, if they change them back."""
    repository = tmp_path_factory.mktemp("changing")
    make_bundle(repository)
    with ServerProcess(repository, "--shared-memory") as process:
        yield process
        assert process.running, process.output


@pytest.fixture
def own(changing: ServerProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(changing.http_url) as connection:
        yield connection


@pytest.fixture
def region() -> Iterator[object]:
    handle = shm.create_shared_memory_region("tensors", REGION_KEY, 4096)
    yield handle
    shm.destroy_shared_memory_region(handle)


def images(*colors: str) -> triton.InferInput:
    tensor = triton.InferInput("image", [len(colors), 1], "BYTES")
    return tensor.set_data_from_numpy(np.array([[encoded(color)] for color in colors], np.object_))


def pixels(*rows: tuple[float, float, float], binary: bool = True) -> triton.InferInput:
    array = np.array(rows, np.float32)[:, :, np.newaxis, np.newaxis].repeat(SIZE, 2).repeat(SIZE, 3)
    return triton.InferInput("pixel_values", list(array.shape), "FP32").set_data_from_numpy(array, binary_data=binary)


def top(response: Any) -> list[str]:
    return [label.decode() if isinstance(label, bytes) else str(label) for label in response.as_numpy("label")[:, 0]]


def status_of(call: Any, *arguments: Any, **keywords: Any) -> tuple[str, str]:
    with pytest.raises(InferenceServerException) as caught:
        call(*arguments, **keywords)
    return caught.value.status(), caught.value.message()


def test_live_ready_and_metadata(web: triton.InferenceServerClient) -> None:
    assert web.is_server_live()
    assert web.is_server_ready()
    metadata = web.get_server_metadata()
    assert metadata["name"] == "tundish"
    assert "binary_tensor_data" in metadata["extensions"]


@pytest.mark.parametrize(
    ("name", "version", "ready"),
    [
        ("colors", "", True),
        ("colors", "1", True),
        ("colors.engine", "3", True),
        ("colors", "2", False),
        ("colours", "", False),
    ],
)
def test_model_ready(web: triton.InferenceServerClient, name: str, version: str, ready: bool) -> None:
    assert web.is_model_ready(name, version) == ready


@pytest.mark.parametrize(("name", "version"), [("colors", ""), ("colors.engine", "1")])
def test_models_describe_themselves_as_over_grpc(
    web: triton.InferenceServerClient, client: Any, name: str, version: str
) -> None:
    metadata = web.get_model_metadata(name, version)
    other = client.get_model_metadata(name, version)
    assert metadata["versions"] == list(other.versions) == ["1", "3"]
    for kind in ("inputs", "outputs"):
        assert metadata[kind] == [
            {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
            for tensor in getattr(other, kind)
        ]
    config = web.get_model_config(name, version)
    other_config = client.get_model_config(name, version).config
    assert config["name"] == name
    assert config["max_batch_size"] == other_config.max_batch_size
    assert [tensor["dims"] for tensor in config["input"]] == [list(tensor.dims) for tensor in other_config.input]
    assert config["input"][0]["data_type"] == ("TYPE_FP32" if "engine" in name else "TYPE_STRING")
    assert config["dynamic_batching"]["priority_levels"] == 3


def test_images_become_labels(web: triton.InferenceServerClient) -> None:
    response = web.infer("colors", [images("green", "blue")], request_id="7")
    assert top(response) == ["green", "blue"]
    scores = response.as_numpy("score")
    assert scores.shape == (2, 3)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(1), 1, rtol=1e-6)
    assert response.get_response()["id"] == "7"
    assert response.get_response()["model_version"] == "3"


@pytest.mark.parametrize("binary_in", [False, True])
@pytest.mark.parametrize("binary_out", [False, True])
def test_tensors_travel_as_json_and_as_binary_data(
    web: triton.InferenceServerClient, binary_in: bool, binary_out: bool
) -> None:
    outputs = [triton.InferRequestedOutput("logits", binary_data=binary_out)]
    response = web.infer("colors.engine", [pixels((1, 2, 3), (6, 5, 4), binary=binary_in)], "1", outputs)
    np.testing.assert_allclose(response.as_numpy("logits"), [[10, 20, 30], [60, 50, 40]], rtol=1e-6)
    assert ("data" in response.get_output("logits")) == (not binary_out)


def test_each_output_travels_as_it_is_asked_for(web: triton.InferenceServerClient) -> None:
    outputs = [
        triton.InferRequestedOutput("score", binary_data=True),
        triton.InferRequestedOutput("label", binary_data=False),
    ]
    response = web.infer("colors", [images("blue", "red")], outputs=outputs)
    assert [output["name"] for output in response.get_response()["outputs"]] == ["score", "label"]
    assert top(response) == ["blue", "red"]
    assert response.as_numpy("score").shape == (2, 3)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_bodies(web: triton.InferenceServerClient, algorithm: str) -> None:
    inputs = [images(*[LABELS[index % 3] for index in range(60)])]
    response = web.infer(
        "colors",
        inputs,
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )
    assert top(response) == [LABELS[index % 3] for index in range(60)]


def test_several_requests_at_once(colors: ServerProcess) -> None:
    with triton.InferenceServerClient(colors.http_url, concurrency=4) as web:
        waiting = [web.async_infer("colors", [images(color)]) for color in LABELS]
        assert [top(request.get_result()) for request in waiting] == [[color] for color in LABELS]


def test_classification_names_the_highest(web: triton.InferenceServerClient) -> None:
    for binary in (False, True):
        outputs = [triton.InferRequestedOutput("logits", binary_data=binary, class_count=2)]
        response = web.infer("colors.engine", [pixels((0.1, 0.3, 0.2))], outputs=outputs)
        found = [text.decode() if isinstance(text, bytes) else text for text in response.as_numpy("logits")[0]]
        assert found == ["3.000000:1:green", "2.000000:2:blue"]


def test_tensors_lie_in_shared_memory(own: triton.InferenceServerClient, region: object) -> None:
    array = np.zeros((1, 3, SIZE, SIZE), np.float32)
    array[0, 2] = 1
    shm.set_shared_memory_region(region, [array])
    own.register_system_shared_memory("both", REGION_KEY, 4096)
    status = {"name": "both", "key": REGION_KEY, "offset": 0, "byte_size": 4096}
    assert own.get_system_shared_memory_status() == own.get_system_shared_memory_status("both") == [status]
    tensor = triton.InferInput("pixel_values", list(array.shape), "FP32")
    tensor.set_shared_memory("both", array.nbytes)
    output = triton.InferRequestedOutput("logits")
    output.set_shared_memory("both", 12, offset=2048)
    response = own.infer("colors.engine", [tensor], outputs=[output])
    # NVIDIA's C++ client takes parameters to mean that there is binary data.
    assert response.get_output("logits") == {"name": "logits", "datatype": "FP32", "shape": [1, 3]}
    np.testing.assert_allclose(shm.get_contents_as_numpy(region, np.float32, [1, 3], 2048), [[0, 0, 10]])
    own.unregister_system_shared_memory("both")
    assert own.get_system_shared_memory_status() == []
    own.unregister_system_shared_memory()
    code, message = status_of(own.infer, "colors.engine", [tensor], outputs=[output])
    assert (code, "There is no region 'both'" in message) == ("400", True)


def test_shared_memory_is_off_unless_it_is_switched_on(web: triton.InferenceServerClient) -> None:
    code, message = status_of(web.register_system_shared_memory, "any", REGION_KEY, 64)
    assert (code, "start it with --shared-memory" in message) == ("501", True)


def test_a_gpus_shared_memory_is_answered_for(web: triton.InferenceServerClient) -> None:
    assert web.get_cuda_shared_memory_status() == []
    web.unregister_cuda_shared_memory()
    code, message = status_of(web.register_cuda_shared_memory, "any", base64.b64encode(b"handle"), 0, 64)
    assert (code, "use system shared memory" in message) == ("501", True)


def test_statistics_are_those_of_grpc(web: triton.InferenceServerClient, client: Any) -> None:
    web.infer("colors", [images("red", "green")], "1")
    (found,) = web.get_inference_statistics("colors", "1")["model_stats"]
    (other,) = client.get_inference_statistics("colors", "1").model_stats
    assert found["inference_count"] == other.inference_count >= 2
    assert found["inference_stats"]["compute_infer"]["ns"] == other.inference_stats.compute_infer.ns > 0
    assert len(web.get_inference_statistics()["model_stats"]) == 4  # of two versions, two entries


def test_a_model_is_unloaded_and_loaded(own: triton.InferenceServerClient) -> None:
    ready = {"name": "colors", "version": "1", "state": "READY", "reason": ""}
    assert own.get_model_repository_index() == [ready]
    own.unload_model("colors")
    assert own.get_model_repository_index()[0]["state"] == "UNAVAILABLE"
    assert not own.is_model_ready("colors")
    code, message = status_of(own.infer, "colors", [images("red")])
    assert (code, "load it again to use it" in message) == ("503", True)
    own.load_model("colors")
    assert own.get_model_repository_index() == [ready]
    assert status_of(own.load_model, "colours")[0] == "404"
    code, message = status_of(own.load_model, "colors", config="{}")
    assert (code, "['config'] are not taken" in message) == ("400", True)


def test_trace_settings_are_told_and_stand(web: triton.InferenceServerClient) -> None:
    settings = web.get_trace_settings()
    assert settings["trace_level"] == ["OFF"]
    assert settings["trace_rate"] == "0"
    assert web.update_trace_settings("colors", {"trace_level": ["OFF"], "trace_rate": None}) == settings
    assert status_of(web.update_trace_settings, settings={"trace_level": ["TIMESTAMPS"]})[0] == "501"
    assert status_of(web.update_trace_settings, settings={"trace_level": {"on": 1}})[0] == "400"


def test_log_settings_change_what_is_logged(own: triton.InferenceServerClient, changing: ServerProcess) -> None:
    assert own.get_log_settings()["log_info"] is True
    assert own.update_log_settings({"log_info": False})["log_info"] is False
    before = changing.output.count("is ready")
    own.unload_model("colors")
    own.load_model("colors")
    assert changing.output.count("is ready") == before
    assert own.update_log_settings({"log_info": True, "log_verbose_level": 0})["log_info"] is True
    assert status_of(own.update_log_settings, {"log_colour": True})[0] == "400"
    assert status_of(own.update_log_settings, {"log_verbose_level": -1})[0] == "400"


def test_errors_have_the_status_of_their_kind(web: triton.InferenceServerClient) -> None:
    expected = ("404", "There is no model 'colours'; there are colors.")
    assert status_of(web.infer, "colours", [images("red")]) == expected
    assert status_of(web.get_model_metadata, "colours") == expected
    assert status_of(web.get_model_config, "colors", "2")[0] == "404"
    short = pixels((1, 2, 3))
    short._raw_data = short._raw_data[:-1]
    short._parameters["binary_data_size"] -= 1
    code, message = status_of(web.infer, "colors.engine", [short])
    assert (code, "must have 192 bytes, got 191" in message) == ("400", True)
    code, message = status_of(web.infer, "colors", [images("red")], timeout=1)
    assert (code, "deadline passed" in message) == ("504", True)
    assert top(web.infer("colors", [images("red")], priority=1, timeout=10_000_000)) == ["red"]


async def test_the_asyncio_client(colors: ServerProcess) -> None:
    async with triton_aio.InferenceServerClient(colors.http_url) as client:
        assert await client.is_server_ready()
        assert (await client.get_model_metadata("colors"))["name"] == "colors"
        # aiohttp asks for compressed answers, whoever asks.
        colors_asked = [LABELS[index % 3] for index in range(60)]
        assert top(await client.infer("colors", [images(*colors_asked)])) == colors_asked
        with pytest.raises(InferenceServerException, match="There is no model 'colours'"):
            await client.infer("colours", [images("red")])
        assert [model["version"] for model in await client.get_model_repository_index()] == ["1", "3"]
