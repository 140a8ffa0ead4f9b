"""Reads calibration and evaluation data: folders of images, and tables of texts, images and what is right for them.

| data | form |
|---|---|
| images | a folder, searched in depth; labelled if each image lies in a folder named by its label |
| images and masks | a folder with folders `images` and `masks`, and files of the same names in both |
| images and objects | COCO's annotations, `.json`, with the images near them |
| texts | `.txt`, one a line |
| table | `.csv`, `.tsv`, `.jsonl` or `.parquet` with a column for each part that the model reads |
| arrays | `.npz` with an array for each such part; or, to calibrate, for each of the network's own inputs |

Such a part is `image` or `page`, which are paths beside the file (or in `.parquet` the file itself, or in `.npz`
pixels), or `text`, `text_pair`, `question`, `context` or `query`; or `candidate_labels` and `prompts`, which are lists;
in `.csv` and `.tsv`, labels have commas between, and prompts are the JSON of their list.

What is right stands in a column of its own, whose name depends on what the model answers with:

| answer | column |
|---|---|
| one label | `label`: its name, or the model's index of it |
| labels of which several may hold | `labels`: a list, in `.csv` and `.tsv` with commas between |
| a score | `score` or `label`: a number |
| an answer found in a text or on a page | `answers`: a list, or SQuAD's `{"text": [...]}`; or `answer` |
| entities | `entities`: a list of `{"label": ..., "start": ..., "end": ...}`, in characters |
| objects | `objects`: a list of `{"label": ..., "box": [left, top, right, bottom]}`, in pixels |
| what each pixel shows | `mask`: the path of a PNG beside the file, of indices of labels, 255 for none |
| the text of a line | `transcription` |
| the lines of a document | `lines`: a list of texts |

Lists are JSON where a table has texts alone. A table may have a column of any name by which the accuracy is told apart,
its slices, and one that says which samples belong together, its groups.

Up to 5 % of the samples may be such as cannot be used: they are left out with a warning.
"""

from tundish_exporters.data.cautions import warnings_of
from tundish_exporters.data.known_truths import known_truths
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
    "known_truths",
    "label_indices",
    "load_network_inputs",
    "load_samples",
    "said_labels",
    "truth_form",
    "warnings_of",
]
