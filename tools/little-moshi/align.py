# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Times of one reading of a text in another reading of it: dynamic time warping of cepstra.

Gives phone times to synthesisers (and people) that tell none, from a synthesiser that does.
"""

import numpy as np

RATE = 24000
WINDOW, HOP, FFT, BANDS, CEPSTRA = 600, 240, 1024, 26, 14
SECONDS = HOP / RATE
STEPS = (0.25, 0.0, 0.25, 0.6)  # cost of moving on by 0, 1, 2 or 3 frames of the known reading


def _filters():
    to_mel = lambda f: 2595 * np.log10(1 + f / 700)
    edges = 700 * (10 ** (np.linspace(to_mel(120), to_mel(7000), BANDS + 2) / 2595) - 1)
    hertz = np.linspace(0, RATE / 2, FFT // 2 + 1)
    rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(np.minimum(rising, falling), 0).T.astype(np.float32)


_MEL = _filters()
_COSINES = np.cos(np.pi / BANDS * (np.arange(BANDS)[:, None] + 0.5) * np.arange(CEPSTRA)).astype(np.float32)


def features(pcm):
    """[frames, 2 * CEPSTRA]: cepstra and their slopes, each with mean 0 and variance 1."""
    wave = np.pad(pcm.astype(np.float32), (WINDOW // 2, WINDOW // 2 + HOP))
    frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP] * np.hanning(WINDOW).astype(np.float32)
    energy = np.abs(np.fft.rfft(frames, FFT)).astype(np.float32) @ _MEL
    cepstra = np.log(energy + 0.003 * energy.max() + 1) @ _COSINES
    cepstra = (cepstra - cepstra.mean(0)) / (cepstra.std(0) + 1e-3)
    padded = np.pad(cepstra, ((2, 2), (0, 0)), mode="edge")
    slopes = (padded[3:-1] - padded[1:-3] + 2 * (padded[4:] - padded[:-4])) / 5
    return np.concatenate([cepstra, slopes], 1)


def warp(known, other):
    """known, other: int16 at RATE. -> (function from times in `known` to times in `other`, mean cost of a frame)"""
    a, b = features(other), features(known)
    cost = np.sqrt(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0)) / np.sqrt(a.shape[1])
    rows, columns = cost.shape
    total = np.full(columns + 3, np.inf, np.float32)
    total[3] = cost[0, 0]
    moves = np.zeros((rows, columns), np.int8)
    for row in range(1, rows):
        ways = np.stack([total[3 - step:columns + 3 - step] + STEPS[step] for step in range(4)])
        moves[row] = ways.argmin(0)
        total[3:] = ways.min(0) + cost[row]
    path = np.empty(rows, int)
    column = columns - 1
    for row in range(rows - 1, -1, -1):
        path[row] = column
        column -= int(moves[row, column])
    # A time of `known` is where the path first reaches its frame; between frames it is interpolated.
    reached, first = np.unique(path, return_index=True)
    last = np.append(first[1:], rows) - 1
    middle = (first + last) / 2
    return (lambda times: np.interp(np.asarray(times) / SECONDS, reached, middle) * SECONDS), total[-1] / rows
