"""The outputs of detectors in the layouts of other exporters, written from candidates that are known."""

from __future__ import annotations

import numpy as np

from support.onnx_detectors import PROTOTYPES, SIZE, Array, Truth, by_stride, naive_objects, undecoded
from support.oriented_boxes import rotated_overlap

IOU = 0.45
MOST = 30
"""Objects that a network with suppression inside lists."""

Outputs = dict[str, Array]
"""By name."""


def with_batch(rows: Array) -> Array:
    return rows[np.newaxis]


def yolo8(given: Truth) -> Outputs:
    return {"output0": with_batch(np.concatenate([given.centred, given.classes], axis=1).T)}


def yolo8_transposed(given: Truth) -> Outputs:
    return {"output0": yolo8(given)["output0"].transpose(0, 2, 1)}


def yolo8_with_masks(given: Truth) -> Outputs:
    rows = np.concatenate([given.centred, given.classes, np.full((len(given.centres), 32), 0.7)], axis=1)
    return {"output0": with_batch(rows.T), "output1": np.zeros((1, 32, 16, 16))}


def oriented(given: Truth) -> Outputs:
    return {"output0": with_batch(np.concatenate([given.centred, given.classes, given.angles], axis=1).T)}


def oriented_transposed(given: Truth) -> Outputs:
    return {"output0": oriented(given)["output0"].transpose(0, 2, 1)}


def yolo8_in_two(given: Truth) -> Outputs:
    return {"scores": with_batch(given.classes.T), "boxes": with_batch(given.centred.T)}


def yolo5(given: Truth) -> Outputs:
    return {"output": with_batch(np.concatenate([given.centred, given.objectness, given.classes], axis=1))}


def yolox(given: Truth) -> Outputs:
    return {"output": with_batch(undecoded(given, "offsets"))}


def darknet_maps(given: Truth) -> Outputs:
    maps = by_stride(given, undecoded(given, "darknet"))
    planes = [part.transpose(0, 3, 1, 2).reshape(1, -1, *part.shape[1:3]) for part in maps]
    return {f"head_{len(part[0, 0])}": part for part in reversed(planes)}


def keras_maps(given: Truth) -> Outputs:
    maps = by_stride(given, undecoded(given, "darknet"))
    return {f"conv_{number}": with_batch(part.transpose(1, 2, 0, 3)) for number, part in enumerate(maps)}


def flat_keras_maps(given: Truth) -> Outputs:
    maps = by_stride(given, undecoded(given, "darknet"))
    return {
        f"{number}": with_batch(part.transpose(1, 2, 0, 3).reshape(*part.shape[1:3], -1))
        for number, part in enumerate(maps)
    }


def yolo5_maps(given: Truth) -> Outputs:
    maps = by_stride(given, undecoded(given, "yolov5"))
    return {f"map_{number}": with_batch(part) for number, part in enumerate(maps)}


def yolo5_maps_after_sigmoid(given: Truth) -> Outputs:
    return {name: 1 / (1 + np.exp(-part)) for name, part in yolo5_maps(given).items()}


def yolo5_with_its_maps(given: Truth) -> Outputs:
    return yolo5(given) | yolo5_maps(given)


def yolo4_of_pytorch(given: Truth) -> Outputs:
    return {"boxes": with_batch(given.corners / SIZE)[:, :, np.newaxis], "confs": with_batch(given.classes)}


def ssd(given: Truth) -> Outputs:
    background = 1.5 - given.classes.max(axis=1, keepdims=True)
    scores = np.concatenate([background, given.classes], axis=1)
    return {"scores": with_batch(scores / scores.sum(axis=1, keepdims=True)), "boxes": with_batch(given.corners / SIZE)}


def ssd_of_logits(given: Truth) -> Outputs:
    return ssd(given) | {"scores": np.log(ssd(given)["scores"]) + 3}


def detr(given: Truth) -> Outputs:
    logits = np.roll(ssd_of_logits(given)["scores"], -1, axis=2)
    return {"logits": logits, "pred_boxes": with_batch(given.centred / SIZE)}


def scrfd(given: Truth) -> Outputs:
    """Rows of its outputs have all candidates of a cell together, and no batch."""
    corners, points = given.corners, given.cells * given.strides
    distances = np.concatenate([points - corners[:, :2], corners[:, 2:] - points], axis=1) / given.strides
    outputs = {}
    for kind, rows in (("score", given.classes), ("bbox", distances), ("kps", np.tile(distances, (1, 3))[:, :10])):
        for number, part in enumerate(by_stride(given, rows)):
            outputs[f"{kind}_{number}"] = part.transpose(1, 2, 0, 3).reshape(-1, part.shape[3])
    return outputs


def yunet(given: Truth) -> Outputs:
    raw = undecoded(given, "offsets")
    outputs = {}
    for kind, rows in (("cls", given.classes), ("obj", given.objectness), ("bbox", raw[:, :4])):
        for stride, part in zip((8, 16, 32), by_stride(given, rows), strict=True):
            outputs[f"{kind}_{stride}"] = part.reshape(1, -1, part.shape[3])
    return outputs


def retinaface(given: Truth) -> Outputs:
    """Of squares, two a cell, which the network is to change: cell by cell, with points of the face beside them."""
    points = (given.cells + 0.5) * given.strides
    parts = [by_stride(given, rows) for rows in (given.centres - points, given.sizes, given.classes)]
    outputs: dict[str, list[Array]] = {"loc": [], "conf": [], "landms": []}
    for edges, moved, sizes, classes in zip(((16, 32), (64, 128), (256, 512)), *parts, strict=True):
        priors = np.array(edges)[:, np.newaxis, np.newaxis, np.newaxis]
        boxes = np.concatenate([moved / priors / 0.1, np.log(sizes / priors) / 0.2], axis=3)
        scores = np.concatenate([1 - classes, classes], axis=3)
        for name, part in (("loc", boxes), ("conf", scores), ("landms", np.tile(moved, 5))):
            outputs[name].append(part.transpose(1, 2, 0, 3).reshape(-1, part.shape[3]))
    return {name: with_batch(np.concatenate(part)) for name, part in outputs.items()}


def chosen(given: Truth, most: int) -> list[tuple[int, float, list[float]]]:
    """What a network with suppression inside lists: objects of many scores, highest first."""
    return naive_objects(given.corners, given.classes, threshold=0.05, iou=IOU)[:most]


def columns(given: Truth) -> Outputs:
    rows = np.zeros((1, MOST, 6))
    for place, (label, score, box) in enumerate(chosen(given, MOST)):
        rows[0, place] = [*box, score, label]
    return {"output0": rows}


def oriented_columns(given: Truth) -> Outputs:
    """Behind the objects, numbers are 0."""
    kept = naive_objects(given.oriented, given.classes, threshold=0.05, iou=IOU, overlapping=rotated_overlap)
    rows = np.zeros((1, MOST, 7))
    for place, (label, score, box) in enumerate(kept[:MOST]):
        rows[0, place] = [*box[:4], score, label, box[4]]
    return {"output0": rows}


def yolo8_instances(given: Truth) -> Outputs:
    rows = np.concatenate([given.centred, given.classes, given.weights], axis=1)
    return {"output0": with_batch(rows.T), "output1": with_batch(given.prototypes)}


def yolo5_instances(given: Truth) -> Outputs:
    rows = np.concatenate([given.centred, given.objectness, given.classes, given.weights], axis=1)
    return {"output0": with_batch(rows), "output1": with_batch(given.prototypes)}


def chosen_instances(given: Truth) -> Outputs:
    """Behind the objects, numbers are 0; a box brings its candidate's number with it."""
    tagged = np.concatenate([given.corners, np.arange(len(given.corners))[:, np.newaxis]], axis=1)
    rows = np.zeros((1, MOST, 6 + PROTOTYPES))
    kept = naive_objects(tagged, given.classes, threshold=0.05, iou=IOU)[:MOST]
    for place, (label, score, box) in enumerate(kept):
        rows[0, place] = [*box[:4], score, label, *given.weights[int(box[4])]]
    return {"output0": rows, "output1": with_batch(given.prototypes)}


def columns_of_shares(given: Truth) -> Outputs:
    rows = columns(given)["output0"]
    return {"output0": np.concatenate([rows[..., :4] / SIZE, rows[..., 4:]], axis=2)}


def yolo7(given: Truth) -> Outputs:
    rows = [[0, *box, label, score] for label, score, box in chosen(given, MOST)]
    return {"output": np.array(rows)}


def tensorrt(given: Truth) -> Outputs:
    """Behind the objects stands what was there before."""
    rows = columns(given)["output0"]
    rows[:, MOST - 8 :, 4] = 0.9
    return {
        "num_dets": np.array([[MOST - 8]]),
        "boxes": rows[..., :4],
        "scores": rows[..., 4],
        "classes": rows[..., 5].astype(int),
    }


def mmdetection(given: Truth) -> Outputs:
    rows = columns(given)["output0"]
    return {"dets": rows[..., :5], "labels": rows[..., 5].astype(int)}


def tensorflow(given: Truth) -> Outputs:
    rows = columns(given)["output0"]
    return {
        "detection_anchor_indices": np.arange(MOST, dtype=np.float64)[np.newaxis] * 7,
        "detection_boxes": rows[..., [1, 0, 3, 2]] / SIZE,
        "detection_classes": rows[..., 5] + 1,
        "detection_scores": rows[..., 4],
        "num_detections": np.array([float(MOST)]),
    }


def torchvision(given: Truth) -> Outputs:
    """Numbers for names, and no batch."""
    rows = columns(given)["output0"][0]
    return {"2546": rows[:, :4], "2547": rows[:, 5].astype(int) + 1, "2548": rows[:, 4]}
