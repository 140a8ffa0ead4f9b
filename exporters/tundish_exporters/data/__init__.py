"""Reads calibration and evaluation data: folders of images, and tables of texts or of image paths.

| data | form |
|---|---|
| images | a folder, searched in depth; labelled if each image lies in a folder named by its label |
| texts | `.txt`, one a line |
| table | `.csv`, `.tsv` or `.jsonl` with a column for each part that the model reads, `label` if labelled |

Such a part is `image` or `page`, which are paths beside the file, or `text`, `text_pair`, `question`, `context` or
`query`; or `candidate_labels` and `prompts`, which in a `.jsonl` are lists; elsewhere labels have commas between, and
prompts are the JSON of their list.

A table may have a column of any name by which the accuracy is told apart: its slices.

Up to 5 % of the samples may be such as cannot be used: they are left out with a warning.
"""

from tundish_exporters.data.cautions import warnings_of
from tundish_exporters.data.labels import indices_of, label_indices, said_labels
from tundish_exporters.data.loading import LoadedData, load_samples
from tundish_exporters.data.network_inputs import check_network_inputs, has_network_inputs, load_network_inputs
from tundish_exporters.data.sample import Sample
from tundish_exporters.data.truth_forms import TruthForm, truth_form

__all__ = [
    "LoadedData",
    "Sample",
    "TruthForm",
    "check_network_inputs",
    "has_network_inputs",
    "indices_of",
    "label_indices",
    "load_network_inputs",
    "load_samples",
    "said_labels",
    "truth_form",
    "warnings_of",
]
