# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""gst-moshi batch: formats, sessions, broken files, kills, shards."""
import json
import os
import pathlib
import random
import signal
import subprocess
import time

import numpy as np
import pytest

import tool

BROKEN = ("cut", "empty", "noise", "text", "missing")
FULL = os.environ.get("GST_MOSHI_LONG_TESTS")
FORMATS = {"wav": "wavenc", "flac": "flacenc", "ogg": "vorbisenc ! oggmux", "mp3": "lamemp3enc"}


def make_recording(path, seconds, rate, channels):
    wav = tool.write_wav(path.with_suffix(".tmp"), *[tool.tone(int(seconds * rate), rate, 150 + 40 * c) for c in range(channels)], rate=rate)
    subprocess.run(f"gst-launch-1.0 -q filesrc location={wav} ! wavparse ! audioconvert ! {FORMATS[path.suffix[1:]]} ! "
                   f"filesink location={path}", shell=True, check=True)
    wav.unlink()


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A directory of mixed files, five of them broken."""
    place = tmp_path_factory.mktemp("recordings")
    choose = random.Random(5)
    for number in range(195 if FULL else 15):
        name = f"r{number}.{list(FORMATS)[number % 4]}"
        make_recording(place / name, choose.uniform(0.1, 2), choose.choice([8000, 16000, 24000, 44100, 48000]), 1 + number % 2)
    (place / "empty.wav").touch()
    (place / "noise.wav").write_bytes(random.Random(1).randbytes(5000))
    (place / "text.mp3").write_text("no sound " * 50)
    whole = tool.write_wav(place / "cut.wav", tool.tone(24000)).read_bytes()
    (place / "cut.wav").write_bytes(whole[:9000])
    (place / "missing.flac").symlink_to(place / "nowhere")
    return place


def arguments(recordings, out, *options):
    names = sorted(str(path) for path in recordings.iterdir())
    return ["batch", *names, "--out", str(out), "--model", str(tool.DEMO), *options]


def report(out, name="report.jsonl"):
    return {line["id"]: line for line in map(json.loads, (out / name).read_text().splitlines())}


def outputs(out):
    return {path.name: path.read_bytes() for path in out.iterdir() if "report" not in path.name}


@pytest.fixture(scope="module")
def eight(recordings, tmp_path_factory):
    out = tmp_path_factory.mktemp("eight")
    done = tool.run(*arguments(recordings, out, "--sessions", "8"))
    assert done.returncode == 3
    for name in BROKEN:
        assert sum(f"/{name}." in line for line in done.stderr.splitlines()) == 1
    return out


def test_all_but_the_broken_ones_are_done(recordings, eight):
    lines = report(eight)
    assert len(lines) == len(list(recordings.iterdir()))
    assert {name for name, line in lines.items() if "error" in line} == set(BROKEN)
    for name, line in lines.items():
        if name in BROKEN:
            continue
        _, samples = tool.read_wav(eight / f"{name}.wav")
        # Of Ogg files the reply ends with the recording, within the last frame.
        assert 0 <= line["frames"] * tool.FRAME - samples.shape[1] < (tool.FRAME if line["path"].endswith("ogg") else 1)
        assert 0 <= line["output_seconds"] - line["input_seconds"] < 0.0801
        assert (eight / f"{name}.vtt").read_text().startswith("WEBVTT\n")


def test_a_second_run_does_nothing(recordings, eight):
    before = {path.name: path.stat().st_mtime_ns for path in eight.iterdir() if "report" not in path.name}
    done = tool.run(*arguments(recordings, eight, "--json"))
    summary = json.loads(done.stdout)
    assert summary["done"] == 0 and summary["failed"] == len(BROKEN)
    assert before == {path.name: path.stat().st_mtime_ns for path in eight.iterdir() if "report" not in path.name}


@pytest.fixture(scope="module")
def one(recordings, tmp_path_factory):
    out = tmp_path_factory.mktemp("one")
    assert tool.run(*arguments(recordings, out, "--sessions", "1")).returncode == 3
    return out


def test_sessions_matter_no_more_than_rounding(one, eight):
    """On the CPU a batch's size decides how sums are rounded."""
    alone, together = outputs(one), outputs(eight)
    assert alone.keys() == together.keys()
    for name, content in alone.items():
        if name.endswith(".wav"):
            sound, other = (tool.read_wav(out / name)[1].astype(int) for out in (one, eight))
            assert sound.shape == other.shape and np.abs(sound - other).max() <= 1
        else:
            assert content == together[name]


def test_killed_at_any_moment(recordings, one, tmp_path):
    out = tmp_path / "out"
    moments = random.Random(3)
    for _ in range(30 if FULL else 3):
        with subprocess.Popen([os.environ["GST_MOSHI_TOOL"], *arguments(recordings, out, "--sessions", "1")], stderr=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL) as process:
            time.sleep(moments.uniform(0.2, 2))
            process.kill()
    assert tool.run(*arguments(recordings, out, "--sessions", "1")).returncode == 3
    assert outputs(out) == outputs(one)


def test_sigterm_stops_and_says_so(recordings, tmp_path):
    out = tmp_path / "out"
    command = [os.environ["GST_MOSHI_TOOL"], *arguments(recordings, out, "--sessions", "1")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while not list(out.glob("*.part-*")) and not list(out.glob("r*.wav")):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 75
    assert not list(out.glob("*.part-*"))


def test_shards_share_the_work(recordings, one, tmp_path):
    for index in ("1", "2"):
        tool.run(*arguments(recordings, tmp_path, "--shard", "auto/2", "--sessions", "1"), env={"SLURM_ARRAY_TASK_ID": index})
    first, second = report(tmp_path, "report.0-of-2.jsonl"), report(tmp_path, "report.1-of-2.jsonl")
    assert first and second and not first.keys() & second.keys()
    assert outputs(tmp_path) == outputs(one)


def test_encode_and_decode(tmp_path):
    source = tool.write_wav(tmp_path / "in.wav", tool.tone(48000), tool.tone(48000, pitch=300))
    manifest = tmp_path / "files.jsonl"
    manifest.write_text(json.dumps({"path": str(source), "id": "part", "start": 0.5, "end": 1.3}) + f"\n{source}\n")
    tool.run("batch", "--manifest", manifest, "--out", tmp_path / "codes", "--task", "encode", "--model", tool.DEMO)
    tool.succeed("encode", source, tmp_path / "single.safetensors", "--model", tool.DEMO)
    assert np.array_equal(tool.load(tmp_path / "codes/in.safetensors")["codes"], tool.load(tmp_path / "single.safetensors")["codes"])
    assert tool.load(tmp_path / "codes/part.safetensors")["codes"].shape == (8, 10)
    done = tool.run("batch", tmp_path / "codes", "--out", tmp_path / "sound", "--task", "decode", "--model", tool.DEMO)
    assert done.returncode == 0
    assert tool.read_wav(tmp_path / "sound/part.wav")[1].shape == (1, 10 * tool.FRAME)


@pytest.mark.parametrize("options, found", [
    (["--shard", "3/2"], "--shard: expected I from 0 to 2 (which is 0), found 3"),
    (["--shard", "x"], "--shard: expected I/N or auto/N, found x"),
    (["--sessions", "0"], "--sessions: expected auto or a number from 1 to 256, found 0"),
    (["--task", "transcribe"], "--task transcribe: expected a model that writes what it hears")])
def test_wrong_use(recordings, tmp_path, options, found):
    done = tool.run(*arguments(recordings, tmp_path, *options))
    assert done.returncode == 2 and found in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("line, found", [
    ('{"path": 3}', '"path": expected text, found 3'),
    ('{"id": "a"}', "expected a path or"),
    ('{"path": "a.wav", "end": -1}', '"end": expected seconds, found -1'),
    ('{"path": "a.wav", "start": 2, "end": 1}', 'expected "end" after "start"'),
    ('{"path": "a.wav", "id": "../a"}', "expected the name of a file"),
    ('{"path": "a.wav", "speed": 1}', "expected the keys path, id, seed, start and end")])
def test_wrong_manifests(tmp_path, line, found):
    manifest = pathlib.Path(tmp_path / "files.jsonl")
    manifest.write_text(line + "\n")
    done = tool.run("batch", "--manifest", manifest, "--out", tmp_path / "out", "--model", tool.DEMO)
    assert done.returncode == 2 and found in done.stderr and done.stderr.count("\n") == 1
