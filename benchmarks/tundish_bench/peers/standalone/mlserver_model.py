"""A model for MLServer: image files or texts in, labels with scores out; or tensors in and out.

Each of MLServer's workers, a process of its own, loads it; `settings` of its parameters is what the bundle's manifest
says. MLServer makes a tensor of numbers that comes over the wire into a list of Python's numbers, 150,000 of them for
an image, and back again for the engine. So a tensor comes here, and goes, as one element of BYTES.
"""

# mypy: ignore-errors
# Its imports exist in the peer's environment only: what they look like in ours, if they are there, is not what runs.

from __future__ import annotations

from mlserver import MLModel
from mlserver.types import InferenceResponse, ResponseOutput
from served_models import load_model


class Served(MLModel):
    """One model in one worker."""

    async def load(self):
        """Loads the model."""
        settings = self.settings.parameters.extra
        self.output_names = settings["output_tensors"]
        self.served = load_model(settings)
        return True

    async def predict(self, payload):
        """Answers a request, of several items where MLServer has batched."""
        outputs = self.served.run(list(payload.inputs[0].data.root))
        if len(outputs) == 1:
            return self.response([self.bytes_output(self.output_names[0], [[row.tobytes()] for row in outputs[0]])])
        labels, scores = outputs
        return self.response(
            [
                self.bytes_output(self.output_names[0], labels.tolist()),
                ResponseOutput(
                    name=self.output_names[1], datatype="FP32", shape=list(scores.shape), data=scores.ravel().tolist()
                ),
            ]
        )

    def response(self, outputs):
        """What MLServer sends."""
        return InferenceResponse(model_name=self.name, outputs=outputs)

    def bytes_output(self, name, rows):
        """An output of the same number of texts or bytes a row."""
        elements = [element for row in rows for element in row]
        return ResponseOutput(name=name, datatype="BYTES", shape=[len(rows), len(rows[0])], data=elements)
