"""An ONNX file of an object detector, with or without suppression inside; see `layouts` for what is recognised."""

from __future__ import annotations

import numpy as np

from tundish import manifest
from tundish.results import Box, DetectedObject, ObjectDetection, Point, Result
from tundish_exporters.sources.onnx_file.heads import Layout, ListedHead
from tundish_exporters.sources.onnx_file.layouts import find_layout
from tundish_exporters.sources.onnx_file.metadata import ORIENTED
from tundish_exporters.sources.onnx_file.object_source import Located, ObjectSource
from tundish_exporters.sources.onnx_file.seen import Seen
from tundish_exporters.sources.pillow_images import Placing, place_in_image, processed_image


class DetectorSource(ObjectSource):
    """See `Source`."""

    task = "object-detection"
    tasks = frozenset({"", "detect", "segment", "pose", ORIENTED})

    @property
    def postprocess(self) -> manifest.BoxPostprocess | manifest.ListedPostprocess:
        """See `Source.postprocess`."""
        return self._rule

    def predict(self, data: bytes) -> Result:
        """See `Source.predict`."""
        outputs = self._read(self._network.answer(processed_image(self._image_rule, data)))
        to_image = place_in_image(self._image_rule, data)
        objects = [self._in_image(located, to_image) for located in self._located(outputs)]
        return ObjectDetection(tuple(sorted(objects, key=lambda found: -found.score)))

    def _in_image(self, located: Located, to_image: Placing) -> DetectedObject:
        points = [Point(*to_image(x, y)) for x, y in located.box.tolist()]
        around = Box(*np.min(points, axis=0).tolist(), *np.max(points, axis=0).tolist())
        label = self._labels[located.label]
        if self._rule.box_form == "oriented":
            first, second, third, fourth = points
            return DetectedObject(label, located.score, around, (first, second, third, fourth))
        (x_min, y_min), (x_max, y_max) = points
        return DetectedObject(label, located.score, Box(x_min, y_min, x_max, y_max))

    def _find_layout(self, seen: Seen) -> Layout | ListedHead | None:
        return find_layout(seen)
