# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""What the training scripts share: time budget, learning rate, checkpoints, captured steps."""

import math
import os
import time
from pathlib import Path

import torch


class Budget:
    """Training for a number of seconds; `progress` runs from 0 to 1, and `due` tells when to do something again."""

    def __init__(self, seconds):
        self.seconds, self._start, self._last = seconds, time.time(), {}

    @property
    def elapsed(self):
        return time.time() - self._start

    @property
    def progress(self):
        return min(1.0, self.elapsed / self.seconds)

    def due(self, name, every):
        if self.elapsed - self._last.get(name, 0.0) < every:
            return False
        self._last[name] = self.elapsed
        return True


def learning_rate(step, progress, peak, warmup=100):
    """Linear warm-up, then half a cosine down to a fiftieth of the peak."""
    return peak * min(1.0, (step + 1) / warmup) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * progress)))


def set_learning_rate(optimizer, value):
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(value)
        else:
            group["lr"] = value


def save(path, **state):
    """Write a checkpoint so that a reader or a killed run never leaves half a file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def log(**figures):
    print("  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in figures.items()), flush=True)


class Captured:
    """Runs `function(*tensors)` as a CUDA graph, since small models are bound by launches; eagerly on a CPU.

    The function must only read its arguments and modules, not synchronise, and return tensors (or a tuple of them).
    """

    def __init__(self, function, device):
        self._function, self._graph = function, None
        self._enabled = torch.device(device).type == "cuda"
        self._calls = 0

    def __call__(self, *tensors):
        if not self._enabled:
            return self._function(*tensors)
        self._calls += 1
        if self._calls <= 3:  # warm up, so that cuDNN has chosen and optimizers have their state
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                result = self._function(*tensors)
            torch.cuda.current_stream().wait_stream(stream)
            return result
        if self._graph is None:
            self._inputs = [t.clone() for t in tensors]
            self._graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(self._graph):
                    self._outputs = self._function(*self._inputs)
            except RuntimeError as error:
                print(f"not captured, running step by step: {error}", flush=True)
                self._enabled, self._graph = False, None
                torch.cuda.synchronize()
                return self._function(*tensors)
        for static, fresh in zip(self._inputs, tensors):
            static.copy_(fresh)
        self._graph.replay()
        return self._outputs
