# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Running gst-moshi, and small files for it."""
import array
import math
import os
import pathlib
import subprocess
import wave

import numpy as np
from safetensors.numpy import load_file, save_file

RATE = 24000
FRAME = 1920
DEMO = pathlib.Path(os.environ["MODEL_DEMO"])
HIBIKI = pathlib.Path(os.environ["MODEL_HIBIKI"])
STT = pathlib.Path(os.environ["MODEL_STT"])


def run(*arguments, cwd=None, env=None):
    """The finished process; stdout and stderr as text."""
    command = [os.environ["GST_MOSHI_TOOL"], *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, check=False)


def succeed(*arguments, **options):
    """Runs, expects success without a word on stderr, and returns stdout."""
    done = run(*arguments, **options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def tone(samples, rate=RATE, pitch=220.0):
    """A voice-like sound as int16: a few harmonics with a slow beat."""
    return [int(6000 * sum(math.sin(2 * math.pi * pitch * h * i / rate) / h for h in (1, 2, 3))
                * (0.6 + 0.4 * math.sin(2 * math.pi * 3 * i / rate))) for i in range(samples)]


def write_wav(path, *channels, rate=RATE):
    """Writes int16 channels of equal length."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(array.array("h", [sample for column in zip(*channels) for sample in column]).tobytes())
    return path


def read_wav(path):
    """(rate, int16 samples [channels, samples])."""
    with wave.open(str(path), "rb") as file:
        assert file.getsampwidth() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return file.getframerate(), samples.reshape(-1, file.getnchannels()).T


def save(path, **tensors):
    # safetensors writes an array's memory as it lies, views included.
    save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, str(path))
    return path


load = load_file
