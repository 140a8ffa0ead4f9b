"""Small random members of many Hugging Face families, saved as `save_pretrained` saves a fine-tuned one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
import transformers as hf
from PIL.Image import Resampling
from tokenizers import ByteLevelBPETokenizer, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram
from tokenizers.trainers import UnigramTrainer

from support.tiny_models import save_image_classifier

_LABELS = {0: "crack", 1: "scratch", 2: "dent", 3: "stain", 4: "sound"}
_NAMED: dict[str, Any] = {"id2label": _LABELS, "label2id": {name: index for index, name in _LABELS.items()}}

_BLOCKS: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_VISION: dict[str, Any] = {**_BLOCKS, "image_size": 64, "patch_size": 16, **_NAMED}
_CROP_64 = {"height": 64, "width": 64}

_CORPUS = (
    "The tundish stands between the ladle and the moulds.",
    "Bearing seven runs hot again; please send someone before the night shift.",
    "Größe, façade, naïve: pressure below the limit.",
) * 20
_BPE_TOKENS = 600
_UNIGRAM_TOKENS = 120
POSITIONS = 64
"""The most tokens that any of the text families reads, special ones included."""

_LOGIT_SPREAD = 1.5

Made = tuple[Any, Any]
"""A model with its image processor or its tokenizer."""


def save_family(directory: Path, made: Made) -> Path:
    """The model with spread weights, beside its processor or tokenizer."""
    model, processor = made
    save_image_classifier(directory, model, processor)
    if any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules()):
        _settle(model)
        model.save_pretrained(directory)
    return directory


def _settle(model: Any) -> None:
    """Gives batch normalisation the statistics of noise: with those that it begins with, random networks saturate."""
    torch.manual_seed(3)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.reset_parameters()  # and its scale, which EfficientNet draws next to zero
            module.momentum = None  # a plain mean over what it has seen
    model.train()
    with torch.no_grad():
        for _ in range(12):
            model(pixel_values=_noise(contrast=torch.rand(8, 3, 1, 1) * 2))
    model.eval()
    _balance(model, _noise(contrast=torch.rand(8, 3, 1, 1) * 2))


def _noise(contrast: torch.Tensor) -> torch.Tensor:
    """Normalised images of noise, each of a brightness of its own."""
    brightness = torch.randn(len(contrast), 3, 1, 1)
    return torch.randn(len(contrast), 3, 64, 64) * contrast + brightness


@torch.no_grad()
def _balance(model: Any, images: torch.Tensor) -> None:
    """Spreads the logits over these images, and gives each label its share of them."""
    logits = model(pixel_values=images).logits
    scale = _LOGIT_SPREAD / logits.std(0).mean()
    heads = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module.out_features == len(_LABELS)
    ]
    for head in heads:
        head.weight.mul_(scale)
        head.bias.mul_(scale).sub_(logits.mean(0) * scale / len(heads))


def _vit() -> Made:
    return hf.ViTForImageClassification(hf.ViTConfig(**_VISION)), hf.ViTImageProcessor(size=_CROP_64)


def vit_encoder() -> Made:
    """A network without a head, but with a pooling layer."""
    return hf.ViTModel(hf.ViTConfig(**_VISION)), hf.ViTImageProcessor(size=_CROP_64)


def _deit() -> Made:
    processor = hf.DeiTImageProcessor(size={"height": 72, "width": 80}, crop_size=_CROP_64)
    return hf.DeiTForImageClassification(hf.DeiTConfig(**_VISION)), processor


def _beit() -> Made:
    processor = hf.BeitImageProcessor(size={"height": 72, "width": 72}, crop_size=_CROP_64, do_center_crop=True)
    return hf.BeitForImageClassification(hf.BeitConfig(**_VISION)), processor


def _swin() -> Made:
    config = hf.SwinConfig(
        image_size=64, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4, **_NAMED
    )
    return hf.SwinForImageClassification(config), hf.ViTImageProcessor(size=_CROP_64, resample=Resampling.BICUBIC)


def _clip() -> Made:
    vision = {**_BLOCKS, "image_size": 64, "patch_size": 16}
    config = hf.CLIPConfig(vision_config=vision, text_config=_BLOCKS, **_NAMED)
    processor = hf.CLIPImageProcessor(size={"shortest_edge": 64}, crop_size=_CROP_64)
    return hf.CLIPForImageClassification(config), processor


def _resnet(edge: int = 64) -> Made:
    config = hf.ResNetConfig(embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic", **_NAMED)
    processor = hf.ConvNextImageProcessor(size={"shortest_edge": edge}, crop_pct=0.9)
    return hf.ResNetForImageClassification(config), processor


def save_resnet_that_int8_breaks(directory: Path) -> Path:
    """A ResNet with a channel ten thousand times as large as the others, which nothing reads.

    Floats do not mind; 256 steps over its range leave the other channels none.
    """
    model, processor = _resnet()
    save_family(directory, (model, processor))
    stem = model.resnet.embedder.embedder
    with torch.no_grad():
        stem.normalization.weight[0] = 1e4
        stem.normalization.bias[0] = 1e4
        for module in model.resnet.encoder.modules():
            if isinstance(module, torch.nn.Conv2d) and module.in_channels == stem.normalization.num_features:
                module.weight[:, 0] = 0
    torch.manual_seed(9)
    _balance(model, _noise(contrast=torch.full((32, 1, 1, 1), 0.2)))
    model.save_pretrained(directory)
    return directory


def _mobilenet_v2(image_size: int = 96) -> Made:
    config = hf.MobileNetV2Config(depth_multiplier=0.25, image_size=image_size, **_NAMED)
    processor = hf.MobileNetV2ImageProcessor(size={"shortest_edge": 110}, crop_size={"height": 96, "width": 96})
    return hf.MobileNetV2ForImageClassification(config), processor


def _mobilevit() -> Made:
    """Its processor hands over BGR, and does not normalise."""
    config = hf.MobileViTConfig(
        image_size=64,
        hidden_sizes=[16, 24, 32],
        neck_hidden_sizes=[8, 8, 16, 16, 24, 32, 64],
        num_attention_heads=2,
        **_NAMED,
    )
    processor = hf.MobileViTImageProcessor(size={"shortest_edge": 72}, crop_size=_CROP_64)
    return hf.MobileViTForImageClassification(config), processor


def _levit() -> Made:
    """Its processor resizes to more than it is told, by 256 / 224."""
    config = hf.LevitConfig(
        image_size=64, hidden_sizes=[16, 24, 32], num_attention_heads=[2, 2, 2], depths=[1, 1, 1], **_NAMED
    )
    processor = hf.LevitImageProcessor(size={"shortest_edge": 64}, crop_size=_CROP_64)
    return hf.LevitForImageClassification(config), processor


def _convnext(edge: int) -> Made:
    config = hf.ConvNextConfig(hidden_sizes=[8, 12, 16, 24], depths=[1, 1, 1, 1], **_NAMED)
    processor = hf.ConvNextImageProcessor(size={"shortest_edge": edge}, crop_pct=0.875)
    return hf.ConvNextForImageClassification(config), processor


def efficientnet(**processor: Any) -> Made:
    """Its processor divides by the standard deviation twice."""
    config = hf.EfficientNetConfig(
        width_coefficient=0.5, depth_coefficient=0.3, hidden_dim=640, image_size=64, **_NAMED
    )
    return hf.EfficientNetForImageClassification(config), hf.EfficientNetImageProcessor(size=_CROP_64, **processor)


IMAGE_FAMILIES: dict[str, Callable[[], Made]] = {
    "vit": _vit,
    "deit": _deit,
    "beit": _beit,
    "swin": _swin,
    "clip": _clip,
    "resnet": _resnet,
    "resnet of images of another size than optimum's": lambda: _resnet(96),
    "mobilenet-v2": _mobilenet_v2,
    "mobilenet-v2 of smaller crops than configured": lambda: _mobilenet_v2(image_size=128),
    "mobilevit": _mobilevit,
    "levit": _levit,
    "convnext that crops": lambda: _convnext(96),
    "convnext that stretches": lambda: _convnext(384),
}
"""Those whose processors the manifest can say."""


def _bert_config(**settings: Any) -> Any:
    return hf.BertConfig(**{**_BLOCKS, "vocab_size": 30522, "max_position_embeddings": POSITIONS, **_NAMED, **settings})


def bert(words: Path, **settings: Any) -> Made:
    """With MiniLM's word pieces, from its directory."""
    return hf.BertForSequenceClassification(_bert_config(**settings)), _word_pieces(words, hf.BertTokenizerFast)


def _word_pieces(words: Path, kind: Any, **settings: Any) -> Any:
    return kind(vocab_file=str(words / "vocab.txt"), tokenizer_file=str(words / "tokenizer.json"), **settings)


def _distilbert(words: Path) -> Made:
    config = hf.DistilBertConfig(
        dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=POSITIONS, **_NAMED
    )
    return hf.DistilBertForSequenceClassification(config), _word_pieces(words, hf.DistilBertTokenizerFast)


def _electra(words: Path) -> Made:
    config = hf.ElectraConfig(embedding_size=16, max_position_embeddings=POSITIONS, **_BLOCKS, **_NAMED)
    return hf.ElectraForSequenceClassification(config), _word_pieces(words, hf.ElectraTokenizerFast)


def _mpnet(words: Path) -> Made:
    config = hf.MPNetConfig(vocab_size=30522, max_position_embeddings=POSITIONS + 2, **_BLOCKS, **_NAMED)
    marks = {"bos_token": "[CLS]", "eos_token": "[SEP]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    rest = {"pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}
    return hf.MPNetForSequenceClassification(config), _word_pieces(words, hf.MPNetTokenizerFast, **marks, **rest)


def _byte_level(kind: Any, **settings: Any) -> Any:
    """A byte-level BPE tokenizer, trained on a few sentences."""
    trained = ByteLevelBPETokenizer()
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(_CORPUS, vocab_size=_BPE_TOKENS, special_tokens=marks, show_progress=False)
    with tempfile.TemporaryDirectory() as directory:
        vocabulary, merges = trained.save_model(directory)
        return kind(vocab_file=vocabulary, merges_file=merges, **settings)


def save_tokenizer(path: Path) -> Path:
    """A byte-level BPE tokenizer that adds a token at each end, in the `tokenizers` library's JSON form."""
    _byte_level(hf.RobertaTokenizerFast).backend_tokenizer.save(str(path))
    return path


def _roberta(**tokenizer: Any) -> Made:
    config = hf.RobertaConfig(vocab_size=_BPE_TOKENS, max_position_embeddings=POSITIONS + 2, **_BLOCKS, **_NAMED)
    return hf.RobertaForSequenceClassification(config), _byte_level(hf.RobertaTokenizerFast, **tokenizer)


def save_towers(directory: Path, kind: Literal["clip", "siglip"]) -> Path:
    """Two towers, one for images and one for texts, with their tokenizer and image processor."""
    vision = {**_BLOCKS, "image_size": 64, "patch_size": 16}
    tokenizer = _ending_last()
    marks = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": tokenizer.eos_token_id}
    text = {**_BLOCKS, **marks, "vocab_size": len(tokenizer), "max_position_embeddings": POSITIONS}
    model: Any
    processor: Any
    if kind == "clip":
        model = hf.CLIPModel(
            hf.CLIPConfig(vision_config=vision, text_config=text, projection_dim=24, logit_scale_init_value=1.0)
        )
        processor = hf.CLIPImageProcessor(size={"shortest_edge": 64}, crop_size=_CROP_64)
    else:
        model = hf.SiglipModel(hf.SiglipConfig(vision_config=vision, text_config=text))
        processor = hf.SiglipImageProcessor(size=_CROP_64)
    save_family(directory, (model, processor))
    tokenizer.save_pretrained(directory)
    return directory


def save_promptable(directory: Path) -> Path:
    """Segment Anything of a few numbers, whose masks are of pixels that its encoder finds alike."""
    size, edge = 64, 8
    vision = {
        **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_dim": 64, "output_channels": 32},
        **{"image_size": size, "patch_size": size // edge, "window_size": 3, "global_attn_indexes": [1]},
        **{"num_pos_feats": 16, "initializer_range": 0.2},
    }
    prompts = {"hidden_size": 32, "image_size": size, "patch_size": size // edge, "mask_input_channels": 8}
    decoder = {"hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": 32}
    config = hf.SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)
    square: Any = {"height": size, "width": size}
    processor = hf.SamImageProcessor(size={"longest_edge": size}, pad_size=square)
    return save_family(directory, (hf.SamModel(config), processor))


def _ending_last() -> Any:
    """A tokenizer whose mark of an end is a token of its own, by which CLIP finds it."""
    backend = _byte_level(hf.RobertaTokenizerFast).backend_tokenizer
    backend.add_special_tokens(["<end>"])
    number = backend.token_to_id("<end>")
    backend.post_processor = processors.TemplateProcessing(single="$A <end>", special_tokens=[("<end>", number)])
    marks = {"eos_token": "<end>", "pad_token": "<pad>"}
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=backend, model_input_names=["input_ids", "attention_mask"], **marks
    )


def save_byte_level_encoder(directory: Path, modules: Path) -> Path:
    """An encoder with a tokenizer that keeps capitals, and the modules of sentence-transformers of a directory."""
    config = hf.RobertaConfig(vocab_size=_BPE_TOKENS, max_position_embeddings=POSITIONS + 2, **_BLOCKS)
    save_family(directory, (hf.RobertaModel(config), _byte_level(hf.RobertaTokenizerFast)))
    for name in ("modules.json", "sentence_bert_config.json"):
        shutil.copy(modules / name, directory)
    shutil.copytree(modules / "1_Pooling", directory / "1_Pooling")
    return directory


def gpt2() -> Made:
    """Its tokenizer adds no token of its own, so that nothing comes of an empty text."""
    config = hf.GPT2Config(
        vocab_size=_BPE_TOKENS, n_embd=32, n_layer=2, n_head=2, n_positions=POSITIONS, pad_token_id=1, **_NAMED
    )
    marks = {"pad_token": "<pad>", "eos_token": "</s>", "bos_token": "<s>", "unk_token": "<unk>"}
    return hf.GPT2ForSequenceClassification(config), _byte_level(hf.GPT2TokenizerFast, **marks)


def _unigram() -> Any:
    tokenizer = Tokenizer(Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    marks = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    trainer = UnigramTrainer(vocab_size=_UNIGRAM_TOKENS, special_tokens=marks, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(_CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", marks.index("[CLS]")), ("[SEP]", marks.index("[SEP]"))],
    )
    return tokenizer


def _albert() -> Made:
    config = hf.AlbertConfig(
        vocab_size=_UNIGRAM_TOKENS, embedding_size=16, max_position_embeddings=POSITIONS, **_BLOCKS, **_NAMED
    )
    return hf.AlbertForSequenceClassification(config), hf.AlbertTokenizerFast(tokenizer_object=_unigram())


def _deberta(type_ids: int) -> Made:
    """With SentencePiece's unigram model, as DeBERTa v3 has it, and with attention by relative positions."""
    config = hf.DebertaV2Config(
        vocab_size=_UNIGRAM_TOKENS, max_position_embeddings=POSITIONS, type_vocab_size=type_ids,
        relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=16, norm_rel_ebd="layer_norm",
        share_att_key=True, position_biased_input=False, **_BLOCKS, **_NAMED,
    )  # fmt: skip
    tokenizer = hf.DebertaV2TokenizerFast(tokenizer_object=_unigram(), unk_token="<unk>", pad_token="<pad>")
    return hf.DebertaV2ForSequenceClassification(config), tokenizer


TEXT_FAMILIES: dict[str, Callable[[Path], Made]] = {
    "bert": bert,
    "bert with many labels at once": lambda words: bert(words, problem_type="multi_label_classification"),
    "bert with one label": lambda words: bert(words, id2label={0: "sound"}, label2id={"sound": 0}),
    "bert that regresses": lambda words: bert(
        words, id2label={0: "stars"}, label2id={"stars": 0}, problem_type="regression"
    ),
    "distilbert": _distilbert,
    "electra": _electra,
    "mpnet": _mpnet,
    "roberta": lambda _: _roberta(),
    "roberta that drops the beginning": lambda _: _roberta(truncation_side="left"),
    "albert": lambda _: _albert(),
    "deberta": lambda _: _deberta(0),
    "deberta with type ids": lambda _: _deberta(2),
}
"""What they are made of word pieces take those of the directory."""
