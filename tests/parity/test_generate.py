# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Greedy tokens against the reference's LMGen, exactly."""

import pytest
import torch

import reference
from harness import checkpoint, reference_tensors, tool_tensors
from presets import LM

STEPS = 60
BATCH = 3
# Logits of two sound implementations differ by about 1e-5: a choice closer than this proves nothing.
CLEAR = 1e-4
SCHEDULES = ["lock_step", "masked_and_reset"]
# What sessions are opened with where nothing is said (moshi/run_inference.py: get_condition_tensors).
DEFAULT_CONDITIONS = {"hibiki_small": {"description": "very_good"}}


def inputs(config, schedule, seed):
    """User codes [BATCH, n_q - dep_q, STEPS] and, unless in lock step, exec_mask and reset [STEPS, BATCH]."""
    generator = torch.Generator().manual_seed(seed)
    user = config["n_q"] - config["dep_q"]
    codes = torch.randint(config["card"], (BATCH, user, STEPS), generator=generator)
    codes[torch.rand(codes.shape, generator=generator) < 0.02] = config["card"]
    if schedule == "lock_step":
        return {"codes": codes}
    return {
        "codes": codes,
        "exec_mask": (torch.rand(STEPS, BATCH, generator=generator) < 0.7).to(torch.uint8),
        "reset": (torch.rand(STEPS, BATCH, generator=generator) < 0.04).to(torch.uint8),
    }


def case(name, schedule, **options):
    """A checkpoint, inputs and the reference's tokens, of the first seed whose choices are all clear."""
    directory = checkpoint(name)
    for seed in range(1, 20):
        given = inputs(LM[name], schedule, seed)

        def make():
            masks = {k: v.bool() for k, v in given.items() if k != "codes"}
            lm = reference.load_lm(directory)
            tokens, margin = reference.generate(lm, given["codes"], **masks, **options)
            return {"tokens": tokens, "margin": torch.tensor(margin)}

        result = reference_tensors(f"generate-{name}", directory, [*given.values(), options], make)
        if result["margin"] > CLEAR:
            return directory, given, result["tokens"]
    raise AssertionError("no seed gives choices that are all clear")


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", LM)
def test_tokens(name, schedule, device):
    directory, given, theirs = case(name, schedule, conditions=DEFAULT_CONDITIONS.get(name))
    ours = tool_tensors("generate", directory, given, "--greedy", device=device)["tokens"]
    assert len(theirs.unique()) > 8
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_guidance(schedule, device):
    """Classifier-free guidance doubles the batch: the null half has the opposite condition."""
    chosen = {"description": "good"}
    directory, given, theirs = case("hibiki_small", schedule, conditions=chosen, cfg_coef=3.0)
    ours = tool_tensors(
        "generate", directory, given, "--greedy", "--cfg-coef", "3", "--condition", "description=good", device=device)
    assert torch.equal(ours["tokens"], theirs)
    assert not torch.equal(theirs, case("hibiki_small", schedule, conditions=DEFAULT_CONDITIONS["hibiki_small"])[2])
