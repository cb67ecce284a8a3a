# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Whatever is wrong: the promised exit status, one line on stderr, and no file left behind."""
import json
import pathlib
import shutil
import socket

import numpy as np
import pytest

import tool

DONE, OTHER, USAGE, BAD_FILE, NO_DEVICE = 0, 1, 2, 3, 4
GPU = pathlib.Path("/proc/driver/nvidia/version").exists()


def codes(rows, steps=3, high=512):
    return np.random.default_rng(1).integers(0, high, (rows, steps))


@pytest.fixture
def place(tmp_path):
    """A directory with good and bad files of every kind."""
    tool.write_wav(tmp_path / "good.wav", tool.tone(4800))
    tool.write_wav(tmp_path / "nothing.wav", [])
    for name, words in (("noted", "call me back"), ("untimed", '{"text": "hello"}')):
        shutil.copy(tmp_path / "good.wav", tmp_path / f"{name}.wav")
        (tmp_path / f"{name}.jsonl").write_text(words + "\n")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("this is no sound at all\n" * 100)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "good.wav").read_bytes()[:30])
    (tmp_path / "directory").mkdir()
    (tmp_path / "text.safetensors").write_text("not a tensor in sight")
    tool.save(tmp_path / "no-codes.safetensors", other=codes(8))
    tool.save(tmp_path / "float.safetensors", codes=codes(8).astype(np.float32))
    tool.save(tmp_path / "rank.safetensors", codes=codes(8)[None])
    tool.save(tmp_path / "high.safetensors", codes=codes(8) + 512)
    tool.save(tmp_path / "negative.safetensors", codes=codes(8) - 600)
    tool.save(tmp_path / "wide.safetensors", codes=codes(64))
    tool.save(tmp_path / "short.safetensors", codes=codes(8, 0))
    tool.save(tmp_path / "batch.safetensors", codes=np.stack([codes(8), codes(8)]))
    tool.save(tmp_path / "batch-rows.safetensors", codes=codes(5)[None])
    tool.save(tmp_path / "batch-high.safetensors", codes=codes(8)[None] + 513)
    tool.save(tmp_path / "batch-mask.safetensors", codes=codes(8)[None], exec_mask=np.ones((4, 1), np.uint8))
    tool.save(tmp_path / "batch-mask-type.safetensors", codes=codes(8)[None], reset=np.ones((3, 1), np.float32))
    tool.save(tmp_path / "forward.safetensors", codes=codes(17, high=500)[None])
    tool.save(tmp_path / "forward-high.safetensors", codes=codes(17)[None] + 600)
    for name in ("no-lm", "no-codec", "no-text", "cut-lm", "cut-codec", "bad-config", "shape", "odd-key", "text-codec"):
        shutil.copytree(tool.DEMO, tmp_path / name)
    (tmp_path / "no-lm/model.safetensors").unlink()
    (tmp_path / "no-codec/mimi.safetensors").unlink()
    (tmp_path / "no-text/tokenizer.model").unlink()
    for name, file in (("cut-lm", "model.safetensors"), ("cut-codec", "mimi.safetensors")):
        content = (tool.DEMO / file).read_bytes()
        (tmp_path / name / file).write_bytes(content[:len(content) // 2])
    (tmp_path / "text-codec/mimi.safetensors").write_text("hello")
    (tmp_path / "bad-config/config.json").write_text("{")
    for name, change in (("shape", {"dim": 192}), ("odd-key", {"cross_attention": True})):
        config = json.loads((tool.DEMO / "config.json").read_text())
        (tmp_path / name / "config.json").write_text(json.dumps({**config, **change}))
    return tmp_path


PHONE = ("phone", "--rtp", "127.0.0.1:0", "--model", tool.DEMO)
TALK = ("talk", "good.wav", "OUT", "--model", tool.DEMO)
CASES = [
    # wrong use
    (USAGE, ()),
    (USAGE, ("sing",)),
    (USAGE, ("talk", "--no-such-option")),
    (USAGE, ("talk", "good.wav", "--model", tool.DEMO)),
    (USAGE, (*TALK, "surplus")),
    (USAGE, (*TALK, "--device", "gpu")),
    (USAGE, (*TALK, "--precision", "fp8")),
    (USAGE, (*TALK, "--kv-precision", "bf16")),
    (USAGE, (*TALK, "--threads", "0")),
    (USAGE, (*TALK, "--threads", "many")),
    (USAGE, (*TALK, "--seed", "-1")),
    (USAGE, (*TALK, "--condition", "description")),
    (USAGE, (*TALK, "--condition", "a mood=sunny")),
    (USAGE, (*TALK, "--condition", "mood=sunny")),
    (USAGE, ("talk", "good.wav", "OUT", "--model", tool.HIBIKI, "--condition", "description=splendid")),
    (USAGE, ("talk", "good.wav", "OUT", "--model", tool.STT)),
    (USAGE, ("talk", "good.wav", "--model", tool.STT)),
    (USAGE, ("talk", "good.wav", "--rtp", "opus", "--send", "127.0.0.1:5010")),
    (USAGE, ("talk", "--rtp", "opus")),
    (USAGE, ("talk", "--rtp", "speex", "--send", "127.0.0.1:5010")),
    (USAGE, ("talk", "--send", "127.0.0.1:5010")),
    *[(USAGE, ("talk", "--rtp", "opus", "--send", peer)) for peer in ("localhost", ":5010", "localhost:0", "localhost:70000", "host:x")],
    (USAGE, ("talk", "--rtp", "mimi", "--send", "127.0.0.1:5010", "--picture", "OUT.svg", "--model", tool.DEMO)),
    (USAGE, ("talk", "--rtp", "opus", "--send", "127.0.0.1:5010", "--model", tool.STT)),
    (USAGE, ("talk", "--rtp", "opus", "--send", "127.0.0.1:5010", "--redundancy", "16")),
    (USAGE, ("latency", "tin-can")),
    (USAGE, ("latency", "--chirps", "0")),
    (USAGE, ("latency", "--model", tool.STT)),
    (USAGE, ("phone", "--model", tool.DEMO)),
    *[(USAGE, ("phone", option, place, "--model", tool.DEMO))
      for option in ("--rtp", "--audiosocket")
      for place in ("", "5004", "127.0.0.1", "127.0.0.1:many", "127.0.0.1:99999", "[::1]", "[::1:5004")],
    (USAGE, (*PHONE, "--calls", "0")),
    (USAGE, (*PHONE, "--idle-timeout", "0")),
    (USAGE, (*PHONE, "--condition", "mood=sunny")),
    (USAGE, ("phone", "--rtp", "127.0.0.1:0", "--model", tool.STT)),
    (USAGE, ("encode", "good.wav")),
    (USAGE, ("encode", "good.wav", "OUT", "--codebooks", "99", "--model", tool.DEMO)),
    (USAGE, ("decode", "IN")),
    (USAGE, ("decode", "IN", "OUT", "--sample-format", "s24")),
    (USAGE, ("forward", "--input", "forward.safetensors")),
    (USAGE, ("generate", "--output", "OUT")),
    (USAGE, ("bench", "--batch", "0")),
    (USAGE, ("bench", "--batch", "one")),
    (USAGE, ("bench", "--model", tool.DEMO, "--random-weights", "7b")),
    (USAGE, ("bench", "--model", tool.DEMO, "--context", "100000")),
    # input files
    *[(BAD_FILE, ("talk", name, "OUT", "--model", tool.DEMO))
      for name in ("missing.wav", "empty.wav", "text.wav", "cut.wav", "nothing.wav", "directory")],
    *[(BAD_FILE, ("encode", name, "OUT", "--model", tool.DEMO))
      for name in ("missing.wav", "empty.wav", "text.wav", "cut.wav", "nothing.wav", "directory")],
    *[(BAD_FILE, ("decode", name + ".safetensors", "OUT", "--model", tool.DEMO))
      for name in ("missing", "text", "no-codes", "float", "rank", "high", "negative", "wide", "short")],
    (BAD_FILE, ("decode", "directory", "OUT", "--model", tool.DEMO)),
    *[(BAD_FILE, ("generate", "--input", name + ".safetensors", "--output", "OUT", "--model", tool.DEMO))
      for name in ("missing", "text", "no-codes", "high", "batch-rows", "batch-high", "batch-mask", "batch-mask-type")],
    *[(BAD_FILE, ("forward", "--input", name + ".safetensors", "--output", "OUT", "--model", tool.DEMO))
      for name in ("missing", "text", "no-codes", "batch", "forward-high")],
    *[(BAD_FILE, ("talk", name, "OUT", "--model", tool.DEMO, "--picture", "OUT.svg")) for name in ("noted.wav", "untimed.wav")],
    # models
    *[(BAD_FILE, ("talk", "good.wav", "OUT", "--model", name))
      for name in ("missing-model", "good.wav", "directory", "nobody/no-such-model", "no-lm", "no-codec", "no-text",
                   "cut-lm", "cut-codec", "text-codec", "bad-config", "shape", "odd-key")],
    *[(BAD_FILE, ("encode", "good.wav", "OUT", "--model", name)) for name in ("no-codec", "cut-codec", "bad-config")],
    *[(BAD_FILE, ("generate", "--input", "batch.safetensors", "--output", "OUT", "--model", name))
      for name in ("no-lm", "cut-lm", "shape")],
    *[(BAD_FILE, ("phone", "--rtp", "127.0.0.1:0", "--model", name)) for name in ("missing-model", "no-lm", "cut-lm", "cut-codec")],
    (BAD_FILE, ("bench", "--random-weights", "8b")),
    # places to write
    (OTHER, ("talk", "good.wav", "missing/OUT", "--model", tool.DEMO)),
    (OTHER, ("talk", "good.wav", "directory", "--model", tool.DEMO)),
    (OTHER, (*TALK, "--transcript", "missing/words.jsonl")),
    (OTHER, (*TALK, "--picture", "missing/session.svg")),
    (OTHER, (*PHONE, "--transcript", "missing/words.jsonl")),
    (OTHER, (*PHONE, "--transcript", "directory")),
    *[(OTHER, ("phone", option, "203.0.113.1:5004", "--model", tool.DEMO)) for option in ("--rtp", "--audiosocket")],
    (OTHER, ("encode", "good.wav", "missing/OUT", "--model", tool.DEMO)),
    (OTHER, ("latency", "--svg", "missing/latency.svg", "--model", tool.DEMO)),
    (OTHER, ("talk", "--rtp", "opus", "--send", "no-such-host.invalid:5010", "--model", tool.DEMO)),
    *[(OTHER, (command, "--input", name, "--output", "missing/OUT", "--model", tool.DEMO))
      for command, name in (("generate", "batch.safetensors"), ("forward", "forward.safetensors"))],
]
if not GPU:
    CASES += [(NO_DEVICE, (*TALK, "--device", "cuda")), (NO_DEVICE, (*TALK, "--device", "cuda:7")),
              (NO_DEVICE, (*PHONE, "--device", "cuda")),
              (NO_DEVICE, ("doctor", "--device", "cuda", "--model", tool.DEMO, "--quiet"))]


@pytest.mark.parametrize("status, arguments", CASES, ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else str(value))
def test_bad_input(place, status, arguments):
    before = sorted(place.rglob("*"))
    done = tool.run(*arguments, cwd=place, env={"HF_HOME": str(place / "cache"), "HF_HUB_CACHE": ""})
    assert done.returncode == status, done.stderr
    if arguments[:1] != ("doctor",):
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("gst-moshi: ")
        assert done.stdout == ""
    for word in ("Traceback", "terminate", "c10", "Exception", "unexpected, please report", "CRITICAL"):
        assert word not in done.stderr
    assert sorted(place.rglob("*")) == before


def test_port_in_use(place):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        port = taken.getsockname()[1]
        done = tool.run("talk", "--rtp", "opus", "--listen", port, "--send", "127.0.0.1:5010", "--model", tool.DEMO, "--allow-slow")
    assert done.returncode == OTHER
    assert done.stderr.startswith(f"gst-moshi: UDP port {port}: expected one that is free, found: ")
    assert len(done.stderr.splitlines()) == 1


def test_missing_repository_says_how_to_get_it(place):
    done = tool.run("talk", "good.wav", "OUT", "--model", "kyutai/moshiko-pytorch-bf16", cwd=place,
                    env={"HF_HOME": str(place / "cache"), "HF_HUB_CACHE": ""})
    assert done.returncode == BAD_FILE
    assert "hf download kyutai/moshiko-pytorch-bf16" in done.stderr


def test_no_model_at_all(place):
    done = tool.run("talk", "good.wav", "OUT", cwd=place, env={"GST_MOSHI_MODEL_DIR": str(place / "none")})
    assert done.returncode == BAD_FILE
    assert len(done.stderr.splitlines()) == 1


def test_unknown_key_warns_by_name(place):
    config = json.loads((tool.DEMO / "config.json").read_text())
    (place / "odd-key/config.json").write_text(json.dumps({**config, "colour": "blue"}))
    done = tool.run("encode", "good.wav", "OUT", "--model", "odd-key", cwd=place)
    assert done.returncode == DONE
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("gst-moshi: warning: ")
    assert "colour" in done.stderr
    assert tool.run("encode", "good.wav", "OUT", "--model", "odd-key", "--quiet", cwd=place).stderr == ""
