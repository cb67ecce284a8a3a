# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""All ways a checkpoint's tensors may be named and spread over files load to the same model."""

import json
import sys

import pytest
import torch
from safetensors.torch import load_file

import reference
from harness import HERE, checkpoint, gst_moshi, run, spoken, tool_tensors
from presets import LM
from test_forward import largest_error, teacher_codes

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


@pytest.mark.parametrize("preset", ["demo", "hibiki", "stt"])
def test_checkpoints_of_the_project_are_the_references_too(preset, tmp_path):
    """What scripts/make-random-checkpoint writes is a checkpoint for the reference."""
    script = HERE.parent.parent / "scripts" / "make-random-checkpoint"
    run([sys.executable, script, "--preset", preset, "--out", tmp_path])
    config = json.loads((tmp_path / "config.json").read_text())
    codes = teacher_codes(config, batch=1, steps=6)
    conditions = {name: None for name in config.get("conditioners", {})}
    theirs = reference.forward(reference.load_lm(tmp_path), codes, conditions)
    assert largest_error(tool_tensors("forward", tmp_path, {"codes": codes}), theirs) <= 2e-4
    reference.checkpoint(tmp_path).get_mimi()


def test_half_precision_files():
    """Published language models are stored as bf16; the file's values count, whatever is computed with."""
    directory = checkpoint(NAME, dtype="bfloat16")
    codes = teacher_codes(LM[NAME], batch=1, steps=6)
    theirs = reference.forward(reference.load_lm(directory), codes, {"description": None})
    ours = tool_tensors("forward", directory, {"codes": codes})
    assert largest_error(ours, theirs) <= 2e-4
