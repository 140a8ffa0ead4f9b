"""What is asked: made up and from files, as NVIDIA's client would send it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from PIL import Image

from tundish_bench.driving.contents import ModelInput, Wanted, make_contents
from tundish_bench.driving.questions import Question
from tundish_bench.driving.requests import grpc_requests, http_requests
from tundish_bench.errors import BenchmarkError
from tundish_proto import open_inference_pb2 as oip

PIXELS = ModelInput("pixel_values", "FP32", (-1, 3, 4, 4))
IDS = ModelInput("input_ids", "INT64", (-1, -1))
IMAGE = ModelInput("image", "BYTES", (-1, 1))
TEXT = ModelInput("text", "BYTES", (-1, 1))
X, Z = ModelInput("x", "FP32", (-1, 3)), ModelInput("z", "FP32", (-1, 3))


def test_made_up_tensors_have_the_model_s_shapes() -> None:
    contents = make_contents([PIXELS, IDS], Wanted(batch=2, shapes={"input_ids": (7,)}))
    assert len(contents) >= 2
    for each in contents:
        assert each["pixel_values"].shape == (2, 3, 4, 4)
        assert each["pixel_values"].dtype == np.float32
        assert each["input_ids"].shape == (2, 7)
        assert each["input_ids"].dtype == np.int64
    assert not np.array_equal(contents[0]["pixel_values"], contents[1]["pixel_values"])


PLANES = ModelInput("planes", "FP32", (3, 4, -1))
EIGHT = ModelInput("eight", "FP32", (8, 2))
LENGTH = ModelInput("length", "INT32", (1,))


def test_a_first_size_that_the_server_says_is_no_batch() -> None:
    [first, *_] = make_contents([PLANES, EIGHT, LENGTH], Wanted(shapes={"planes": (4, 5)}))
    assert [first[name].shape for name in ("planes", "eight", "length")] == [(3, 4, 5), (8, 2), (1,)]
    [first, *_] = make_contents([EIGHT], Wanted(batch=8))
    assert first["eight"].shape == (8, 2)
    with pytest.raises(BenchmarkError, match=r"takes 'eight' as \[8, 2\] alone, not in batches of 4; leave --batch"):
        make_contents([EIGHT], Wanted(batch=4))


def test_arrays_of_a_fixed_first_size_are_whole_requests_or_items_of_them(tmp_path: Path) -> None:
    path, eights = tmp_path / "items.npz", np.arange(48, dtype=np.float32).reshape(3, 8, 2)
    np.savez(path, eight=eights)
    contents = make_contents([EIGHT], Wanted(inputs=path))
    assert [each["eight"].tolist() for each in contents] == eights.tolist()
    planes = np.zeros((2, 3, 4, 7), np.float32)
    np.savez(path, planes=planes)
    contents = make_contents([PLANES], Wanted(inputs=path))
    assert [each["planes"].shape for each in contents] == [(3, 4, 7)] * 2
    np.savez(path, eight=eights.reshape(24, 2))
    contents = make_contents([EIGHT], Wanted(inputs=path))
    assert [each["eight"].tolist() for each in contents] == eights.tolist()


def test_large_tensors_are_made_up_in_few_requests() -> None:
    assert len(make_contents([IDS], Wanted(shapes={"input_ids": (10**7,)}))) == 12


def test_inputs_that_the_user_says_are_made_as_those_that_a_server_says() -> None:
    wanted = Wanted(shapes={"x": (3,), "text": (1,)}, datatypes={"x": "FP32", "text": "BYTES"})
    [first, *_] = make_contents(wanted.declared, wanted)
    assert first["x"].shape == (1, 3)
    assert first["text"].shape == (1, 1)


def test_made_up_images_are_images_and_texts_are_texts() -> None:
    [first, *_] = make_contents([IMAGE, TEXT], Wanted())
    assert Image.open(io.BytesIO(first["image"][0, 0])).size == (512, 512)
    assert first["text"][0, 0].decode().isascii()


def test_files_of_a_directory_and_lines_of_a_text_are_items(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "README.txt").write_bytes(b"no image")
    contents = make_contents([IMAGE], Wanted(inputs=tmp_path))
    assert [each["image"].tolist() for each in contents] == [[[b"a.jpg"]], [[b"b.jpg"]]]
    lines = tmp_path / "lines.txt"
    lines.write_text("a.jpg\tgrün\n\nb.jpg\tred\n", encoding="utf-8")
    [both] = make_contents([IMAGE, TEXT], Wanted(inputs=lines, batch=2))
    assert both["image"].tolist() == [[b"a.jpg"], [b"b.jpg"]]
    assert both["text"].tolist() == [["grün".encode()], [b"red"]]


def test_arrays_are_items_along_the_first_dimension(tmp_path: Path) -> None:
    path = tmp_path / "items.npz"
    ids = np.arange(12, dtype=np.int64).reshape(3, 4)
    np.savez(path, input_ids=ids, text=np.asarray([["ä"], ["b"], ["c"]]))
    contents = make_contents([IDS, TEXT], Wanted(inputs=path))
    assert np.array_equal(np.concatenate([each["input_ids"] for each in contents]), ids)
    assert contents[0]["text"].tolist() == [["ä".encode()]]


@pytest.mark.parametrize(
    ("inputs", "wanted", "message"),
    [
        ([IDS], Wanted(), r"'input_ids' leaves sizes of an item open \(any\); give --shape input_ids:8 or the like"),
        ([ModelInput("x", "FP8", (-1, 2))], Wanted(), "'x' is of FP8, which cannot be sent from here"),
        ([IDS], Wanted(inputs=Path("lines.txt")), "'input_ids' takes numbers; give --inputs an .npz file"),
        ([TEXT], Wanted(inputs=Path("none.txt")), "none.txt cannot be read"),
        ([TEXT], Wanted(inputs=Path("empty.txt")), "empty.txt holds nothing to ask"),
        ([TEXT, IMAGE], Wanted(inputs=Path("lines.txt")), "'one' must be text and image with tabs between"),
        ([PIXELS], Wanted(inputs=Path("a.npz")), "a.npz has no array for the input 'pixel_values'; it has input_ids"),
        ([ModelInput("input_ids", "INT32", (-1, 2))], Wanted(inputs=Path("a.npz")), "'input_ids' is INT64, and the"),
        (
            [PIXELS],
            Wanted(inputs=Path("broken.npz")),
            r"^broken\.npz is no \.npz file of arrays of numbers or texts\.$",
        ),
        ([PIXELS], Wanted(inputs=Path("none.npz")), "none.npz cannot be read: No such file"),
        ([X], Wanted(inputs=Path("x.npz")), r"'x' has the shape \[\]; its first dimension must count items"),
        ([X], Wanted(inputs=Path("y.npz")), r"'x' has the shape \[0, 3\]; its first dimension must count items"),
        ([X, Z], Wanted(inputs=Path("z.npz")), r"z.npz has 2 of 'x' and 3 of 'z'; give as many items of each input"),
        ([X], Wanted(shapes={"y": (3,)}), "--shape is of 'y', and the model takes x"),
        ([X], Wanted(shapes={"x": (3, 4)}), r"--shape of 'x' is \[3, 4\], and an item of it is \[3\] to the server"),
        ([X], Wanted(shapes={"x": (4,)}), r"--shape of 'x' is \[4\], and an item of it is \[3\] to the server"),
        (
            [X],
            Wanted(shapes={"x": (3,)}, datatypes={"x": "FP16"}),
            "says that 'x' is FP16, and to the server it is FP32",
        ),
        ([IDS], Wanted(shapes={"input_ids": (10**9,)}), "A request of such shapes has 8 GB, more than the 1 GB that"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inputs: list[ModelInput], wanted: Wanted, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lines.txt").write_text("one\ntwo\n", encoding="utf-8")
    Path("empty.txt").write_text("\n", encoding="utf-8")
    Path("broken.npz").write_bytes(b"broken")
    np.savez("a.npz", input_ids=np.zeros((2, 2), np.int64))
    np.savez("x.npz", x=np.float32(1))
    np.savez("y.npz", x=np.zeros((0, 3), np.float32))
    np.savez("z.npz", x=np.zeros((2, 3), np.float32), z=np.zeros((3, 3), np.float32))
    with pytest.raises(BenchmarkError, match=message):
        make_contents(inputs, wanted)


def test_requests_are_those_of_nvidia_s_clients() -> None:
    [first, *_] = make_contents([PIXELS, TEXT], Wanted(batch=2))
    by_grpc, by_http = [], []
    for name, array in first.items():
        datatype = "BYTES" if array.dtype == np.object_ else "FP32"
        by_grpc.append(triton_grpc.InferInput(name, list(array.shape), datatype).set_data_from_numpy(array))
        by_http.append(triton_http.InferInput(name, list(array.shape), datatype).set_data_from_numpy(array))
    [message, *_] = grpc_requests([Question("m", first)])
    ours = oip.ModelInferRequest.FromString(message)
    assert list(ours.raw_input_contents) == [each._get_content() for each in by_grpc]
    assert [(each.name, each.datatype, list(each.shape)) for each in ours.inputs] == [
        (each.name(), each.datatype(), each.shape()) for each in by_grpc
    ]
    [request] = http_requests([Question("m", first)], binary=True)
    body, length = triton_http.InferenceServerClient.generate_request_body(by_http)
    ours_length = int(request.headers["Inference-Header-Content-Length"])
    assert request.body[ours_length:] == body[length:]
    assert json.loads(request.body[:ours_length])["inputs"] == json.loads(body[:length])["inputs"]
    [plain] = http_requests([Question("m", first)], binary=False)
    assert json.loads(plain.body)["inputs"][1]["data"] == [each.decode() for each in first["text"].flat]
