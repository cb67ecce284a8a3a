# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes what the reference computes on the way, for finding where another implementation departs.

  dump.py mimi CHECKPOINT IN.wav OUT.safetensors        every frame of a stream, stage by stage
  dump.py lm CHECKPOINT CODES.safetensors OUT.safetensors    `codes` [B, n_q + 1, T], layer by layer
"""

import sys

import torch
from safetensors.torch import load_file, save_file

import reference
import speech
from harness import whole_frames


class Outputs:
    """Collects the outputs of chosen modules, joined over time."""

    def __init__(self, modules, time_axis):
        self.values, self.time_axis = {}, time_axis
        for name, module in modules.items():
            module.register_forward_hook(lambda _module, _inputs, output, name=name: self.add(name, output))

    def add(self, name, output):
        output = output[0] if isinstance(output, (list, tuple)) else output
        self.values.setdefault(name, []).append(output.clone())

    def joined(self):
        return {name: torch.cat(values, self.time_axis).contiguous() for name, values in self.values.items()}


@torch.no_grad()
def dump_mimi(directory, wav):
    mimi = reference.checkpoint(directory).get_mimi()
    modules = {name: module for name, module in mimi.named_children() if name != "quantizer"}
    modules |= {f"encoder.{i}": layer for i, layer in enumerate(mimi.encoder.model)}
    modules |= {f"decoder.{i}": layer for i, layer in enumerate(mimi.decoder.model)}
    outputs = Outputs(modules, time_axis=2)
    codes = []
    with mimi.streaming(1):
        for frame in whole_frames(torch.from_numpy(speech.read(wav)), mimi.frame_size).split(mimi.frame_size, dim=2):
            codes.append(mimi.encode(frame))
            outputs.add("latent", mimi.decode_latent(codes[-1]))
            mimi.decode(codes[-1])
    return outputs.joined() | {"codes": torch.cat(codes, 2)}


@torch.no_grad()
def dump_lm(directory, codes):
    lm = reference.load_lm(directory)
    modules = {"hidden": lm.out_norm}
    modules |= {f"layer.{i}": layer for i, layer in enumerate(lm.transformer.layers)}
    outputs = Outputs(modules, time_axis=1)
    conditions = {name: None for name in (lm.condition_provider.conditioners if lm.condition_provider else [])}
    return reference.forward(lm, codes, conditions) | outputs.joined()


if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[1] not in ("mimi", "lm"):
        sys.exit(__doc__)
    _, what, directory, source, target = sys.argv
    save_file(dump_mimi(directory, source) if what == "mimi" else dump_lm(directory, load_file(source)["codes"]), target)
