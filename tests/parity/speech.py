# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Speech for tests, synthesised by espeak-ng."""

import os
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

from sentences import SENTENCES


def synthesise(path, seconds, rate=24000):
    """Writes `seconds` of speech as a mono 16-bit wav file of that sample rate."""
    with tempfile.TemporaryDirectory() as scratch:
        spoken, resampled = Path(scratch, "spoken.wav"), Path(scratch, "resampled.wav")
        text = ". ".join(SENTENCES * (1 + int(seconds) // 40))
        # Without a sanitizer that is there for the plugin: espeak-ng hangs under it.
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        subprocess.run(["espeak-ng", "-v", "en", "-w", spoken, text], env=environment, check=True)
        subprocess.run(
            ["gst-launch-1.0", "-q", "filesrc", f"location={spoken}", "!", "wavparse", "!", "audioresample", "!",
             f"audio/x-raw,rate={rate}", "!", "wavenc", "!", "filesink", f"location={resampled}"], check=True)
        samples = np.frombuffer(_frames(resampled), "<i2")[: round(seconds * rate)]
    assert len(samples) == round(seconds * rate), "the sentences are too short"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", ""))
        out.writeframes(samples.tobytes())


def _frames(path):
    with wave.open(str(path)) as file:
        return file.readframes(file.getnframes())


def read(path):
    """The samples of a mono 16-bit wav file as float32 in [-1, 1)."""
    return np.frombuffer(_frames(path), "<i2").astype(np.float32) / 32768
