"""An image classifier by OpenCV, NumPy and ONNX Runtime, for the peers' servers: files to labels, one thread.

`settings` is what the bundle's manifest says. `tuned` in it is what a competent user would arrive at by measuring: one
run of the engine for all files, scale and shift fused into a multiplication and an addition a plane, no copies in
between. Without it, the code is what one would write first.
"""

# mypy: ignore-errors
# Its imports exist in the peers' environments only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations

import cv2
import numpy as np
from networks import Labels, one_thread_session


class ImageClassifier:
    """One model, loaded; for one thread at a time."""

    def __init__(self, settings):
        self.edge = settings["shortest_edge"]
        self.crop = tuple(settings["crop"])
        self.rescale = np.float32(settings["rescale"])
        self.mean, self.std = np.array(settings["mean"], np.float32), np.array(settings["std"], np.float32)
        self.tuned = settings["tuned"]
        self.labels = Labels(settings)
        self.input, self.output = settings["input"], settings["output"]
        self.session = one_thread_session(settings)
        cv2.setNumThreads(1)

    def run(self, files):
        """The labels of the files by falling score, and the scores: `[files, top_k]` objects and float32."""
        return self.labels.best(self.infer(files))

    def infer(self, files):
        """The logits of the files, `[files, labels] float32`."""
        if self.tuned:
            batch = np.empty((len(files), 3, *self.crop), np.float32)
            for planes, file in zip(batch, files, strict=True):
                self.preprocess_into(planes, file)
        else:
            batch = np.stack([self.preprocess(file) for file in files])
        return self.session.run([self.output], {self.input: batch})[0]

    def preprocess(self, file):
        """Decodes, resizes, crops and normalises one image to `[3, height, width] float32` RGB."""
        image = cv2.cvtColor(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        window = self.window(image).astype(np.float32) * self.rescale
        return ((window - self.mean) / self.std).transpose(2, 0, 1)

    def preprocess_into(self, planes, file):
        """The same, with one multiplication and one addition of each plane, and no copy between."""
        image = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
        scale, shift = self.rescale / self.std, -self.mean / self.std
        for index, plane in enumerate(reversed(cv2.split(self.window(image)))):  # OpenCV decodes to BGR
            np.multiply(plane, scale[index], out=planes[index])
            planes[index] += shift[index]

    def window(self, image):
        """The middle of the resized image, `[height, width, 3] uint8`."""
        height, width = image.shape[:2]
        ratio = self.edge / min(height, width)
        # Halving, as here, OpenCV's linear filter averages all four pixels: no other one is better or faster.
        resized = cv2.resize(image, (int(width * ratio), int(height * ratio)), interpolation=cv2.INTER_LINEAR)
        top, left = (resized.shape[0] - self.crop[0]) // 2, (resized.shape[1] - self.crop[1]) // 2
        return resized[top : top + self.crop[0], left : left + self.crop[1]]
