"""Composed bundles are read only if all that they are made of is as it was written, and their steps are a graph."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support.bundles import make_bundle, rewrite_manifest
from support.composed_bundles import accept_components, make_composed_bundle

from tundish.bundle import (
    MANIFEST_NAME,
    ComposedBundle,
    component_directory,
    read_bundle,
    read_single_bundle,
)
from tundish.errors import BundleError
from tundish.manifest import Composition, Step
from tundish.repository import scan
from tundish.tasks.registry import load_composed_task


@pytest.fixture
def bundle(tmp_path: Path) -> ComposedBundle:
    return make_composed_bundle(tmp_path)


def image_tower(bundle: ComposedBundle) -> Path:
    return component_directory(bundle.directory, "image")


def test_it_is_read_as_it_was_written(bundle: ComposedBundle) -> None:
    assert read_bundle(bundle.directory) == bundle
    assert bundle.manifest.format_version == 2
    assert [component.manifest.model for component in bundle.components.values()] == ["towers.image", "towers.text"]
    assert [component.manifest.format_version for component in bundle.components.values()] == [1, 1]


def test_it_is_not_one_network(bundle: ComposedBundle) -> None:
    with pytest.raises(BundleError, match="is composed of others; one network is wanted here"):
        read_single_bundle(bundle.directory)


def replaced(before: bytes, after: bytes) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        content = path.read_bytes()
        assert before in content
        path.write_bytes(content.replace(before, after))

    return harm


@pytest.mark.parametrize(
    ("name", "harm", "said"),
    [
        (MANIFEST_NAME, replaced(b"by hand", b"by feet"), "does not match its SHA-256"),
        (MANIFEST_NAME, replaced(b"by hand", b"by foot or so"), "bytes, its manifest says"),
        (MANIFEST_NAME, Path.unlink, "is missing"),
        ("model.onnx", replaced(b"ReduceMean", b"ReduceMeam"), "does not match its SHA-256"),
        ("model.onnx", Path.unlink, "is missing"),
    ],
)
def test_a_changed_file_of_a_component_is_named(bundle: ComposedBundle, name: str, harm: Any, said: str) -> None:
    harm(image_tower(bundle) / name)
    with pytest.raises(BundleError, match=f"components/image/{name}.*{said}"):
        read_bundle(bundle.directory)


def test_a_missing_component_is_named(bundle: ComposedBundle) -> None:
    shutil.rmtree(image_tower(bundle))
    with pytest.raises(BundleError, match=r"components/image/bundle\.json is missing"):
        read_bundle(bundle.directory)


@pytest.mark.parametrize("changes", [{"version": 2}, {"model": "towers.text"}, {"model": "others.image"}])
def test_a_component_of_another_bundle_is_refused(bundle: ComposedBundle, changes: dict[str, Any]) -> None:
    rewrite_manifest(image_tower(bundle), **changes)
    accept_components(bundle)
    with pytest.raises(BundleError, match="not 'image' of 'towers' version 1; export the model again"):
        read_bundle(bundle.directory)


def test_a_component_is_not_composed_itself(bundle: ComposedBundle, tmp_path: Path) -> None:
    shutil.rmtree(image_tower(bundle))
    shutil.copytree(make_composed_bundle(tmp_path, "inner").directory, image_tower(bundle))
    accept_components(bundle)
    with pytest.raises(BundleError, match="components/image is composed of others; one network is wanted here"):
        read_bundle(bundle.directory)


@pytest.mark.parametrize("linked", ["components", "components/image", f"components/image/{MANIFEST_NAME}"])
def test_a_link_out_of_the_bundle_is_refused(bundle: ComposedBundle, tmp_path: Path, linked: str) -> None:
    path, elsewhere = bundle.directory / linked, tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(BundleError, match="leads out of the bundle"):
        read_bundle(bundle.directory)


def test_a_link_from_one_component_to_another_is_refused(bundle: ComposedBundle) -> None:
    path = image_tower(bundle) / "model.onnx"
    path.rename(component_directory(bundle.directory, "text") / "other.onnx")
    path.symlink_to("../text/other.onnx")
    with pytest.raises(BundleError, match="leads out of the bundle"):
        read_bundle(bundle.directory)


@pytest.mark.parametrize(
    "path",
    [
        "../outside/bundle.json",
        "/etc/passwd",
        "components/image/model.onnx",
        "components/text/bundle.json",
        "bundle.json",
    ],
)
def test_a_component_lies_in_its_place(bundle: ComposedBundle, path: str) -> None:
    content = json.loads((bundle.directory / MANIFEST_NAME).read_text())["components"]
    content[0]["bundle"]["path"] = path
    rewrite_manifest(bundle.directory, components=content)
    with pytest.raises(BundleError, match=r"not valid at 'components\.0"):
        read_bundle(bundle.directory)


def test_a_component_alone_is_no_model_of_a_repository(bundle: ComposedBundle, tmp_path: Path) -> None:
    shutil.copytree(image_tower(bundle), tmp_path / "towers.image" / "1")
    contents = {entry.model: entry.content for entry in scan(tmp_path)}
    assert isinstance(contents["towers"], ComposedBundle)
    assert "is a component of another bundle" in str(contents["towers.image"])


def test_a_composed_manifest_is_of_the_second_format(bundle: ComposedBundle, tmp_path: Path) -> None:
    for directory, version in ((bundle.directory, 1), (make_bundle(tmp_path).directory, 2)):
        rewrite_manifest(directory, format_version=version)
        with pytest.raises(BundleError, match="is not valid at"):
            read_bundle(directory)


def step(name: str, component: str, *inputs: str, **settings: Any) -> Step:
    return Step(name=name, component=component, inputs=inputs, **settings)


IMAGE, TEXT = step("a", "image", "image"), step("b", "text", "candidate_labels")


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((IMAGE, step("b", "sound", "image")), r"step 'b' calls 'sound', which is none of \['image', 'text'\]"),
        ((step("b", "text", "a"), IMAGE), "step 'b' takes 'a', which nothing before it makes"),
        ((step("a", "image", "a"), TEXT), "step 'a' takes 'a', which nothing before it makes"),
        ((IMAGE, step("b", "text", "sound")), "step 'b' takes 'sound', which nothing before it makes"),
        ((IMAGE, step("a", "text", "candidate_labels")), "two values have the name 'a'"),
        ((step("image", "image", "image"), TEXT), "two values have the name 'image'"),
        ((IMAGE, step("b", "text", "a", for_each="image")), "goes through 'image', which is none of its inputs"),
        ((IMAGE, step("b", "text", "a", remembered=3)), "step .b. remembers, so it must take one part of the item"),
        ((step("a", "image", "image", "candidate_labels", remembered=3), TEXT), "step .a. remembers, so it must"),
        ((IMAGE,), r"no step calls \['text'\]"),
        ((), "at least 1 item"),
        ((IMAGE, TEXT, *(step(f"c{number}", "text", "a") for number in range(15))), "at most 16 items"),
    ],
)
def test_steps_that_are_no_graph_are_refused(bundle: ComposedBundle, steps: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Composition.model_validate({**dict(bundle.manifest), "steps": steps})


@pytest.mark.parametrize("name", ["image", "engine"])
def test_components_have_names_of_their_own_and_none_is_the_engines(bundle: ComposedBundle, name: str) -> None:
    file = bundle.manifest.components[0].bundle.model_dump() | {"path": f"components/{name}/{MANIFEST_NAME}"}
    first, _ = bundle.manifest.components
    with pytest.raises(ValidationError, match="components must have different names, and none 'engine'"):
        Composition.model_validate({**dict(bundle.manifest), "components": (first, {"name": name, "bundle": file})})


@pytest.mark.parametrize("template", ["", "no place", "{} and {}", "{} {name}", "{{}}", "}{"])
def test_a_template_has_one_place_for_a_label(bundle: ComposedBundle, template: str) -> None:
    rule = bundle.manifest.postprocess.model_dump() | {"template": template}
    rewrite_manifest(bundle.directory, postprocess=rule)
    with pytest.raises(BundleError, match=r"not valid at 'postprocess\.similarity\.template'"):
        read_bundle(bundle.directory)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "image-classification"}, "reads image and candidate_labels, which no such model for image-classif"),
        ({"reads": ("candidate_labels", "image")}, "reads candidate_labels and image, which no such model for zero"),
        (
            {"steps": (step("image_vector", "text", "candidate_labels"), step("text_vectors", "image", "image"))},
            "must have the steps .image_vector. by image-feature-extraction of image;",
        ),
        (
            {"steps": (step("image_vector", "image", "image"), step("text_vectors", "text", "candidate_labels"))},
            "must have the steps .image_vector. by image-feature-extraction of image;",
        ),
    ],
)
def test_a_composition_that_its_task_cannot_use_is_refused(tmp_path: Path, changes: Any, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        load_composed_task(make_composed_bundle(tmp_path, **changes))
