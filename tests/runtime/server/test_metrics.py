"""`GET /metrics`, read by Prometheus's own parser, against what the protocol's statistics say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import tritonclient.http as triton
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from support.bundles import make_bundle
from support.calls import connect, image_request
from support.http_calls import get, post
from support.images import encoded
from support.server_process import ServerProcess

from tundish_proto import open_inference_pb2 as oip

PIPELINE = {"model": "colors", "version": "1", "entry": "pipeline"}
ENGINE = {**PIPELINE, "entry": "engine"}
RAW = {"Inference-Header-Content-Length": "0"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Has answered five requests, refused two, and taken one for its engine."""
    repository = tmp_path_factory.mktemp("metrics")
    make_bundle(repository)
    with ServerProcess(repository, "--instances", "1") as process:
        for color in ("red", "green", "blue", "red", "green"):
            assert post(process.http_url, "/v2/models/colors/infer", encoded(color), RAW).status == 200
        for _ in range(2):
            assert post(process.http_url, "/v2/models/colors/infer", b"no image", RAW).status == 400
        raw = bytes(4 * 48)
        assert post(process.http_url, "/v2/models/colors.engine/infer", raw, RAW).status == 200
        ask_what_no_version_answers(process)
        yield process


def ask_what_no_version_answers(process: ServerProcess) -> None:
    """Malformed requests, versions and models that there are not: by HTTP, gRPC and the typed API."""
    for body in (b"{", b"{}", b'{"inputs": 1}'):
        assert post(process.http_url, "/v2/models/colors/infer", body).status == 400
    assert post(process.http_url, "/v2/models/colors.engine/infer", b"{").status == 400
    assert post(process.http_url, "/v2/models/colors/infer", b"", {"Content-Encoding": "br"}).status == 415
    assert post(process.http_url, "/v2/models/colors/versions/7/infer", b"", RAW).status == 404
    for number in range(3):
        assert post(process.http_url, f"/v2/models/unknown-{number}/infer", b"", RAW).status == 404
    with connect(process.url) as connection:
        for stub, request in (
            (connection.typed.Predict, image_request("colors", b"", version="7")),
            (connection.open_inference.ModelInfer, oip.ModelInferRequest(model_name="colors", model_version="7")),
            (connection.open_inference.ModelInfer, oip.ModelInferRequest(model_name="unknown")),
        ):
            assert stub.future(request).code() == grpc.StatusCode.NOT_FOUND


@pytest.fixture(scope="module")
def families(server: ServerProcess) -> dict[str, Metric]:
    answer = get(server.http_url, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {family.name: family for family in text_string_to_metric_families(answer.body.decode())}


def value(families: dict[str, Metric], family: str, sample: str, labels: dict[str, str]) -> float:
    (found,) = (item.value for item in families[family].samples if item.name == sample and item.labels == labels)
    return float(found)


def test_every_metric_is_named_and_explained(families: dict[str, Metric]) -> None:
    own = {name: family for name, family in families.items() if not name.startswith("process_")}
    assert all(name.startswith("tundish_") and family.documentation for name, family in own.items())
    assert {name: family.type for name, family in own.items()} == {
        "tundish_model_state": "gauge",
        "tundish_queue_items": "gauge",
        "tundish_instances": "gauge",
        "tundish_requests": "counter",
        "tundish_items": "counter",
        "tundish_batches": "counter",
        "tundish_request_duration_seconds": "histogram",
        "tundish_stage_duration_seconds": "histogram",
    }


def test_requests_items_and_batches_are_counted(families: dict[str, Metric]) -> None:
    requests = ("tundish_requests", "tundish_requests_total")
    assert value(families, *requests, {**PIPELINE, "outcome": "OK"}) == 5
    assert value(families, *requests, {**PIPELINE, "outcome": "INVALID_ARGUMENT"}) == 2
    assert value(families, *requests, {**ENGINE, "outcome": "OK"}) == 1
    assert value(families, "tundish_items", "tundish_items_total", PIPELINE) == 5
    assert value(families, "tundish_batches", "tundish_batches_total", {**PIPELINE, "batch_size": "1"}) == 5


def test_requests_that_no_version_had_are_counted_without_one(families: dict[str, Metric]) -> None:
    requests = {
        (sample.labels["model"], sample.labels["outcome"]): sample.value
        for sample in families["tundish_requests"].samples
        if sample.name == "tundish_requests_total" and not sample.labels["version"]
    }
    assert requests == {("colors", "INVALID_ARGUMENT"): 5, ("colors", "NOT_FOUND"): 3, ("", "NOT_FOUND"): 4}


def test_durations_are_those_of_the_statistics(families: dict[str, Metric], server: ServerProcess) -> None:
    with triton.InferenceServerClient(server.http_url) as client:
        stats = client.get_inference_statistics("colors")["model_stats"][0]["inference_stats"]
    name = "tundish_request_duration_seconds"
    assert value(families, name, f"{name}_count", PIPELINE) == stats["success"]["count"] == 5
    assert value(families, name, f"{name}_sum", PIPELINE) == pytest.approx(stats["success"]["ns"] * 1e-9)
    name = "tundish_stage_duration_seconds"
    for stage, other in {"queue": "queue", "preprocess": "compute_input", "compute": "compute_infer"}.items():
        labels = {**PIPELINE, "stage": stage}
        assert value(families, name, f"{name}_count", labels) == stats[other]["count"] == 5
        assert value(families, name, f"{name}_sum", labels) == pytest.approx(stats[other]["ns"] * 1e-9)


@pytest.mark.parametrize("name", ["tundish_request_duration_seconds", "tundish_stage_duration_seconds"])
def test_histograms_rise_to_their_count(families: dict[str, Metric], name: str) -> None:
    series: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for sample in families[name].samples:
        if sample.name.endswith("_bucket"):
            labels = tuple(sorted((label, text) for label, text in sample.labels.items() if label != "le"))
            series.setdefault(labels, []).append((float(sample.labels["le"]), sample.value))
    assert series
    for labels, buckets in series.items():
        ends, counts = zip(*buckets, strict=True)
        assert list(ends) == sorted(ends)
        assert ends[-1] == float("inf")
        assert list(counts) == sorted(counts)
        assert counts[-1] == value(families, name, f"{name}_count", dict(labels))


def test_the_process_describes_itself(families: dict[str, Metric], server: ServerProcess) -> None:
    assert value(families, "process_resident_memory_bytes", "process_resident_memory_bytes", {}) > 20e6
    # The two add user and system time in another order.
    cpu_seconds = value(families, "process_cpu_seconds", "process_cpu_seconds_total", {})
    assert 0 < cpu_seconds < server.cpu_seconds() + 0.001
    assert value(families, "process_open_fds", "process_open_fds", {}) > 3


def test_models_that_go_are_told(server: ServerProcess) -> None:
    def states() -> dict[str, float]:
        text = get(server.http_url, "/metrics").body.decode()
        (family,) = (one for one in text_string_to_metric_families(text) if one.name == "tundish_model_state")
        return {sample.labels["state"]: sample.value for sample in family.samples}

    assert states() == {"READY": 1, "LOADING": 0, "UNLOADING": 0, "UNAVAILABLE": 0}
    with triton.InferenceServerClient(server.http_url) as client:
        client.unload_model("colors")
        assert states() == {"READY": 0, "LOADING": 0, "UNLOADING": 0, "UNAVAILABLE": 1}
        client.load_model("colors")
        assert states()["READY"] == 1


def test_openmetrics_is_given_to_who_asks_for_it(server: ServerProcess) -> None:
    answer = get(server.http_url, "/metrics", {"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    nonsense = get(server.http_url, "/metrics", {"Accept": "application/openmetrics-text; version=abc"})
    assert (nonsense.status, nonsense.headers["content-type"].split(";")[0]) == (200, "text/plain")
    parse: Any = openmetrics_families  # it has no types
    names = {family.name for family in parse(answer.body.decode())}
    assert {"tundish_requests", "tundish_stage_duration_seconds"} <= names
