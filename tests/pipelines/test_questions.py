# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""The embedded model answers twenty spoken questions (tools/little-moshi/make_test_questions.py made the files)."""
import json
import pathlib

import pytest

import tool

FOLDER = pathlib.Path(__file__).parent / "questions"
QUESTIONS = json.loads((FOLDER / "questions.json").read_text())


def test_there_are_twenty():
    assert len(QUESTIONS) == 20
    assert {question["file"] for question in QUESTIONS} == {path.name for path in FOLDER.glob("*.opus")}
    assert sum(path.stat().st_size for path in FOLDER.glob("*.opus")) < 500_000


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["question"])
def test_answer(tmp_path, question):
    result = json.loads(tool.succeed("talk", FOLDER / question["file"], tmp_path / "reply.wav", "--greedy", "--json"))
    assert " ".join(word["text"] for word in result["words"]) == question["reply"]
    # It waits for the end of the question, and does not keep one waiting.
    assert question["end"] < result["words"][0]["start"] < question["end"] + 1.5


def test_silence_stays_silent(tmp_path):
    silence = tool.write_wav(tmp_path / "silence.wav", [0] * 30 * tool.RATE)
    assert json.loads(tool.succeed("talk", silence, tmp_path / "reply.wav", "--greedy", "--json"))["words"] == []
