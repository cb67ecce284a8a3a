# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Linear layers as 8-bit integers: published files (moshi/utils/quantize.py: QLinear) and quantising at load.

What is compared with is the reference on the same weights, written out: q * scb / 127 as plain numbers.
"""

import hashlib
import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import reference
from harness import HERE, checkpoint, gst_moshi, reference_tensors, tool_tensors
from presets import LM
from test_forward import conditions, largest_error, teacher_codes

PRESETS = ["moshi7b_small", "hibiki_small", "stt_small", "sin_layernorm"]
LINEAR = re.compile(r"(self_attn\.(in|out)_proj(s\.\d+\.|_|\.)weight|linear_in\.weight|linear_out\.weight|linear[12]\.weight"
                    r"|text_linear\.weight|depformer_in\.\d+\.weight|^linears\.\d+\.weight|low_rank\.weight"
                    r"|extra_heads\.\d+\.weight)$")
# Integer products add up in another order than the written out ones.
TOLERANCE = {"cpu": 2e-4, "cuda": 2e-3}


def quantized(weight):
    """Row-wise as bitsandbytes' int8_vectorwise_quant does: int8 values and the rows' largest magnitudes."""
    half = weight.half().float()
    scb = half.abs().amax(1)
    steps = torch.full_like(scb, 127) / scb  # 127 / scb would multiply with a rounded reciprocal
    return torch.round(half * steps[:, None]).to(torch.int8), scb


def checkpoints(name, tmp_path, naming):
    """Directories of a plain checkpoint, the same in 8 bits, and that written out."""
    plain = checkpoint(name, naming=naming)
    eight, written = tmp_path / "eight", tmp_path / "written"
    state = load_file(plain / "model.safetensors")
    integers, numbers = {}, {}
    for key, value in state.items():
        if LINEAR.search(key):
            q, scb = quantized(value)
            integers |= {key: q, key + "_scb": scb}
            numbers[key] = q.float() * (scb / 127)[:, None]
        else:
            integers[key] = numbers[key] = value
    assert len(integers) > len(state) + 5
    for directory, tensors in ((eight, integers), (written, numbers)):
        shutil.copytree(plain, directory)
        save_file(tensors, directory / "model.safetensors")
    config = json.loads((eight / "config.json").read_text())
    (eight / "config.json").write_text(json.dumps(config | {"quantize": True}))
    return plain, eight, written


@pytest.mark.parametrize("naming", ["packed", "split"])
@pytest.mark.parametrize("name", PRESETS)
def test_logits(name, naming, tmp_path, device):
    plain, eight, written = checkpoints(name, tmp_path, naming)
    codes = teacher_codes(LM[name])
    digest = hashlib.sha256((written / "model.safetensors").read_bytes()).hexdigest()
    theirs = reference_tensors(f"int8-{name}", plain, [codes, digest], lambda: reference.forward(
        reference.load_lm(written), codes, conditions(name)))

    def error(model, precision):
        ours = tool_tensors("forward", model, {"codes": codes}, device=device, precision=precision)
        return largest_error(ours, theirs)

    assert error(eight, "f32") < TOLERANCE[device]
    if device == "cpu":  # elsewhere integers are multiplied in bf16
        assert error(eight, "int8") < TOLERANCE[device]
        assert error(eight, "auto") < TOLERANCE[device]
        assert error(plain, "int8") < TOLERANCE[device]
        assert error(plain, "f32") > 5e-3


@pytest.mark.parametrize("what", ["weights", "keys and values"])
def test_embedded_model_says_the_same(what, tmp_path, device):
    """Top choices on its own conversation: at least 99 % those of full precision."""
    model, question = HERE.parents[1] / "models" / "little-moshi", HERE.parents[1] / "examples" / "question.wav"
    config = json.loads((model / "config.json").read_text())
    gst_moshi("encode", model, question, tmp_path / "codes.safetensors", device=device)
    heard = load_file(tmp_path / "codes.safetensors")["codes"][None, :config["n_q"] - config["dep_q"]]
    said = tool_tensors("generate", model, {"codes": heard}, "--greedy", device=device)["tokens"]
    columns = (said >= 0).all(1)[0].nonzero()[:, 0]
    codes = torch.cat([said, heard], 1)[:, :, columns]
    options, precision = ((), "int8") if what == "weights" else (("--streaming", "--kv-precision", "int8"), "f32")
    full = tool_tensors("forward", model, {"codes": codes}, device=device, precision="f32")
    eight = tool_tensors("forward", model, {"codes": codes}, *options, device=device, precision=precision)
    for prefix in ("", "text_"):
        mask = full[prefix + "mask"].bool()
        same = full[prefix + "logits"].argmax(-1)[mask] == eight[prefix + "logits"].argmax(-1)[mask]
        best = full[prefix + "logits"][mask].topk(2).values
        margin = (best[:, 0] - best[:, 1])
        error = (full[prefix + "logits"] - eight[prefix + "logits"])[mask].norm() / full[prefix + "logits"][mask].norm()
        print(f"{prefix or 'audio_'}logits, 8-bit {what}: same {same.double().mean():.4f} of {len(same)}, relative "
              f"error {error:.4f}, margins' 1st percentile "
              f"{margin.quantile(0.01):.3f}, median {margin.median():.3f}")
        assert same.double().mean() >= 0.99
