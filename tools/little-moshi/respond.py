# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Hold one-turn conversations with the reference package's own generator, many at a time."""

import os

os.environ.setdefault("NO_CUDA_GRAPH", "1")

import numpy as np
import torch
from moshi.models.lm import LMGen

from data import level_gains
from model import END_PAD, FRAME, HEARD, PAD
from speech import SAMPLE_RATE

LISTEN = 0.6      # seconds of silence before the question
ANSWER = 5.0      # seconds for the reply


@torch.no_grad()
def converse(mimi, lm, waves):
    """waves [B, samples] -> tokens [B, 1 + codebooks, frames], step by step and greedy.

    The first token frame comes after the second audio frame. Sets the codec's codebooks to those that are heard.
    """
    mimi.set_num_codebooks(HEARD)
    codes = torch.cat([mimi.encode(part[:, None]) for part in waves.split(32)])
    generator = LMGen(lm, use_sampling=False)
    steps = []
    with generator.streaming(len(waves)):
        for frame in range(codes.shape[2]):
            tokens = generator.step(codes[:, :, frame:frame + 1])
            if tokens is not None:
                steps.append(tokens)
    return torch.cat(steps, 2)


def text_of(tokens, tokenizer):
    """The words of one text stream, a list of token ids."""
    return "".join(tokenizer.id_to_piece(int(t)) for t in tokens if t not in (PAD, END_PAD)).replace("\u2581", " ").strip()


def question_waves(pool, clips, level_db=-20.0):
    """Each clip after LISTEN seconds, with ANSWER seconds after it. -> [B, samples]"""
    clips = np.asarray(clips)[:, None]
    frames = int(np.ceil((pool.length[clips].max() / SAMPLE_RATE + LISTEN + ANSWER) * SAMPLE_RATE / FRAME))
    gains = level_gains(np.random.default_rng(0), pool, clips, level_db, level_db)
    return pool.waves(clips, np.full(clips.shape, LISTEN * SAMPLE_RATE), np.ones(clips.shape), gains, frames * FRAME)


def answer_questions(mimi, lm, tokenizer, pool, clips):
    """The text of each reply."""
    tokens = converse(mimi, lm, question_waves(pool, clips))
    return [text_of(row, tokenizer) for row in tokens[:, 0].tolist()]
