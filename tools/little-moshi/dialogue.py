# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Rows of conversation for the language model: several questions, each answered, some interrupted, some only noise."""

import numpy as np

from model import FRAME_SECONDS
from speech import SAMPLE_RATE

ROW_FRAMES = 300        # 24 s: most of a row is past what the model can look back to, as most of a long session is
TURNS = 7
REPLY_AFTER = 6         # frames from the end of the question to the reply's first (still silent) frame
STOP_AFTER = 6          # frames from the beginning of an interruption to silence
STOP_LATE, LATEST = 0.3, 5  # share of stops that come up to so many frames later: one that is missed is made up for
LONG = 25               # frames: replies as long are asked for more often, and interrupted most
LONG_SHARE = 0.15       # of the turns, beside those that are drawn
FAR = 10**6


class Dialogues:
    """Draws rows from a pool of questions whose replies are known."""

    def __init__(self, pool, replies, names, question_words):
        self.pool, self.reply_lengths = pool, replies["lengths"].numpy()
        self._reply_index = {name: index for index, name in enumerate(names)}
        self._word_index = {word: index for index, word in enumerate(question_words)}
        self._known = 0
        self._answers, self._long = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def _answer(self):
        """Index of the reply to each clip of the pool."""
        if self._known < len(self.pool):
            fresh = [self._reply_index[info["reply"]] for info in self.pool.infos[self._known:]]
            self._answers = np.concatenate([self._answers, np.array(fresh, np.int64)])
            self._known = len(self._answers)
            self._long = np.flatnonzero(self.reply_lengths[self._answers] > LONG)
        return self._answers

    def draw(self, rng, rows, frames=ROW_FRAMES):
        """-> dictionary: clips, starts (samples), rates, replies, reply_starts, cuts (all [rows, TURNS]),
        words [rows, frames] (index of the user's word that ended a moment ago, -1: none), silent [rows]"""
        answers = self._answer()
        out = {"clips": np.full((rows, TURNS), -1), "starts": np.zeros((rows, TURNS)), "rates": np.ones((rows, TURNS)),
               "replies": np.zeros((rows, TURNS), np.int64), "reply_starts": np.full((rows, TURNS), FAR),
               "cuts": np.full((rows, TURNS), frames), "words": np.full((rows, frames), -1)}
        out["silent"] = rng.random(rows) < 0.06
        for row in np.flatnonzero(~out["silent"]):
            self._fill(rng, out, row, answers, frames)
        return out

    def _fill(self, rng, out, row, answers, frames):
        rate = float(np.clip(np.exp(rng.normal(0, 0.13)), 0.72, 1.38)) if rng.random() < 0.75 else 1.0
        at = rng.uniform(0.1, 2.0) if rng.random() < 0.8 else rng.uniform(2.0, 8.0)  # seconds
        voice = None
        for turn in range(TURNS):
            asked_long = len(self._long) and rng.random() < LONG_SHARE
            clip = int(rng.choice(self._long) if asked_long else rng.integers(self._known))
            if at + self.pool.length[clip] / rate / SAMPLE_RATE > frames * FRAME_SECONDS - 0.2:
                break
            end = at + self.pool.speech_end[clip] / rate
            out["clips"][row, turn], out["starts"][row, turn], out["rates"][row, turn] = clip, round(at * SAMPLE_RATE), rate
            for word, _, word_end in self.pool.infos[clip]["words"]:
                frame = int((at + word_end / rate) / FRAME_SECONDS) + 2
                if frame < frames and word in self._word_index:
                    out["words"][row, frame] = self._word_index[word]
            first = int(np.ceil(end / FRAME_SECONDS)) + REPLY_AFTER
            length = int(self.reply_lengths[answers[clip]])
            out["replies"][row, turn], out["reply_starts"][row, turn] = answers[clip], first
            # The user speaks again before the reply ends, most often where it is long.
            if length > 12 and rng.random() < (0.6 if length > LONG else 0.2):
                begin = first + int(rng.integers(4, length - 4))
                late = int(rng.integers(1, LATEST + 1)) if rng.random() < STOP_LATE else 0
                out["cuts"][row, turn] = begin + STOP_AFTER + late
                at = (begin + rng.random()) * FRAME_SECONDS
            else:
                pause = rng.exponential(0.8) if rng.random() < 0.6 else rng.uniform(1.0, 9.0)
                at = (first + length) * FRAME_SECONDS + pause + 0.1
