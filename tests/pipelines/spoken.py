# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Whether words were heard: by their likeness to the same words without a network."""
import json

import numpy as np

import tool
from chat import RATE, question


def spectrum(samples):
    """Logarithmic energies in 24 bands, 100 times a second."""
    hop, window = RATE // 100, 512
    pieces = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop] * np.hanning(window)
    energies = np.abs(np.fft.rfft(pieces))[:, 1:193].reshape(len(pieces), 24, 8).sum(2)
    return np.log(energies + 0.05)


def likeness(sound, word):
    """How much the most similar part of `sound` is like `word`, 1 at most."""
    def normal(part):
        part = part - part.mean()
        return part / (np.linalg.norm(part) + 1e-9)
    there, sought = spectrum(sound), normal(spectrum(word))
    return max(float((normal(there[i:i + len(sought)]) * sought).sum()) for i in range(len(there) - len(sought)))


def spoken_words(tmp_path, file):
    """The sound of each word in the model's reply to a file."""
    said = json.loads(tool.succeed("talk", file, tmp_path / "reply.wav", "--greedy", "--json"))["words"]
    reply = question(tmp_path / "reply.wav")
    return {word["text"]: reply[int(word["start"] * RATE):int((word["end"] + 0.3) * RATE)] for word in said}
