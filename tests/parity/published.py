# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""The published checkpoints' tensor lists, and files of those lists that hold only a header.

The lists come from the reference's modules built without memory; what is known of the published files (number
of tensors, bytes) is checked by the tests.
"""

import json
import struct
from pathlib import Path

import torch
from moshi.models import loaders

from checkpoints import NAMINGS, write_tokenizer
from presets import mimi_config


def _lm(**changes):
    return dict(loaders._lm_kwargs) | {"model_type": "moshi"} | changes


_NO_DEPTH = {"dep_q": 0, "depformer_num_layers": 6, "depformer_weights_per_step_schedule": None}

# config.json of published models, without file names.
CONFIGS = {
    "moshiko": _lm(),
    "personaplex": _lm(model_type="personaplex", dep_q=16),
    "hibiki-2b": _lm(
        model_type="hibiki", dim=2560, num_layers=24, num_heads=20, context=1500, max_period=100000,
        text_card=48000, n_q=32, dep_q=16, delays=[0] + 2 * ([0] + 15 * [2]), depformer_num_layers=4,
        depformer_dim_feedforward=3072, depformer_low_rank_embeddings=128,
        depformer_weights_per_step_schedule=list(range(8)) + 8 * [8],
        conditioners={"description": {"type": "lut", "lut": {
            "dim": 16, "n_bins": 31, "tokenizer": "noop",
            "possible_values": ["very_bad", "bad", "neutral", "good", "very_good"]}}},
        fuser={"cross_attention_pos_emb": False, "cross_attention_pos_emb_scale": 1, "sum": ["description"],
               "prepend": [], "cross": []},
        lm_gen_config={"temp": 0.8, "temp_text": 0.8, "top_k": 250, "top_k_text": 50}),
    "stt-1b-en_fr": _lm(
        model_type="stt", dim=2048, num_layers=16, num_heads=16, context=750, max_period=100000, text_card=8000,
        n_q=32, delays=33 * [0], extra_heads_num_heads=4, extra_heads_dim=6, **_NO_DEPTH,
        stt_config={"audio_delay_seconds": 0.5, "audio_silence_prefix_seconds": 0.0}),
    "stt-2.6b-en": _lm(
        model_type="stt", dim=2048, num_layers=48, num_heads=32, context=375, max_period=100000, text_card=4000,
        n_q=32, delays=33 * [0], **_NO_DEPTH,
        stt_config={"audio_delay_seconds": 2.5, "audio_silence_prefix_seconds": 1.0}),
}


def lm_tensors(config):
    """{name: (dtype, shape)} of a language model of that config.json."""
    kwargs = {k: v for k, v in json.loads(json.dumps(config)).items()
              if k not in ("model_type", "lm_gen_config", "stt_config")}
    model = loaders.get_moshi_lm(None, kwargs, device="meta", dtype=torch.bfloat16)
    return _published(model, "BF16")


def mimi_tensors():
    """{name: (dtype, shape)} of the published codec."""
    with torch.device("meta"):
        model = loaders.get_mimi(None, mimi_config(), device="meta")
    return _published(model, "F32")


def _published(model, dtype):
    return {name: (dtype, list(value.shape)) for name, value in NAMINGS["packed"](model.state_dict()).items()}


def header_of(tensors):
    """(length and header as bytes, bytes of data) of a safetensors file with these tensors."""
    header, offset = {}, 0
    for name, (dtype, shape) in sorted(tensors.items()):
        size = {"F32": 4, "BF16": 2}[dtype] * torch.Size(shape).numel()
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, offset


def write_hollow(path, tensors):
    """A safetensors file of full length whose data was never written: it takes no room and reads as zeros."""
    header, size = header_of(tensors)
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(len(header) + size)


def write_checkpoint(directory, config, lm=None, mimi=None):
    """A directory in the published layout of hollow files; `lm` and `mimi` replace the right tensor lists."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    names = {"moshi_name": "model.safetensors", "mimi_name": "mimi.safetensors", "tokenizer_name": "tokenizer.model"}
    (directory / "config.json").write_text(json.dumps(config | names))
    write_tokenizer(directory / names["tokenizer_name"], 200)
    write_hollow(directory / names["moshi_name"], lm or lm_tensors(config))
    write_hollow(directory / names["mimi_name"], mimi or mimi_tensors())
    return directory
