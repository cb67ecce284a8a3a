# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""What the parity tests share: cached checkpoints, speech and reference results, and running our programs."""

import functools
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import checkpoints
import speech
from presets import preset

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("GST_MOSHI_PARITY_CACHE", HERE.parent.parent / "build" / "parity"))
TOOL = os.environ.get("GST_MOSHI", "gst-moshi")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}


# ------------------------------------------------------------------------------------------- cache

@functools.cache
def _versions(*sources):
    texts = [(HERE / source).read_text() for source in sources]
    return texts + [importlib.metadata.version(package) for package in ("moshi", "torch")]


def _entry(kind, sources, key):
    """Path of a cache entry: changes with the sources, the packages and the key."""
    text = json.dumps([kind, _versions(*sources), key], sort_keys=True, default=str)
    CACHE.mkdir(parents=True, exist_ok=True)
    return CACHE / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _made(path, make):
    """`path`, made by make(scratch path) if it is not there; never half made."""
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            scratch = Path(scratch, path.name)
            make(scratch)
            try:
                scratch.rename(path)
            except OSError:  # another process may have been first
                if not path.exists():
                    raise
    return path


def checkpoint(name, **options):
    """Directory of a random checkpoint; options as checkpoints.write_checkpoint."""
    path = _entry(f"checkpoint-{name}", ("checkpoints.py", "sentences.py"), [preset(name), options])
    if options.get("absolute_urls"):  # these name their own place
        shutil.rmtree(path, ignore_errors=True)
        return checkpoints.write_checkpoint(name, path, **options)
    return _made(path, lambda scratch: checkpoints.write_checkpoint(name, scratch, **options))


def spoken(seconds, rate=24000):
    """(path, samples [n] f32) of a wav file with speech."""
    path = _entry("speech", ("speech.py", "sentences.py"), [seconds, rate])
    path = path.with_name(path.name + ".wav")
    _made(path, lambda scratch: speech.synthesise(scratch, seconds, rate))
    return path, torch.from_numpy(speech.read(path))


def reference_tensors(kind, model, inputs, make):
    """The dict of tensors make() gives, from the cache where it was made before of the same model and inputs."""
    digests = [hashlib.sha256(i.numpy().tobytes()).hexdigest() if isinstance(i, torch.Tensor) else i for i in inputs]
    path = _entry(kind, ("reference.py",), [model.name, digests])
    _made(path, lambda scratch: save_file({k: v.contiguous() for k, v in make().items()}, scratch))
    return load_file(path)


# ---------------------------------------------------------------------------------------- programs

def run(command, timeout=600, **options):
    """Runs a program that must succeed; returns its standard output."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, timeout=timeout, env=ENVIRONMENT, **options)
    assert done.returncode == 0, f"{command}: exit status {done.returncode}: {done.stderr.decode()}"
    return done.stdout


def gst_moshi(command, model, *arguments, device="cpu", precision="f32"):
    """Runs the tool on a model."""
    if command in ("talk", "forward", "generate"):
        arguments += ("--precision", precision)
    return run([TOOL, command, *arguments, "--model", model, "--device", device])


def gst_launch(*pipeline):
    return run(["gst-launch-1.0", "-q", *pipeline])


def tool_tensors(command, model, inputs, *arguments, **options):
    """Runs `forward` or `generate` on a dict of tensors; returns the dict it writes."""
    with tempfile.TemporaryDirectory() as scratch:
        source, result = Path(scratch, "in.safetensors"), Path(scratch, "out.safetensors")
        save_file({k: v.contiguous() for k, v in inputs.items()}, source)
        gst_moshi(command, model, "--input", source, "--output", result, *arguments, **options)
        return load_file(result)


# ---------------------------------------------------------------------------------------- measures

def snr(ours, expected):
    """Signal to noise ratio in dB of `ours` against `expected`."""
    noise = (ours.double() - expected.double()).pow(2).sum()
    return float("inf") if noise == 0 else (10 * torch.log10(expected.double().pow(2).sum() / noise)).item()


def whole_frames(samples, frame_size):
    """The samples with the last frame filled with zeros, as [1, 1, n]."""
    return torch.nn.functional.pad(samples, (0, -len(samples) % frame_size))[None, None]
