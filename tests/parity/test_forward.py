# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Teacher-forced logits against the reference's LMModel.forward."""

import pytest
import torch

import reference
from harness import checkpoint, reference_tensors, tool_tensors
from presets import LM

PRESETS = [name for name in LM if name != "depth_rms_norm"]
STEPS = 50  # longer than every preset's context
BATCH = 3
TOLERANCE = {"cpu": 2e-4, "cuda": 1e-3}
# On the CPU. One step at a time, sums run in another order.
TINY_TOLERANCE = {"offline": 2e-6, "streaming": 5e-6}


def teacher_codes(config, batch=BATCH, steps=STEPS):
    """Codes [batch, n_q + 1, steps] with a few initial tokens and zero tokens (-1) among them."""
    generator = torch.Generator().manual_seed(11)

    def stream(card):
        codes = torch.randint(card, (batch, 1, steps), generator=generator)
        special = torch.rand(codes.shape, generator=generator)
        return torch.where(special < 0.05, -1, torch.where(special > 0.97, card, codes))

    return torch.cat([stream(config["text_card"])] + [stream(config["card"]) for _ in range(config["n_q"])], 1)


def expected(name, codes):
    directory = checkpoint(name)

    def make():
        return reference.forward(reference.load_lm(directory), codes, conditions(name))

    return directory, reference_tensors(f"forward-{name}", directory, [codes], make)


def conditions(name):
    """Without a value the reference takes a condition's learnt padding."""
    return {condition: None for condition in LM[name].get("conditioners", {})}


def largest_error(ours, theirs):
    """Largest difference of logits where the reference's masks are set; checks masks, shapes and zeros elsewhere."""
    largest = 0.0
    for prefix in ("", "text_"):
        mask, logits = theirs[prefix + "mask"], theirs[prefix + "logits"]
        assert torch.equal(ours[prefix + "mask"], mask)
        assert ours[prefix + "logits"].shape == logits.shape
        assert (ours[prefix + "logits"][mask == 0] == 0).all()
        if mask.any():
            largest = max(largest, (ours[prefix + "logits"] - logits)[mask == 1].abs().max().item())
    return largest


@pytest.mark.parametrize("how", ["offline", "streaming"])
@pytest.mark.parametrize("name", PRESETS)
def test_logits(name, how, device):
    codes = teacher_codes(LM[name])
    directory, theirs = expected(name, codes)
    flags = ["--streaming"] if how == "streaming" else []
    ours = tool_tensors("forward", directory, {"codes": codes}, *flags, device=device)
    tolerance = TINY_TOLERANCE[how] if (name, device) == ("tiny", "cpu") else TOLERANCE[device]
    assert largest_error(ours, theirs) <= tolerance


@pytest.mark.parametrize("name", PRESETS)
def test_the_reference_agrees_with_itself(name):
    """Its own streaming evaluation is as close, so the tolerance leaves room for rounding only."""
    codes = teacher_codes(LM[name])
    directory, theirs = expected(name, codes)
    streamed = reference.forward_streaming(reference.load_lm(directory), codes, conditions(name))
    for key, value in streamed.items():
        finite = theirs[key].isfinite()
        assert (value - theirs[key])[finite].abs().max() <= (5e-6 if name == "tiny" else 2e-4)
    assert theirs["text_logits"].std() > 0.2 and (LM[name]["dep_q"] == 0 or theirs["mask"].float().mean() > 0.8)
