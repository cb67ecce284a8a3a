# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Make the 20 spoken questions of the test suite: Ogg Opus files and questions.json, what is asked and answered.

Questions as evaluate.py draws them, of every topic and of known and unheard voices, the 20 first that the model answers
right through `gst-moshi talk --greedy`: a change that loses one of them has broken something.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import domain
from evaluate import make_questions, save_wave
from speech import SAMPLE_RATE

COUNT = 20
LEVEL = 0.1  # RMS
BEFORE, AFTER = 0.5, 4.0  # seconds of silence; counting to ten takes nearly all


def in_turns(sets):
    """Topics in turns, each from the set that has most left: the first 20 hold all topics and all sets."""
    left = [question for question in zip(*sets.values()) for question in question]
    used = dict.fromkeys(sets, 0)
    set_of = {id(question): name for name, questions in sets.items() for question in questions}
    while left:
        for topic in domain.TOPICS:
            found = [question for question in left if question[0]["topic"] == topic]
            if found:
                best = min(found, key=lambda question: used[set_of[id(question)]])
                used[set_of[id(best)]] += 1
                left = [question for question in left if question is not best]
                yield best


def padded(pcm):
    clip = pcm / 32768
    clip = clip * (LEVEL / np.sqrt((clip**2).mean()))
    return np.concatenate([np.zeros(int(BEFORE * SAMPLE_RATE)), clip, np.zeros(int(AFTER * SAMPLE_RATE))])


def encode(wave, path):
    with tempfile.TemporaryDirectory() as folder:
        save_wave(f"{folder}/in.wav", wave, SAMPLE_RATE)
        subprocess.run(["gst-launch-1.0", "-q", *f"filesrc location={folder}/in.wav ! wavparse ! audioconvert ! opusenc "
                        f"bitrate=24000 bitrate-type=vbr ! oggmux ! filesink location={path}".split()], check=True)


def answer(options, path):
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run([options.command, "talk", path, f"{folder}/out.wav", "--model", options.model, "--greedy",
                                 "--device", "cpu", "--json"], check=True, capture_output=True, text=True)
    return " ".join(word["text"] for word in json.loads(result.stdout)["words"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path, help="folder for the files")
    parser.add_argument("--command", default="gst-moshi")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    kept = []
    for info, pcm in in_turns(make_questions(12, options.seed)):
        name = f"{len(kept) + 1:02}.opus"
        encode(padded(pcm), options.out / name)
        right = answer(options, options.out / name) == info["reply"]
        print("kept" if right else "left out", info, flush=True)
        if right:
            end = BEFORE + np.flatnonzero(np.abs(pcm) > 0.01 * np.abs(pcm).max())[-1] / SAMPLE_RATE
            kept.append({"file": name, "question": info["question"], "reply": info["reply"], "voice": info["voice"],
                         "end": round(float(end), 2)})
        if len(kept) == COUNT:
            break
    text = ",\n".join(json.dumps(one) for one in kept)
    (options.out / "questions.json").write_text(f"[{text}]\n")


if __name__ == "__main__":
    main()
