# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Speak questions into a folder for as long as the training reads them.

The folder (best in memory, /dev/shm) gets `moshi.npz`, Moshi's replies in its own voice, then `test-*.npz`, then
`train-*.npz` without end: each appears whole, under its final name, when it can be read.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import numpy as np

import domain
import voices
from opus import Opus
from synthesisers import Flite, engines

CHUNK = 256
TESTS = ("known", "espeak", "slt")  # files test-*: known voices, and two kinds of unheard ones
TEST_PER_SET = 384
THROUGH_OPUS = 0.2  # share of the training's questions that came over a line with Opus


def write_chunk(path, utterances):
    """utterances: (Utterance, info dictionary). Readers see the file only when it is complete."""
    infos = [info | {"words": utterance.words} for utterance, info in utterances]
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, pcm=np.concatenate([u.pcm for u, _ in utterances]),
             labels=np.concatenate([u.labels for u, _ in utterances]),
             pcm_lengths=np.array([len(u.pcm) for u, _ in utterances]),
             label_lengths=np.array([len(u.labels) for u, _ in utterances]),
             infos=np.frombuffer(json.dumps(infos).encode(), np.uint8))
    os.replace(partial, path)


def read_chunk(path):
    """-> (pcm, labels, pcm_lengths, label_lengths, infos)"""
    with np.load(path) as data:
        infos = json.loads(data["infos"].tobytes())
        return data["pcm"], data["labels"], data["pcm_lengths"], data["label_lengths"], infos


def _phones(words):
    flite = Flite()
    return {word: flite.phones(word) for word in words}


def make_lexicon(jobs):
    """Phones of every word that either side can say."""
    every = sorted({w for _, q in ((0, q) for q in domain.UNKNOWN) for w in domain.words(q)} |
                   set(domain.question_words()) | set(domain.reply_words()) | set(domain.CAPITALS))
    with multiprocessing.Pool(jobs) as pool:
        parts = pool.map(_phones, [every[i::jobs] for i in range(jobs)])
    return {word: phones for part in parts for word, phones in part.items()}


def speak_replies(lexicon):
    """Each possible reply, once, in Moshi's voice."""
    flite = Flite()
    spoken = [(flite.synthesise(reply, voices.MOSHI_VOICE.split(":")[1], lexicon, 1.0), reply)
              for reply in domain.replies()]
    missing = [reply for utterance, reply in spoken if utterance is None]
    if missing:
        raise RuntimeError(f"the synthesiser's words do not match the text of {missing}")
    return [(utterance, {"reply": reply, "voice": voices.MOSHI_VOICE}) for utterance, reply in spoken]


def _speak_replies(path, lexicon):
    write_chunk(path, speak_replies(lexicon))


def speak_question(rng, lexicon, spoken_by, test=None):
    """One question. test: None for training, or one of TESTS."""
    while True:
        topic, question, reply = domain.draw(rng)
        held_out = test if test in ("espeak", "slt") else None
        voice, speak = voices.draw_voice(rng, held_out)
        if not held_out and domain.is_held_out(question, voice) != (test == "known"):
            continue
        utterance = speak(spoken_by, question, lexicon)
        if utterance is not None:
            return utterance, {"topic": topic, "question": question, "reply": reply, "voice": voice}


def _work(folder, lexicon, seed, until, limit, test):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(5)
    rng = random.Random(seed)
    spoken_by, opus = engines(), Opus()
    name = f"test-{test}" if test else "train"
    chunk = 0
    while time.time() < until and chunk < limit:
        utterances = [speak_question(rng, lexicon, spoken_by, test) for _ in range(TEST_PER_SET if test else CHUNK)]
        if not test:
            for utterance, _ in utterances:
                if rng.random() < THROUGH_OPUS:
                    utterance.pcm = opus.through(utterance.pcm, rng.randrange(10000, 24000))
        write_chunk(folder / f"{name}-{seed}-{chunk}.npz", utterances)
        chunk += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=max(1, os.cpu_count() - 2))
    parser.add_argument("--seconds", type=float, default=250)
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other questions and voices")
    parser.add_argument("--chunks", type=int, default=10**9, help="files of 256 questions a job, at most")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    until = time.time() + options.seconds
    lexicon = make_lexicon(options.jobs)
    tasks = [(options.folder, lexicon, 7 + index, until + 60, 1, test) for index, test in enumerate(TESTS)]
    tasks += [(options.folder, lexicon, options.seed * 1000 + job, until, options.chunks, None)
              for job in range(options.jobs)]
    workers = [multiprocessing.Process(target=_work, args=task) for task in tasks]
    workers.append(multiprocessing.Process(target=_speak_replies, args=(options.folder / "moshi.npz", lexicon)))

    def end(*_):
        for worker in workers:
            worker.terminate()

    signal.signal(signal.SIGTERM, end)
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
