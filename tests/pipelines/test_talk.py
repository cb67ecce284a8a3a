# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""gst-moshi talk: lengths, formats, channels, reproducibility, words."""
import json
import math
import subprocess
from xml.etree import ElementTree

import numpy as np
import pytest

import tool


def talk(tmp_path, source, *options, model=tool.DEMO):
    """(result as JSON, reply as int16 [channels, samples])."""
    out = tmp_path / "reply.wav"
    result = json.loads(tool.succeed("talk", source, out, "--model", model, "--json", *options))
    rate, samples = tool.read_wav(out)
    assert rate == tool.RATE
    assert samples.shape[0] == 1
    return result, samples[0]


@pytest.mark.parametrize("samples", [1, 1919, 1920, 1921, 24000])
def test_a_frame_out_for_each_in(tmp_path, samples):
    result, reply = talk(tmp_path, tool.write_wav(tmp_path / "in.wav", tool.tone(samples)), "--greedy")
    frames = math.ceil(samples / tool.FRAME)
    assert result["frames_in"] == result["frames_out"] == frames
    assert len(reply) == frames * tool.FRAME
    assert result["seconds"] == pytest.approx(frames * 0.08)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_other_rates(tmp_path, rate):
    result, _ = talk(tmp_path, tool.write_wav(tmp_path / "in.wav", tool.tone(rate, rate), rate=rate), "--greedy")
    assert result["frames_in"] == 13  # a second


@pytest.mark.parametrize("channels", [2, 6])
def test_first_channel_counts(tmp_path, channels):
    voice = tool.tone(12000)
    noise = [int(x) for x in np.random.default_rng(3).integers(-9000, 9000, len(voice))]
    _, mono = talk(tmp_path, tool.write_wav(tmp_path / "mono.wav", voice), "--greedy")
    _, other = talk(tmp_path, tool.write_wav(tmp_path / "many.wav", voice, *[noise] * (channels - 1)), "--greedy")
    assert np.array_equal(mono, other)


@pytest.mark.parametrize("name, encoder", [("in.flac", "flacenc"), ("in.ogg", "vorbisenc ! oggmux")])
def test_other_formats(tmp_path, name, encoder):
    wav = tool.write_wav(tmp_path / "in.wav", tool.tone(24000))
    subprocess.run(f"gst-launch-1.0 -q filesrc location={wav} ! wavparse ! audioconvert ! {encoder} ! "
                   f"filesink location={tmp_path / name}", shell=True, check=True)
    result, reply = talk(tmp_path, tmp_path / name, "--greedy")
    assert abs(result["frames_in"] - 13) <= 1
    if name.endswith("flac"):  # lossless
        assert np.array_equal(reply, talk(tmp_path, wav, "--greedy")[1])


def test_reproducible(tmp_path):
    source = tool.write_wav(tmp_path / "in.wav", tool.tone(24000))
    first, one = talk(tmp_path, source, "--seed", "5")
    second, two = talk(tmp_path, source, "--seed", "5")
    _, three = talk(tmp_path, source, "--seed", "6")
    assert first == second
    assert first["seed"] == 5
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)


def test_result_names_the_seed_it_chose(tmp_path):
    source = tool.write_wav(tmp_path / "in.wav", tool.tone(24000))
    first, one = talk(tmp_path, source)
    _, two = talk(tmp_path, source, "--seed", first["seed"])
    assert np.array_equal(one, two)


def test_words(tmp_path):
    source = tool.write_wav(tmp_path / "in.wav", tool.tone(5 * tool.RATE))
    words = tmp_path / "words.jsonl"
    result, _ = talk(tmp_path, source, "--seed", "1", "--transcript", words)
    lines = [json.loads(line) for line in words.read_text().splitlines()]
    assert lines == result["words"]
    assert len(lines) > 3
    for line, following in zip(lines, lines[1:] + [None]):
        assert set(line) == {"start", "end", "text"}
        assert 0 <= line["start"] < line["end"] <= result["seconds"] + 0.0005
        assert line["text"].strip() == line["text"] != ""
        if following:
            assert line["start"] < following["start"]
    text = tool.succeed("talk", source, tmp_path / "again.wav", "--model", tool.DEMO, "--seed", "1")
    assert [line.split()[2:] for line in text.splitlines()] == [line["text"].split() for line in lines]
    assert tool.succeed("talk", source, tmp_path / "again.wav", "--model", tool.DEMO, "--quiet") == ""


def test_picture(tmp_path):
    """Both lanes, as long as the speech, with the words of both sides where they begin."""
    source = tool.write_wav(tmp_path / "in.wav", [0] * tool.RATE + tool.tone(tool.RATE) + [0] * 3 * tool.RATE)
    (tmp_path / "in.jsonl").write_text('{"start": 1.0, "end": 1.5, "text": "R&D"}\n')
    picture = tmp_path / "session.svg"
    result, _ = talk(tmp_path, source, "--seed", "1", "--picture", picture)
    assert result["picture"] == str(picture)
    svg = ElementTree.parse(picture).getroot()
    name = lambda tag: "{http://www.w3.org/2000/svg}" + tag
    texts = [(element.text, float(element.get("x"))) for element in svg.iter(name("text"))]
    start = texts.index(("You", 16.0))
    assert ("R&D", 16.0 + 100) in texts[start:]
    for word in result["words"]:
        assert any(text == word["text"] and abs(x - 16 - 100 * word["start"]) < 0.06 for text, x in texts)
    asked, replied = [[tuple(map(float, point.split(","))) for point in shape.get("points").split()]
                      for shape in svg.iter(name("polygon"))]
    # A point each 10 ms above and below; loud where the tone is, a line elsewhere.
    assert len(asked) == 2 * 500 and len(replied) == 2 * result["frames_out"] * 8
    height = [below[1] - above[1] for above, below in zip(asked, reversed(asked))]
    assert max(height[:95] + height[205:500]) < 2 < min(height[105:195])


def test_speech_to_text(tmp_path):
    source = tool.write_wav(tmp_path / "in.wav", tool.tone(2 * tool.RATE))
    words = tmp_path / "words.jsonl"
    result = json.loads(tool.succeed("talk", source, "--transcript", words, "--model", tool.STT, "--json"))
    # The recording, then the model's delay (0.5 s) and another second of silence.
    assert result["frames_in"] == math.ceil(3.5 * 12.5)
    assert [json.loads(line) for line in words.read_text().splitlines()] == result["words"]
    assert not (tmp_path / "reply.wav").exists()


def test_translation_ends(tmp_path):
    """Random weights never finish their sentence: the model's context (250 frames) does."""
    source = tool.write_wav(tmp_path / "in.wav", tool.tone(tool.RATE))
    result, reply = talk(tmp_path, source, "--seed", "2", "--condition", "description=very_good", model=tool.HIBIKI)
    assert 13 < result["frames_in"] <= 13 + 250
    # The end mark is a frame, too, and the largest delay of 2 takes one.
    assert 13 < result["frames_out"] <= 13 + 1 + 250 - 1
    assert len(reply) == result["frames_out"] * tool.FRAME


def test_guidance_changes_the_reply(tmp_path):
    source = tool.write_wav(tmp_path / "in.wav", tool.tone(tool.RATE // 2))
    options = ("--greedy", "--condition", "description=very_good")
    _, plain = talk(tmp_path, source, *options, model=tool.HIBIKI)
    _, guided = talk(tmp_path, source, *options, "--cfg-coef", "3", model=tool.HIBIKI)
    assert len(plain) != len(guided) or not np.array_equal(plain, guided)
