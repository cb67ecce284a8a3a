# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Moshi's replies as codes and text tokens, frame by frame.

A reply's first frame is the end-of-padding token over silence; its audio starts with the second.
"""

import numpy as np
import torch

from data import level_gains
from model import END_PAD, FRAME, FRAME_SECONDS, PAD

LEAD = 40               # silent frames before a reply when it is encoded: more than the encoder remembers
TAIL = 3                # frames kept after a reply's last sample, while the encoder still remembers it
LEVEL_DB = -20.0


def moshi_gains(pool, clips):
    return level_gains(np.random.default_rng(0), pool, clips, LEVEL_DB, LEVEL_DB)


@torch.no_grad()
def encode_replies(mimi, pool):
    """-> {"codes": [replies, frames, codebooks], "lengths": [replies], "silence": [codebooks]}, on the CPU"""
    count = len(pool)
    frames = -(-int(pool.length.max()) // FRAME) + TAIL
    parts = []
    for begin in range(0, count, 32):
        clips = np.arange(begin, min(count, begin + 32))[:, None]
        starts = np.full(clips.shape, LEAD * FRAME)
        wave = pool.waves(clips, starts, np.ones(clips.shape), moshi_gains(pool, clips), (LEAD + frames) * FRAME)
        parts.append(mimi.encode(wave[:, None])[:, :, LEAD:].transpose(1, 2).cpu())
    silent = mimi.encode(torch.zeros(1, 1, 4 * LEAD * FRAME, device=pool.device))[0, :, -LEAD:].cpu()
    silence = silent.mode(1).values
    codes = torch.cat(parts)
    codes = torch.cat([silence.expand(count, 1, -1), codes], 1)
    lengths = torch.from_numpy(-(-pool.length // FRAME) + TAIL + 1)
    return {"codes": codes, "lengths": lengths, "silence": silence}


def reply_texts(pool, tokenizer, frames):
    """Text tokens [replies, frames]: each word where it is heard, the end of padding before it where there is room."""
    table = np.full((len(pool), frames), PAD)
    for row, info in enumerate(pool.infos):
        last = -1
        for word, start, _ in info["words"]:
            at = max(last + 1, 1 + int(start / FRAME_SECONDS))
            if at - 1 > last:
                table[row, at - 1] = END_PAD
            for token in tokenizer.encode(word):
                table[row, at] = token
                at += 1
            last = at - 1
    return torch.from_numpy(table)


def paste(table, rows, starts, cuts, frames, empty):
    """Lay rows of a table [replies, L, ...] into [B, frames, ...] filled with `empty`.

    rows, starts, cuts: [B, K] tensors on the table's device; slot k shows table[rows[b, k]] from frame starts[b, k] on,
    and ends before frame cuts[b, k].
    """
    batch = rows.shape[0]
    axis = torch.arange(frames, device=table.device)
    out = empty.expand(batch, frames, *table.shape[2:]).clone()
    for k in range(rows.shape[1]):
        at = axis - starts[:, k:k + 1]
        inside = (at >= 0) & (axis < cuts[:, k:k + 1])
        found = table[rows[:, k:k + 1], at.clamp(0, table.shape[1] - 1)]
        inside = inside & (at < table.shape[1])
        out = torch.where(inside.view(batch, frames, *[1] * (table.ndim - 2)), found, out)
    return out
