# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""The sizes of Little Moshi, in the terms of the published configuration files, and its modules."""

import os

os.environ.setdefault("NO_TORCH_COMPILE", "1")

import sentencepiece
import torch
from moshi.models.lm import LMModel
from moshi.models.loaders import get_mimi

import domain

FRAME = 1920           # samples at 24 kHz
FRAME_SECONDS = 0.08
SPOKEN, HEARD = 5, 3   # codebooks of Moshi's voice, and of the user's
CARD = 512
PAD, END_PAD = 3, 0
SPEECH_DELAY = 1       # frames by which decoded audio lags its codes: lookahead for the decoder

MIMI_CONFIG = {
    "sample_rate": 24000, "channels": 1, "frame_rate": 12.5,
    "seanet": {
        "channels": 1, "dimension": 128, "causal": True, "n_filters": 16, "n_residual_layers": 1, "activation": "ELU",
        "compress": 2, "dilation_base": 2, "disable_norm_outer_blocks": 0, "kernel_size": 7, "residual_kernel_size": 3,
        "last_kernel_size": 3, "norm": "none", "pad_mode": "constant", "ratios": [5, 6, 8, 4], "true_skip": True},
    "quantizer": {"dimension": 64, "n_q": SPOKEN, "bins": CARD, "input_dimension": 128, "output_dimension": 128},
    "transformer": {
        "d_model": 128, "num_heads": 2, "num_layers": 3, "causal": True, "layer_scale": 0.1, "context": 48,
        "conv_layout": True, "max_period": 10000, "gating": "none", "norm": "layer_norm",
        "positional_embedding": "rope", "dim_feedforward": 512, "input_dimension": 128, "output_dimensions": [128]},
}


def lm_config(text_card):
    return {
        "dim": 256, "text_card": text_card, "existing_text_padding_id": PAD, "n_q": SPOKEN + HEARD, "dep_q": SPOKEN,
        "card": CARD, "num_heads": 4, "num_layers": 5, "hidden_scale": 3, "causal": True, "layer_scale": None,
        "context": 100, "max_period": 10000, "gating": "silu", "norm": "rms_norm_f32", "positional_embedding": "rope",
        "depformer_dim": 96, "depformer_dim_feedforward": 288, "depformer_num_heads": 3, "depformer_num_layers": 2,
        "depformer_layer_scale": None, "depformer_multi_linear": True, "depformer_context": SPOKEN,
        "depformer_max_period": 10000, "depformer_gating": "silu", "depformer_pos_emb": "none",
        "depformer_weights_per_step": True, "depformer_weights_per_step_schedule": [0] + [1] * (SPOKEN - 1),
        "delays": [0, 0] + [1] * (SPOKEN - 1) + [0] * HEARD,
    }


def make_mimi(device):
    return get_mimi(None, MIMI_CONFIG, device=device, num_codebooks=SPOKEN)


def make_lm(text_card, device):
    config = dict(lm_config(text_card))
    return LMModel(device=device, dtype=torch.float32, **config)


def train_tokenizer(path):
    """A SentencePiece model at `path` with one piece for each word of the replies."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(domain.reply_words()), model_prefix=str(path.with_suffix("")), model_type="word",
        vocab_size=len(domain.reply_words()) + 4, unk_id=0, bos_id=1, eos_id=2, pad_id=3, hard_vocab_limit=False,
        minloglevel=2)
    path.with_suffix(".vocab").unlink()


def latents(mimi, wave):
    """wave [B, samples] -> what the quantizer takes, [B, 128, frames]"""
    embedding = mimi.encoder(wave[:, None])
    (embedding,) = mimi.encoder_transformer(embedding)
    return mimi.downsample(embedding)


def speak(mimi, embedding):
    """Quantized latents [B, 128, frames] -> wave [B, samples]"""
    (embedding,) = mimi.decoder_transformer(mimi.upsample(embedding))
    return mimi.decoder(embedding)[:, 0]


def count_parameters(module):
    """As stored: parameters and codebooks."""
    books = sum(b.numel() for n, b in module.named_buffers() if n.endswith("embedding_sum"))
    return sum(p.numel() for p in module.parameters()) + books
