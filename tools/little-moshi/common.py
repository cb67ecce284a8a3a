# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""What the training scripts share: time budget, learning rate, checkpoints, captured steps."""

import math
import os
import time
from pathlib import Path

import torch
from torch import distributed


def settle_backends():
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark, torch.backends.cudnn.benchmark_limit = True, 3


def wait_for(path, meanwhile=lambda: None, seconds=900):
    """The path, once there is such a file: a stage may be started before the one that it builds on has ended."""
    until = time.time() + seconds
    while not Path(path).exists():
        if time.time() > until:
            raise RuntimeError(f"{path} did not come")
        meanwhile()
        time.sleep(0.2)
    return path


class Budget:
    """Training for a number of seconds; `progress` runs from 0 to 1, and `due` tells when to do something again.

    until: a clock time, in seconds as `date +%s` gives them, at which to be at the end in any case.
    """

    def __init__(self, seconds, until=None):
        self._start, self._last = time.time(), {}
        self.seconds = seconds if until is None else max(1.0, min(seconds, until - self._start))

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


class Together:
    """The processes that torchrun started, one a GPU; alone without it."""

    def __init__(self, device):
        self.rank, self._count = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        if self._count > 1:
            if device.type == "cuda":
                torch.cuda.set_device(device)
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
            self._clocks = distributed.new_group(backend="gloo")

    def progress(self, value):
        """The first process's value in all of them. Goes through the CPU, so that no GPU is waited for."""
        if self._count == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64)
        distributed.broadcast(shared, 0, group=self._clocks)
        return float(shared)

    def average(self, tensors):
        """Make each tensor its mean over the processes, in one message."""
        if self._count == 1:
            return
        flat = torch.cat([t.reshape(-1) for t in tensors])
        distributed.all_reduce(flat)
        flat /= self._count
        torch._foreach_copy_(tensors, [part.view_as(t) for part, t in
                                       zip(flat.split([t.numel() for t in tensors]), tensors)])
