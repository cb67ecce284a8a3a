# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs the PyTorch reference (the `moshi` package) eagerly on one thread: what our results are compared with."""

import contextlib
import json
import os
from pathlib import Path
from unittest.mock import Mock

os.environ |= {"NO_TORCH_COMPILE": "1", "NO_CUDA_GRAPH": "1"}  # before the reference is imported

import torch
from moshi.conditioners import ConditionAttributes
from moshi.models import LMGen, lm as lm_module, loaders
from moshi.models.lm_utils import _delay_sequence, _undelay_sequence
from moshi.quantization.core_vq import EuclideanCodebook
from moshi.run_inference import InferenceState

torch.set_num_threads(1)
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False

# The condition classifier-free guidance pushes away from (moshi/run_inference.py: get_condition_tensors).
NEGATIVE = {"description": "very_bad"}


def checkpoint(directory):
    """The reference's description of a checkpoint directory."""
    config_path = Path(directory, "config.json")
    config = json.loads(config_path.read_text())

    def file(key):
        value = config.get(key, "absent")
        return value if value.startswith("file://") else str(Path(directory, value))

    return loaders.CheckpointInfo.from_hf_repo(
        "", moshi_weights=file("moshi_name"), mimi_weights=file("mimi_name"), tokenizer=file("tokenizer_name"),
        config_path=config_path, mimi_config_path=file("mimi_config_name"))


class EndlessText(Exception):
    """A hibiki model that goes on long after its input."""


class Margins:
    """Records by how much each greedy choice was made: 0 would be a tie, which rounding may decide."""

    def __init__(self):
        self.smallest = float("inf")

    def add(self, scores, rows=None):
        """`scores` [..., choices], the largest is chosen; `rows`: mask over the first dimension."""
        best = scores.topk(2, dim=-1).values
        gap = best[..., 0] - best[..., 1]
        if rows is not None:
            gap = gap[rows]
        if gap.numel():
            self.smallest = min(self.smallest, gap.min().item())


@contextlib.contextmanager
def _replaced(owner, name, function):
    original = getattr(owner, name)
    setattr(owner, name, lambda *args, **kwargs: function(original, *args, **kwargs))
    try:
        yield
    finally:
        setattr(owner, name, original)


def token_margins(margins, rows=lambda: None):
    """Context in which the language model's choices are recorded; `rows()`: mask of rows that count."""
    def sample(original, logits, *args, **kwargs):
        margins.add(logits, rows())
        return original(logits, *args, **kwargs)
    return _replaced(lm_module, "sample_token", sample)


def code_margins(margins):
    """Context in which the codec's choices are recorded, relative to the vectors' squared length."""
    def quantize(original, self, x):
        distances = ((x[:, None] - self.embedding) ** 2).sum(-1)
        margins.add(-distances / (x ** 2).sum(-1, keepdim=True))
        return original(self, x)
    return _replaced(EuclideanCodebook, "_quantize", quantize)


# ------------------------------------------------------------------------------------------- codec

@torch.no_grad()
def encode(directory, pcm, codebooks):
    """Codes [B, K, T] of `pcm` [B, 1, T * frame_size], frame by frame, and the smallest margin."""
    mimi = checkpoint(directory).get_mimi()
    mimi.set_num_codebooks(codebooks)
    margins = Margins()
    with mimi.streaming(len(pcm)), code_margins(margins):
        codes = [mimi.encode(frame) for frame in pcm.split(mimi.frame_size, dim=2)]
    return torch.cat(codes, 2), margins.smallest


@torch.no_grad()
def decode(directory, codes):
    """PCM [B, 1, T * frame_size] of `codes` [B, K, T], frame by frame."""
    mimi = checkpoint(directory).get_mimi()
    with mimi.streaming(len(codes)):
        return torch.cat([mimi.decode(column) for column in codes.split(1, dim=2)], 2)


# ---------------------------------------------------------------------------------- language model

def load_lm(directory, dtype=torch.float32, device="cpu"):
    return checkpoint(directory).get_moshi(device=device, dtype=dtype)


def _conditions(lm, conditions, rows, cfg=False):
    """Condition tensors of `rows` equal rows, with the null half behind them for `cfg`."""
    if lm.condition_provider is None:
        return None
    attributes = [ConditionAttributes(text=dict(conditions), tensor={}) for _ in range(rows)]
    if cfg:
        attributes += [ConditionAttributes(text=dict(NEGATIVE), tensor={}) for _ in range(rows)]
    return lm.condition_provider.prepare_and_provide(attributes)


@torch.no_grad()
def forward(lm, codes, conditions=None):
    """LMModel.forward over `codes` [B, n_q + 1, T] as the tensors our tool writes; dep_q 0 is text only."""
    codes = codes.to(lm.device)
    tensors = _conditions(lm, conditions or {}, len(codes))
    if lm.dep_q:
        out = lm(codes, tensors)
        result = {"logits": out.logits, "mask": out.mask, "text_logits": out.text_logits, "text_mask": out.text_mask}
    else:
        batch, _, steps = codes.shape
        _, text_logits = lm.forward_text(_delayed(lm, codes)[:, :, :-1])
        text_logits, text_mask = _undelay_sequence(lm.delays[:1], text_logits)
        result = {"logits": torch.zeros(batch, 0, steps, lm.card), "mask": torch.zeros(batch, 0, steps),
                  "text_logits": text_logits, "text_mask": text_mask & (codes[:, :1] != lm.zero_token_id)}
    return _as_written(result)


def _delayed(lm, codes):
    """Model inputs of all positions and the one after: [B, n_q + 1, T + 1]."""
    initial = lm._get_initial_token().expand(len(codes), -1, -1)
    return torch.cat([initial, _delay_sequence(lm.delays, codes, initial)], dim=2)


@torch.no_grad()
def forward_streaming(lm, codes, conditions=None):
    """The same, one position at a time through the ring of keys and values."""
    codes = codes.to(lm.device)
    tensors = _conditions(lm, conditions or {}, len(codes))
    condition = None if tensors is None else lm.fuser.get_sum(tensors)
    delayed, text_logits, logits = _delayed(lm, codes), [], []
    if lm.depformer is not None:
        lm.depformer.set_streaming_detached(True)
    with lm.streaming(len(codes)):
        for t in range(codes.shape[2]):
            hidden, text = lm.forward_text(delayed[:, :, t:t + 1], condition)
            text_logits.append(text)
            if lm.dep_q:
                logits.append(lm.forward_depformer_training(delayed[:, :, t + 1:t + 2], hidden))
    text_logits, text_mask = _undelay_sequence(lm.delays[:1], torch.cat(text_logits, 2))
    result = {"text_logits": text_logits, "text_mask": text_mask & (codes[:, :1] != lm.zero_token_id)}
    if lm.dep_q:
        result["logits"], mask = _undelay_sequence(lm.delays[1:lm.dep_q + 1], torch.cat(logits, 2))
        result["mask"] = mask & (codes[:, 1:lm.dep_q + 1] != lm.zero_token_id)
    return _as_written(result)


def _as_written(result):
    return {k: (v.to(torch.uint8) if "mask" in k else v.float()).cpu().contiguous() for k, v in result.items()}


@torch.no_grad()
def generate(lm, codes, exec_mask=None, reset=None, cfg_coef=1.0, conditions=None):
    """Greedy tokens [B, 1 + dep_q, T] for user codes [B, n_q - dep_q, T], one column a call, and the smallest margin.

    `exec_mask` and `reset` are bool [T, B]; a reset applies before the step.
    """
    codes = codes.to(lm.device)
    batch, _, steps = codes.shape
    tensors = _conditions(lm, conditions or {}, batch, cfg_coef != 1)
    generator = LMGen(lm, temp=0, temp_text=0, cfg_coef=cfg_coef, condition_tensors=tensors, support_out_of_sync=True)
    margins, columns = Margins(), []
    rows = [None]
    with generator.streaming(batch), token_margins(margins, lambda: rows[0]):
        for t in range(steps):
            rows[0] = _control(generator, t, exec_mask, reset)
            columns.append(generator.step(codes[:, :, t:t + 1]))
    return torch.cat(columns, 2).cpu(), margins.smallest


def _control(module, t, exec_mask, reset):
    """Applies step t of the two schedules to a streaming module; returns the rows that execute (None: all)."""
    if reset is not None and reset[t].any():
        module.reset_streaming(reset[t])
    if exec_mask is None:
        return None
    module.set_exec_mask(exec_mask[t])
    return exec_mask[t].to(module._streaming_state.device)


# ------------------------------------------------------------------------------------------ speech

@torch.no_grad()
def talk(directory, pcm):
    """The reference's file driver, greedy and alone: `pcm` [samples] in; PCM [samples], text tokens and margins out.

    `margins` are those of the tokens and of the codes.
    """
    info = checkpoint(directory)
    mimi, lm, tokenizer = info.get_mimi(), load_lm(directory), info.get_text_tokenizer()
    tokens, limit = [], 2 * len(pcm) // mimi.frame_size

    def collect(text):
        tokens.append(text.item())
        if len(tokens) > limit:
            raise EndlessText

    token_margin, code_margin = Margins(), Margins()
    state = InferenceState(
        info, mimi, tokenizer, lm, batch_size=1, cfg_coef=1.0, device="cpu", use_sampling=False, on_text_hook=collect)
    state.printer = Mock()  # it would print the text
    with token_margins(token_margin), code_margins(code_margin):
        results = state.run(pcm[None, None])
    text, out = results[0] if results else (torch.tensor(tokens[1:]), torch.zeros(1, 0))
    return out[0], text, (token_margin.smallest, code_margin.smallest)
