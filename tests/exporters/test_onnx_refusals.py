"""ONNX files that are no image classifiers, lie about their weights, or need a word more: refused in one sentence."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import typer
from onnx import TensorProto, helper
from support.commands import call_tundish
from support.onnx_networks import write_classifier

from tundish_exporters import DetectorHints, ExportError, OnnxHints, export_onnx
from tundish_exporters.onnx_flags import read_hints
from tundish_exporters.sources.onnx_file import load_onnx, reading

LABELS = ("crack", "scratch", "dent", "sound")
PLAIN: dict[str, Any] = {"shape": ["n", 3, 32, 32]}
BESIDE: dict[str, Any] = {**PLAIN, "external": "weights.bin"}


def refusal(path: Path, **options: Any) -> str:
    """What the export says when it refuses the file."""
    repository = path.parent / "models"
    given: dict[str, Any] = {"task": "image-classification", "hints": OnnxHints(labels=LABELS), **options}
    with pytest.raises(ExportError) as raised:
        export_onnx(path, name="model", repository=repository, precision="fp32", **given)
    assert not repository.exists(), "a refused export must leave nothing behind"
    assert "\n" not in str(raised.value)
    return str(raised.value)


def edit(path: Path, change: Callable[[onnx.ModelProto], object]) -> None:
    model = onnx.load(path, load_external_data=False)
    change(model)
    path.write_bytes(model.SerializeToString())


def moved(location: str) -> Callable[[Path], None]:
    """Lets the weights lie elsewhere, where there is a file of the same content."""

    def move(path: Path) -> None:
        weights = path.parent / "weights.bin"
        target = path.parent / location
        target.parent.mkdir(parents=True, exist_ok=True)
        weights.rename(target)

        def rename(model: onnx.ModelProto) -> None:
            for tensor in model.graph.initializer:
                for entry in tensor.external_data:
                    if entry.key == "location":
                        entry.value = location

        edit(path, rename)

    return move


def said_of_weights(key: str, value: str) -> Callable[[Path], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = next(tensor for tensor in model.graph.initializer if tensor.external_data)
        for entry in tensor.external_data:
            if entry.key == key:
                entry.value = value

    return lambda path: edit(path, change)


def link_weights(path: Path) -> None:
    outside = path.parent.parent / "outside.bin"
    (path.parent / "weights.bin").rename(outside)
    (path.parent / "weights.bin").symlink_to(outside)


def hide_weights_in_a_constant(path: Path) -> None:
    """Of a graph within a node, where a careless reader does not look."""
    tensor = helper.make_tensor("stolen", TensorProto.FLOAT, [1], [0.0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    tensor.external_data.add(key="length", value="4")
    constant = helper.make_node("Constant", [], ["hidden"], value=tensor)
    branch = helper.make_graph(
        [constant], "branch", [], [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [1])]
    )

    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
        model.graph.node.append(
            helper.make_node("If", ["yes"], ["either"], then_branch=branch, else_branch=branch, name="if")
        )

    edit(path, change)


def become_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def add_operator(path: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.opset_import.append(helper.make_opsetid("acme.vision", 1))
        model.graph.node.append(helper.make_node("Sharpen", ["logits"], ["sharper"], domain="acme.vision"))

    edit(path, change)


def cut(name: str, size: int) -> Callable[[Path], None]:
    def shorten(path: Path) -> None:
        file = path.parent / name
        file.write_bytes(file.read_bytes()[:size])

    return shorten


FILE_FAULTS: dict[str, tuple[dict[str, Any], Callable[[Path], object], str]] = {
    "not there": (PLAIN, Path.unlink, "is not there; give an ONNX file"),
    "a directory": (PLAIN, become_a_directory, "cannot be read: Is a directory"),
    "another format": (PLAIN, lambda path: path.write_bytes(b"GIF89a, or so it says"), "is not an ONNX file"),
    "empty": (PLAIN, lambda path: path.write_bytes(b""), "is not an ONNX file: it holds no network"),
    "cut short": (PLAIN, cut("model.onnx", 4000), "is not an ONNX file, or is cut short"),
    "a node that reads nothing": (
        PLAIN,
        lambda path: edit(path, lambda model: model.graph.node.pop(0)),
        "is no valid ONNX model: Nodes in a graph must be topologically sorted",
    ),
    "an opset of the future": (
        PLAIN,
        lambda path: edit(path, lambda model: setattr(model.opset_import[0], "version", 999)),
        "ONNX Runtime does not take .*/model.onnx: .*Opset 999 is under development",
    ),
    "an operator of a library": (PLAIN, add_operator, r"operator Sharpen of 'acme\.vision', .*; tundish loads none"),
    "weights missing": (
        BESIDE,
        lambda path: (path.parent / "weights.bin").unlink(),
        r"keeps weights in 'weights\.bin', which is missing; put the file beside it",
    ),
    "weights cut short": (BESIDE, cut("weights.bin", 3000), r"where 'weights\.bin', of 3000 bytes, has none"),
    "weights before their file": (BESIDE, said_of_weights("offset", "-4"), "has none; the file is cut short"),
    "weights in no place": (BESIDE, said_of_weights("length", "many"), "has none; the file is cut short"),
    "weights above": (
        BESIDE,
        moved("../weights.bin"),
        r"keeps weights in '\.\./weights\.bin', which is no file beside",
    ),
    "weights around": (BESIDE, said_of_weights("location", "parts/../../w.bin"), "which is no file beside it"),
    "weights by a link": (BESIDE, link_weights, r"keeps weights in 'weights\.bin', which is no file beside it"),
    "weights at an absolute path": (
        BESIDE,
        said_of_weights("location", "/etc/hostname"),
        "keeps weights in '/etc/hostname', which is no file beside it",
    ),
    "weights without a path": (BESIDE, said_of_weights("location", ""), "keeps weights in '', which is no file"),
    "weights within a branch": (PLAIN, hide_weights_in_a_constant, "keeps weights in '/etc/hostname'"),
}


@pytest.mark.parametrize("fault", FILE_FAULTS)
def test_a_file_with_a_fault_is_refused_with_the_reason(fault: str, tmp_path: Path) -> None:
    network, make, message = FILE_FAULTS[fault]
    directory = tmp_path / "source"
    directory.mkdir()
    path = write_classifier(directory / "model.onnx", len(LABELS), **network)
    make(path)
    said = refusal(path)
    assert str(path) in said
    assert re.search(message, said), said


def test_weights_in_a_folder_beside_the_file_are_read(tmp_path: Path) -> None:
    path = write_classifier(tmp_path / "model.onnx", len(LABELS), **BESIDE)
    moved("parts/weights.bin")(path)
    assert set(reading.read_onnx(path).hashes) == {"model.onnx", "parts/weights.bin"}


def test_a_file_that_is_too_large_with_its_weights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_classifier(tmp_path / "model.onnx", len(LABELS), **BESIDE)
    monkeypatch.setattr(reading, "MAX_BYTES", path.stat().st_size)
    total = path.stat().st_size + (tmp_path / "weights.bin").stat().st_size
    assert f"has {total} bytes with its weights; tundish reads" in refusal(path)


OTHER_NETWORKS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "layout of nothing": ({"shape": ["a", "b", "c", "d"]}, {}, r"\[a, b, c, d\], which does not say where the colours"),
    "layout of two threes": ({"shape": ["n", 3, 32, 3]}, {}, "not say where the colours are: pass --layout nchw or"),
    "layout against the shape": (PLAIN, {"layout": "nhwc"}, r"\[n, 3, 32, 32\], which is not nhwc"),
    "grey images": ({"shape": ["n", 1, 28, 28]}, {}, "no dimension is that of the three colours"),
    "any size": ({"shape": ["n", 3, "h", "w"]}, {}, "takes images of h by w pixels: pass --size HEIGHTxWIDTH"),
    "size against the shape": (PLAIN, {"size": (40, 32)}, "32 by 32 pixels, not 40 by 32; leave --size out"),
    "eight at a time": ({"shape": [8, 3, 32, 32]}, {}, "takes images by 8 at a time; export it with a batch of any"),
    "no scores": ({**PLAIN, "end": "argmax"}, {}, "gives no score for each label, but label INT64"),
    "a second softmax": ({**PLAIN, "end": "softmax"}, {"activation": "softmax"}, "ends in a softmax already; leave"),
    "softmax of a sigmoid": ({**PLAIN, "end": "sigmoid"}, {"activation": "softmax"}, "ends in a sigmoid already"),
    "too few labels": (PLAIN, {"labels": LABELS[:3]}, "gives 4 scores, 'logits', and 3 labels are named"),
    "labels twice": (PLAIN, {"labels": (*LABELS[:3], "crack")}, "The label 'crack' stands twice"),
    "no labels": (PLAIN, {"labels": None}, "does not name its labels: pass --labels"),
    "labels that are code": (
        {**PLAIN, "metadata": {"names": "__import__('os').getcwd()"}},
        {"labels": None},
        "names its labels in a way that cannot be read",
    ),
    "a mean of whole pixels": (PLAIN, {"mean": (123.675, 116.28, 103.53)}, "The mean 123.675 is one of pixels from 0"),
    "no deviation": (PLAIN, {"std": 0.0}, "The images' std cannot be 0.0: input should be greater than 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_NETWORKS)
def test_a_network_that_needs_another_word_is_refused_with_it(name: str, tmp_path: Path) -> None:
    network, hints, message = OTHER_NETWORKS[name]
    path = write_classifier(tmp_path / "model.onnx", len(LABELS), **network)
    said = refusal(path, hints=OnnxHints(**{"labels": LABELS, **hints}))
    assert re.search(message, said), said


def test_one_score_takes_one_label(tmp_path: Path) -> None:
    path = write_classifier(tmp_path / "model.onnx", 1, **PLAIN, end="sigmoid")
    said = refusal(path, hints=OnnxHints(labels=("cat", "dog")))
    assert "gives one score, 'scores', and 2 labels are named; name the one that it is of" in said


def test_another_task_or_way_to_resize_is_refused(tmp_path: Path) -> None:
    path = write_classifier(tmp_path / "model.onnx", len(LABELS), **PLAIN)
    assert "not models for fill-mask" in refusal(path, task="fill-mask")
    with pytest.raises(
        ExportError, match="no way to resize 'crop'; there are stretch, stretch:HEIGHTxWIDTH, shortest-edge"
    ):
        OnnxHints(resize="crop")


LABEL_FILES: dict[str, tuple[str, str | None]] = {
    "lines.txt": ("crack\n scratch \n\ndent\nsound\n", None),
    "list.json": (json.dumps(LABELS), None),
    "mapping.json": (json.dumps({str(number): label for number, label in reversed(list(enumerate(LABELS)))}), None),
    "gap.json": (json.dumps({"0": "crack", "2": "dent"}), "must be a list of names, or have a name for each index"),
    "numbers.json": ("[1, 2, 3, 4]", "must be a list of names"),
    "damaged.json": ('["crack", ', "cannot be read"),
    "empty.txt": ("\n", "must be a list of names"),
}


@pytest.mark.parametrize("name", LABEL_FILES)
def test_labels_are_read_from_lines_and_json(name: str, tmp_path: Path) -> None:
    content, message = LABEL_FILES[name]
    (tmp_path / name).write_text(content, encoding="utf-8")
    path = write_classifier(tmp_path / "model.onnx", len(LABELS), **PLAIN)
    hints = OnnxHints(labels=str(tmp_path / name))
    if message is not None:
        assert message in refusal(path, hints=hints)
        return
    assert getattr(load_onnx(path, "image-classification", hints).postprocess, "labels", ()) == LABELS


def test_labels_that_are_not_there_are_refused(tmp_path: Path) -> None:
    path = write_classifier(tmp_path / "model.onnx", len(LABELS), **PLAIN)
    said = refusal(path, hints=OnnxHints(labels=tmp_path / "none.txt"))
    assert said == f"The labels {tmp_path / 'none.txt'} cannot be read: {os.strerror(2)}."


def test_flags_of_another_source_are_refused(tmp_path: Path) -> None:
    flags = ["--mean", "0.5", "--color", "bgr"]
    outcome = call_tundish("export", tmp_path / "m", "--task", "image-classification", "--name", "m", *flags)
    assert outcome.returncode == 1
    assert outcome.stderr == (
        f"error: {tmp_path / 'm'} is no ONNX file, to which alone --mean, --color belong; leave them out.\n"
    )


@pytest.mark.parametrize("flag", [("--base", "0.5"), ("--subtask", "panoptic"), ("--no-answer",)])
def test_flags_of_hugging_face_directories_are_refused(flag: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    outcome = call_tundish("export", path, "--task", "image-classification", "--name", "m", *flag)
    assert outcome.returncode == 1
    assert outcome.stderr == f"error: {path} is an ONNX file, to which {flag[0]} do not belong; leave them out.\n"


def test_flags_become_hints() -> None:
    source = Path("model.ONNX")
    assert read_hints(source, labels=None, mean=None) == OnnxHints()
    assert read_hints(source, mean="0.5", std="1, 2,3e0", size="224x192", layout="nhwc") == OnnxHints(
        mean=0.5, std=(1.0, 2.0, 3.0), size=(224, 192), layout="nhwc"
    )
    assert read_hints(source, iou=0.5, anchors="10,14, 23,27", box_form="darknet", padding=0, resize="letterbox") == (
        OnnxHints(
            padding=0,
            resize="letterbox",
            detector=DetectorHints(iou=0.5, anchors=(10.0, 14.0, 23.0, 27.0), box_form="darknet"),
        )
    )
    assert read_hints(Path("checkpoints/parts"), labels=None, mean=None) is None
    with pytest.raises(ExportError, match="to which alone --box-form belong"):
        read_hints(Path("checkpoints/parts"), box_form="corners")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"mean": "0.5,0.5"}, "'0.5,0.5' is neither a number nor three with commas between"),
        ({"std": "wide"}, "'wide' is no list of numbers with commas between"),
        ({"anchors": "10,14;23,27"}, "'10,14;23,27' is no list of numbers with commas between"),
        ({"size": "224"}, "'224' is no HEIGHTxWIDTH, such as 224x224"),
        ({"size": "0x224"}, "'0x224' is no HEIGHTxWIDTH"),
    ],
)
def test_flags_of_another_form_are_usage_errors(flags: dict[str, str], message: str) -> None:
    with pytest.raises(typer.BadParameter, match=message):
        read_hints(Path("m.onnx"), **flags)
