"""An image classifier for Triton's Python backend: image files in, labels with scores out, by OpenCV and ONNX Runtime.

Triton runs a copy of this file in the peer's own environment, which has no tundish; `settings.json` beside the copy
says what the bundle's manifest says. The code is what a competent user would arrive at by measuring: one run of the
engine for a batch, scale and shift fused into a multiplication and an addition a plane, no copies in between.
"""

# mypy: ignore-errors
# Its imports exist in the peer's environment only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """One instance, in a process of its own; Triton calls it by these methods."""

    def initialize(self, args):
        """Loads the model."""
        folder = Path(args["model_repository"]) / args["model_version"]
        settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        self.edge = settings["shortest_edge"]
        self.crop = tuple(settings["crop"])
        mean, std = np.array(settings["mean"], np.float32), np.array(settings["std"], np.float32)
        self.scale, self.shift = np.float32(settings["rescale"]) / std, -mean / std
        self.labels = np.array([label.encode() for label in settings["labels"]], dtype=np.object_)
        self.top_k = settings["top_k"]
        self.input, self.output = settings["input"], settings["output"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(settings["model"], options, providers=["CPUExecutionProvider"])
        cv2.setNumThreads(1)

    def execute(self, requests):
        """Answers the requests that Triton's dynamic batcher hands over together, by one run of the engine."""
        parts = [pb_utils.get_input_tensor_by_name(request, "image").as_numpy().ravel() for request in requests]
        files = [file for part in parts for file in part]
        batch = np.empty((len(files), 3, *self.crop), np.float32)
        for planes, file in zip(batch, files, strict=True):
            self.preprocess(file, planes)
        (logits,) = self.session.run([self.output], {self.input: batch})
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = exponents / exponents.sum(axis=1, keepdims=True)
        best = np.argsort(-scores, axis=1)[:, : self.top_k]
        labels, scores = self.labels[best], np.take_along_axis(scores, best, axis=1)
        ends = np.cumsum([len(part) for part in parts])[:-1]
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor("label", rows), pb_utils.Tensor("score", row_scores)])
            for rows, row_scores in zip(np.split(labels, ends), np.split(scores, ends), strict=True)
        ]

    def preprocess(self, file, planes):
        """Decodes, resizes, crops and normalises one image into `planes`, `[3, height, width] float32` RGB."""
        image = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
        height, width = image.shape[:2]
        ratio = self.edge / min(height, width)
        # Halving, as here, OpenCV's linear filter averages all four pixels: no other one is better or faster.
        resized = cv2.resize(image, (int(width * ratio), int(height * ratio)), interpolation=cv2.INTER_LINEAR)
        top, left = (resized.shape[0] - self.crop[0]) // 2, (resized.shape[1] - self.crop[1]) // 2
        window = resized[top : top + self.crop[0], left : left + self.crop[1]]
        for index, plane in enumerate(reversed(cv2.split(window))):  # OpenCV decodes to BGR
            np.multiply(plane, self.scale[index], out=planes[index])
            planes[index] += self.shift[index]
