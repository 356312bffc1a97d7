"""Folders of models without weights: configurations of open_clip or transformers, and a small tokeniser of a family's form.

Released tokenisers come from the hub. Where a figure does not depend on which id a word has, one token a byte does as well.
"""

import json
from pathlib import Path
from typing import Any

SPECIAL = ("<pad>", "</s>", "<unk>")  # T5's and Gemma's order: 0 fills up, 1 ends a text


def open_clip_folder(folder: Path, model: dict[str, Any], preprocessing: dict[str, Any]) -> str:
    """Write what `--model local-dir:FOLDER --pretrained random:0` needs, and return that name.

    `model` and `preprocessing` are open_clip's configurations. A text tower that names a tokeniser of the hub gets a small one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"model_cfg": model, "preprocess_cfg": preprocessing}, indent=1)
    (folder / "open_clip_config.json").write_text(text, encoding="utf-8")
    if like := model["text_cfg"].get("hf_tokenizer_name"):
        # open_clip's SigLipTokenizer fills with 0 where the vocabulary is Gemma's (SigLIP 2), with 1 where it is T5's.
        tokenizer(folder, lower=False, pad=SPECIAL[0 if "SigLIP2" in like else 1])
    return f"local-dir:{folder}"


def released(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """open_clip's configurations of an architecture's model and of its pictures."""
    from fixtures.models._prepared import configuration, preprocessing

    return configuration(name), preprocessing(name, "random:0")


def hub_folder(folder: Path, config: Any) -> str:
    """Write what `--model transformers:FOLDER --pretrained random:0` needs, and return that name.

    A SiglipConfig gets a small tokeniser; a CLIPConfig gets none, because open_clip brings CLIP's.
    """
    config.save_pretrained(folder)
    if config.model_type != "clip":
        tokenizer(folder, lower=True, pad=SPECIAL[0])
    return f"transformers:{folder}"


def tokenizer(folder: Path, lower: bool, pad: str) -> None:
    """Write a tokeniser with one token for each byte of UTF-8, which ends texts with </s> and fills them up with `pad`."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {word: number for number, word in enumerate([*SPECIAL, *letters])}
    made = Tokenizer(models.BPE(vocab=words, merges=[], unk_token=SPECIAL[2]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    if lower:
        made.normalizer = normalizers.Lowercase()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", words["</s>"])])
    named = {"pad_token": pad, "eos_token": SPECIAL[1], "unk_token": SPECIAL[2]}
    # SigLIP was trained without a mask, so its tokenisers give none.
    found = PreTrainedTokenizerFast(tokenizer_object=made, padding_side="right", model_input_names=["input_ids"], **named)
    found.save_pretrained(folder)
