"""Calibration and evaluation data: every form is read as it is meant, and nothing else is read."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tundish_exporters import DataError
from tundish_exporters.data import Sample, label_indices, load_samples

ROWS = [("The strand cracks, badly.", "bad"), ('He said "good".\nTwice.', "good"), ("Größe 漢字", "good")]


def as_set(path: Path, reads: tuple[Any, ...] = ("text",)) -> set[tuple[object, object]]:
    """The first part and the label of each sample, of which none may be faulty."""
    loaded = load_samples(path, reads, truth="label")
    assert loaded.warnings == ()
    return {(sample.content[0], sample.truth) for sample in loaded.samples}


def image_file(value: int, name: str = "a.png") -> bytes:
    """A file of another colour for each value, in the format of the name."""
    stream = io.BytesIO()
    image = Image.new("RGB", (5, 4), (value % 256, 128, 255 - value % 256))
    image.save(stream, Image.registered_extensions()[Path(name).suffix.lower()])
    return stream.getvalue()


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def as_table(rows: list[Any], delimiter: str) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=delimiter).writerows(rows)
    return stream.getvalue()


def as_lines(rows: list[Any], *columns: str) -> str:
    return "".join(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("reviews.csv", as_table([("text", "label"), *ROWS], ",")),
        ("REVIEWS.CSV", as_table([("text", "label"), *ROWS], ",")),
        ("reviews.tsv", as_table([("text", "label"), *ROWS], "\t")),
        ("reviews.jsonl", as_lines(ROWS, "text", "label")),
    ],
)
def test_a_table_of_texts_gives_texts_with_labels(name: str, content: str, mark: str, tmp_path: Path) -> None:
    assert as_set(write(tmp_path / name, mark + content)) == set(ROWS)


def test_columns_stand_in_any_order_beside_others(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,label,film,text\n1,good,Ran,yes\n2,bad,Jaws,no\n")
    assert as_set(path) == {("yes", "good"), ("no", "bad")}


def test_a_table_without_labels_gives_none(tmp_path: Path) -> None:
    assert as_set(write(tmp_path / "a.csv", "text\nyes\nno\n")) == {
        ("yes", None),
        ("no", None),
    }


def test_numbers_are_labels_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "a", "label": 0}\n{"text": "b", "label": 1.5}\n')
    assert as_set(path) == {("a", "0"), ("b", "1.5")}


def test_a_text_file_gives_a_text_for_each_line_that_is_not_blank(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "\ufeffone\r\n\r\n  two words \n\t\nGröße\u2028still the third")
    assert as_set(path) == {
        ("one", None),
        ("two words", None),
        ("Größe\u2028still the third", None),
    }


def test_blank_lines_between_json_lines_are_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '\n{"text": "a"}\n  \n{"text": "b"}')
    assert as_set(path) == {("a", None), ("b", None)}


def test_a_folder_gives_its_images_in_depth_labelled_by_the_folder_they_lie_in(tmp_path: Path) -> None:
    wanted = {
        "cat/one.jpg": "cat",
        "cat/two.JPEG": "cat",
        "dog/three.png": "dog",
        "train/bird/four.bmp": "bird",
        "dog/five.WebP": "dog",
    }
    content = {name: image_file(number, name) for number, name in enumerate(wanted)}
    for name in [*wanted, "notes.txt", "cat/two.gif", "cat/jpg", "dog/.DS_Store"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.get(name, b"no image"))
    (tmp_path / "album.jpg").mkdir()
    assert as_set(tmp_path, ("image",)) == {(tmp_path / name, label) for name, label in wanted.items()}
    samples = load_samples(tmp_path, ("image",)).samples
    assert {sample.read() for sample in samples} == set(content.values())
    assert all(sample.truth is None for sample in samples), "nobody asked"
    one_of_several = load_samples(tmp_path, ("image",), truth="labels").samples
    assert all(sample.truth is None for sample in one_of_several), "other labels may hold as well"


def test_images_that_lie_in_no_folder_have_no_label(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.png", image_file(number))
    assert as_set(tmp_path, ("image",)) == {(tmp_path / f"{number}.png", None) for number in range(3)}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "image,label\nimages/one.jpg,crack\nimages/two.jpg,sound\n"),
        ("a.tsv", "label\timage\ncrack\timages/one.jpg\nsound\timages/two.jpg\n"),
        ("a.jsonl", '{"image": "images/one.jpg", "label": "crack"}\n{"image": "images/two.jpg", "label": "sound"}\n'),
    ],
)
def test_a_table_of_images_names_paths_beside_itself(
    name: str, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").mkdir()
    one, two = image_file(1, "one.jpg"), image_file(2, "two.jpg")
    write(tmp_path / "images" / "one.jpg", one)
    write(tmp_path / "images" / "two.jpg", two)
    path = write(tmp_path / name, content)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # the table's folder counts, not the program's
    samples = load_samples(path, ("image",), truth="label").samples
    assert {(sample.read(), sample.truth) for sample in samples} == {(one, "crack"), (two, "sound")}


def test_a_table_may_name_absolute_paths(tmp_path: Path) -> None:
    image = write(tmp_path / "one.jpg", image_file(1, "one.jpg"))
    (tmp_path / "tables").mkdir()
    (sample,) = load_samples(write(tmp_path / "tables" / "a.csv", f"image\n{image}\n"), ("image",)).samples
    assert sample.read() == image.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "kind", "message"),
    [
        ("a.csv", "", "text", "holds no text"),
        ("a.csv", "text,label\n", "text", "holds no text"),
        ("a.txt", " \n\n", "text", "holds no text"),
        ("a.jsonl", "", "image", "holds no image"),
        (
            "a.csv",
            "review,label\nyes,good\n",
            "text",
            r"must have a column 'text' in every row, got \['review', 'label'\]",
        ),
        (
            "a.csv",
            "text,label\nyes,good\n",
            "image",
            r"must have a column 'image' in every row, got \['text', 'label'\]",
        ),
        ("a.csv", "text\nlost.jpg\n", "image", r"must have a column 'image' in every row, got \['text'\]"),
        (
            "a.csv",
            "image\nlost.jpg\n",
            "image",
            r"line 2 \(The file .*lost\.jpg cannot be read: No such file or direct",
        ),
        ("a.csv", "image\n.\n", "image", r"line 2 \(.* is no file\)"),
        ("a.jsonl", '{"image": "a\\u0000b"}\n', "image", r"line 1 \(The file .* cannot be read: embedded null byte\)"),
        ("a.jsonl", '{"text": "\\ud83c alone"}\n', "text", r"line 1 \(A text holds half a surrogate pair, which UTF-8"),
        ("a.csv", "text\n \n", "text", "line 2 has no text in the column 'text'"),
        ("a.csv", "text,label\nyes, and no,good\n", "text", "line 2 has 3 cells, but the first line names 2"),
        ("a.csv", "label,text\ngood\n", "text", "line 2 has no text in the column 'text'"),
        ("a.tsv", "text,label\nyes,good\n", "text", r"must have a column 'text' in every row, got \['text,label'\]"),
        ("a.csv", "text,label,text\nyes,good,no\n", "text", "its first line names the column 'text' 2 times"),
        ("a.jsonl", "{bad\n", "text", r"line 1 is no JSON \(Expecting property name.* at character 2\)"),
        ("a.jsonl", '{"text": 5}\n', "text", "line 1 has no text in the column 'text'"),
        ("a.jsonl", '["text"]\n', "text", r"line 1 is no JSON object, but \[\"text\"\]"),
        ("a.jsonl", '{"text": \n', "text", r"line 1 is no JSON \(Expecting value"),
        ("a.jsonl", "[" * 100_000, "text", r"line 1 is no JSON \(maximum recursion"),
        ("a.csv", b"text\nGr\xf6\xdfe\n", "text", r"cannot be read as \.csv in UTF-8"),
        ("a.txt", b"\xff\xfea\x00", "text", r"cannot be read as \.txt in UTF-8"),
        ("a.csv", b"text\n" + b"x" * 200_000, "text", r"cannot be read as \.csv in UTF-8: field larger than"),
        (
            "a.txt",
            "one.jpg\n",
            "image",
            r"is no form of image data; give a folder of images, COCO's annotations as \.json, or a \.csv, \.tsv, ",
        ),
        (
            "a.json",
            "[]",
            "text",
            r"no form of text data; give a \.txt file with a text a line, or a \.csv, \.tsv, \.jsonl, \.parq",
        ),
        ("a.parquet", b"PAR1", "text", r"cannot be read as \.parquet: "),
        ("a.npz", b"PK\3\4", "text", r"cannot be read as \.npz without pickles: "),
        ("noext", "text", "text", "is no form of text data"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_reason(
    name: str, content: str | bytes, kind: Any, message: str, tmp_path: Path
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(DataError, match=message) as raised:
        load_samples(path, (kind,))
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_not_there_is_named_with_the_forms_that_could_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere is not there; give a \.txt file with a text a line, or a \.csv"):
        load_samples(tmp_path / "nowhere", ("text",))


def test_a_folder_holds_images_and_no_texts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is a folder, which holds images; give a \.txt"):
        load_samples(tmp_path, ("text",))
    with pytest.raises(DataError, match="holds no image"):
        load_samples(tmp_path, ("image",))


LABELS = ("sound", "crack", "2", "stain", "dent", "hole")


def samples_with(*labels: str | None) -> list[Sample]:
    return [Sample(("text",), label) for label in labels]


def test_labels_are_names_or_else_indices() -> None:
    samples = samples_with("crack", "sound", "0", "1", "5", "2")
    assert label_indices(samples, LABELS, Path("a.csv")) == [1, 0, 0, 1, 5, 2]


def test_a_label_is_a_name_before_it_is_an_index() -> None:
    assert label_indices(samples_with("1", "0", "2"), ("1", "2", "a"), Path("a.csv")) == [0, 0, 1]


@pytest.mark.parametrize("label", ["rust", "6", "-1", "Crack", "", " crack", "1.0", "²", "٣"])
def test_a_label_that_the_model_does_not_know_is_named_with_some_that_it_knows(label: str) -> None:
    with pytest.raises(DataError) as raised:
        label_indices(samples_with("crack", label), LABELS, Path("a.csv"))
    assert str(raised.value) == (
        f"a.csv has the label '{label}', which the model does not know; "
        "it knows 'sound', 'crack', '2', 'stain', 'dent', …."
    )


def test_a_sample_without_a_label_says_what_the_gate_needs() -> None:
    with pytest.raises(DataError, match=r"a\.csv has no labels; the gate needs a column 'label', or a folder for each"):
        label_indices(samples_with("crack", None), LABELS, Path("a.csv"))


def test_samples_come_in_the_same_shuffled_order_each_time_and_a_limit_takes_the_first(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "\n".join(map(str, range(100))))
    samples = load_samples(path, ("text",)).samples
    assert load_samples(path, ("text",)).samples == samples
    contents = [sample.content[0] for sample in samples]
    assert contents != [str(number) for number in range(100)]
    assert sorted(contents, key=str) == sorted(map(str, range(100)))
    for limit in (1, 64, 100, 1000):
        assert load_samples(path, ("text",), limit=limit).samples == samples[:limit]


def test_the_order_of_a_folder_does_not_depend_on_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        write(tmp_path / f"{number}.png", image_file(number))
    found = sorted(tmp_path.rglob("*"))
    orders = []
    for listing in (found, found[::-1]):
        monkeypatch.setattr(Path, "rglob", lambda *_, listing=listing: iter(listing))
        orders.append(load_samples(tmp_path, ("image",)).samples)
    assert len(orders[0]) == 30
    assert orders[0] == orders[1]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
filled = texts.filter(lambda text: bool(text.strip()))


@given(rows=st.lists(st.tuples(filled, texts), min_size=1, max_size=20), form=st.sampled_from(["csv", "tsv", "jsonl"]))
def test_any_text_survives_any_form(
    rows: list[tuple[str, str]], form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"survives.{form}"
    if form == "jsonl":
        content = as_lines(rows, "text", "label")
    else:
        content = as_table([("text", "label"), *rows], "," if form == "csv" else "\t")
    samples = load_samples(write(path, content), ("text",), truth="label").samples
    assert sorted((sample.content[0], sample.truth) for sample in samples) == sorted(rows)


@given(content=st.binary(max_size=200), form=st.sampled_from(["txt", "csv", "tsv", "jsonl"]))
def test_any_bytes_are_read_or_refused(content: bytes, form: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write(tmp_path_factory.getbasetemp() / f"bytes.{form}", content)
    try:
        samples = load_samples(path, ("text",)).samples
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert all(isinstance(sample.content[0], str) for sample in samples)
