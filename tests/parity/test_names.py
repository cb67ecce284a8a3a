# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""All ways a checkpoint's tensors may be named and spread over files load to the same model."""

import pytest
import torch
from safetensors.torch import load_file

import reference
from harness import checkpoint, gst_moshi, spoken, tool_tensors
from presets import LM
from test_forward import teacher_codes

NAME = "hibiki_small"  # has everything that is named: weight sets, low rank, conditioners
VARIANTS = {
    "split": {"naming": "split"},
    "joint": {"naming": "joint"},
    "legacy_sum": {"naming": "legacy_sum"},
    "legacy_avg": {"naming": "legacy_avg"},
    "shards": {"shards": 3},
    "file_urls": {"absolute_urls": True},
}


def results(directory, scratch):
    """Logits of fixed codes and codes of fixed speech."""
    wav, _ = spoken(2.5)
    gst_moshi("encode", directory, wav, scratch / "codes.safetensors")
    logits = tool_tensors("forward", directory, {"codes": teacher_codes(LM[NAME], batch=1, steps=6)})
    return logits | load_file(scratch / "codes.safetensors")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return results(checkpoint(NAME), tmp_path_factory.mktemp("published"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_same_results(variant, published, tmp_path):
    ours = results(checkpoint(NAME, **VARIANTS[variant]), tmp_path)
    assert ours.keys() == published.keys()
    for key, value in published.items():
        assert torch.equal(ours[key], value), key


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "shards"])
def test_the_reference_loads_them_too(variant):
    expected = reference.load_lm(checkpoint(NAME)).state_dict()
    info = reference.checkpoint(checkpoint(NAME, **VARIANTS[variant]))
    info.get_mimi()
    loaded = info.get_moshi(dtype=torch.float32).state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[key], expected[key]) for key in expected)


def test_half_precision_files(tmp_path):
    """Published language models are stored as bf16; the file's values count, whatever is computed with."""
    directory = checkpoint(NAME, dtype="bfloat16")
    codes = teacher_codes(LM[NAME], batch=1, steps=6)
    theirs = reference.forward(reference.load_lm(directory), codes, {"description": None})
    ours = tool_tensors("forward", directory, {"codes": codes})
    seen = theirs["mask"] == 1
    assert (ours["logits"] - theirs["logits"])[seen].abs().max() <= 2e-4
