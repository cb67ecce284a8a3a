# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""bf16 against the reference's float32, held to what the reference's own bf16 loses."""

import pytest
import torch

import reference
from harness import checkpoint, reference_tensors, tool_tensors
from presets import LM
from test_forward import conditions, teacher_codes

PRESETS = ["moshi7b_small", "hibiki_small", "sin_layernorm", "gqa", "stt_small"]


def figures(logits, exact, mask):
    """(rate of equal first choices, mean KL divergence from `exact`) where the mask is set."""
    ours, theirs = logits[mask == 1].double(), exact[mask == 1].double()
    same = (ours.argmax(-1) == theirs.argmax(-1)).double().mean().item()
    ours, theirs = ours.log_softmax(-1), theirs.log_softmax(-1)
    return same, (theirs.exp() * (theirs - ours)).sum(-1).mean().item()


@pytest.mark.parametrize("name", PRESETS)
def test_spread(name, device):
    codes = teacher_codes(LM[name])
    directory = checkpoint(name, dtype="bfloat16")

    def make(dtype, where):
        return reference.forward(reference.load_lm(directory, dtype, where), codes, conditions(name))

    exact = reference_tensors(f"bf16-{name}", directory, ["f32", codes], lambda: make(torch.float32, "cpu"))
    eager = reference_tensors(f"bf16-{name}", directory, ["bf16", device, codes], lambda: make(torch.bfloat16, device))
    ours = tool_tensors("forward", directory, {"codes": codes}, device=device, precision="bf16")
    for prefix, least_same in [("text_", 0.97), ("", 0.95)]:
        mask = exact[prefix + "mask"]
        assert torch.equal(ours[prefix + "mask"], mask)
        if not mask.any():
            continue
        their_same, their_divergence = figures(eager[prefix + "logits"], exact[prefix + "logits"], mask)
        same, divergence = figures(ours[prefix + "logits"], exact[prefix + "logits"], mask)
        print(f"{name} {prefix}logits: same {same:.4f} (reference {their_same:.4f}), "
              f"KL {divergence:.2e} (reference {their_divergence:.2e})")
        assert same >= min(least_same, 1 - 2 * (1 - their_same))
        assert divergence <= max(1e-2, 2 * their_divergence)
        assert divergence > 1e-9, "nothing was computed in bf16"
