# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""encode, decode, forward, generate: shapes, types and rules of their files."""
import json

import numpy as np
import pytest

import tool

RNG = np.random.default_rng(7)
CARD, TEXT_CARD, N_Q, DEP_Q = 512, 500, 16, 8


def test_encode_and_decode(tmp_path):
    source = tool.write_wav(tmp_path / "in.wav", tool.tone(10 * tool.FRAME + 5))
    result = json.loads(tool.succeed("encode", source, tmp_path / "c.safetensors", "--model", tool.DEMO, "--json"))
    codes = tool.load(tmp_path / "c.safetensors")["codes"]
    assert codes.dtype == np.int64
    assert codes.shape == (8, 11)
    assert result["frames"] == 11 and result["codebooks"] == 8
    assert 0 <= codes.min() and codes.max() < CARD
    assert len(np.unique(codes)) > 10
    tool.succeed("decode", tmp_path / "c.safetensors", tmp_path / "s16.wav", "--model", tool.DEMO)
    rate, samples = tool.read_wav(tmp_path / "s16.wav")
    assert rate == tool.RATE and samples.shape == (1, 11 * tool.FRAME)


def test_fewer_codebooks_are_the_first_ones(tmp_path):
    source = tool.write_wav(tmp_path / "in.wav", tool.tone(4 * tool.FRAME))
    tool.succeed("encode", source, tmp_path / "8.safetensors", "--model", tool.DEMO)
    tool.succeed("encode", source, tmp_path / "3.safetensors", "--model", tool.DEMO, "--codebooks", "3")
    assert np.array_equal(tool.load(tmp_path / "3.safetensors")["codes"], tool.load(tmp_path / "8.safetensors")["codes"][:3])


def test_sample_formats_agree_and_s16_saturates(tmp_path):
    tool.save(tmp_path / "c.safetensors", codes=RNG.integers(0, CARD, (8, 6)))
    tool.succeed("decode", tmp_path / "c.safetensors", tmp_path / "s16.wav", "--model", tool.DEMO)
    tool.succeed("decode", tmp_path / "c.safetensors", tmp_path / "f32.wav", "--model", tool.DEMO, "--sample-format", "f32")
    content = (tmp_path / "f32.wav").read_bytes()
    data = content.index(b"data")
    floats = np.frombuffer(content[data + 8:], dtype="<f4")
    _, shorts = tool.read_wav(tmp_path / "s16.wav")
    assert len(floats) == 6 * tool.FRAME
    expected = np.clip(np.round(floats.astype(np.float64) * 32768), -32768, 32767)
    assert np.abs(expected - shorts[0]).max() <= 1


@pytest.fixture(scope="module")
def forward_codes(tmp_path_factory):
    codes = RNG.integers(0, TEXT_CARD, (2, N_Q + 1, 9))
    codes[0, 3, 4] = -1
    return tool.save(tmp_path_factory.mktemp("forward") / "in.safetensors", codes=codes)


def forward(path, tmp_path, *options):
    tool.succeed("forward", "--input", path, "--output", tmp_path / "out.safetensors", "--model", tool.DEMO, *options)
    return tool.load(tmp_path / "out.safetensors")


def test_forward(forward_codes, tmp_path):
    out = forward(forward_codes, tmp_path)
    assert {name: (value.shape, value.dtype) for name, value in out.items()} == {
        "logits": ((2, DEP_Q, 9, CARD), np.float32), "mask": ((2, DEP_Q, 9), np.uint8),
        "text_logits": ((2, 1, 9, TEXT_CARD), np.float32), "text_mask": ((2, 1, 9), np.uint8)}
    assert np.isfinite(out["logits"]).all()
    assert (out["logits"][out["mask"] == 0] == 0).all()
    assert out["mask"][0, 2, 4] == 0  # -1 is not trained on
    assert (out["mask"][:, 0] == 1).all()  # row 1 has no delay
    assert (out["mask"][:, 1:, -1] == 0).all()  # the others have 1
    streaming = forward(forward_codes, tmp_path, "--streaming")
    assert np.array_equal(streaming["mask"], out["mask"])
    assert np.abs(streaming["logits"] - out["logits"]).max() < 2e-4


def generate(tmp_path, *options, **tensors):
    tool.save(tmp_path / "in.safetensors", **tensors)
    tool.succeed("generate", "--input", tmp_path / "in.safetensors", "--output", tmp_path / "out.safetensors",
                 "--model", tool.DEMO, *options)
    return tool.load(tmp_path / "out.safetensors")["tokens"]


def test_generate(tmp_path):
    codes = RNG.integers(0, CARD, (2, N_Q - DEP_Q, 12))
    tokens = generate(tmp_path, "--greedy", codes=codes)
    assert tokens.shape == (2, 1 + DEP_Q, 12) and tokens.dtype == np.int64
    assert (tokens[:, :, 0] == -2).all()  # the largest delay is 1
    assert (tokens[:, :, 1:] >= 0).all()
    # A row does not depend on its neighbours.
    assert np.array_equal(generate(tmp_path, "--greedy", codes=codes[1:]), tokens[1:])


def test_generate_masks_and_resets(tmp_path):
    steps = 10
    codes = RNG.integers(0, CARD, (2, N_Q - DEP_Q, steps))
    mask = np.ones((steps, 2), np.uint8)
    mask[4, 0] = 0
    reset = np.zeros((steps, 2), np.uint8)
    reset[6, 1] = 1
    tokens = generate(tmp_path, "--greedy", codes=codes, exec_mask=mask, reset=reset)
    # Row 0 pauses at step 4: as if that column had not been there.
    assert (tokens[0, :, 4] == -2).all()
    without = generate(tmp_path, "--greedy", codes=np.delete(codes[:1], 4, axis=2))
    assert np.array_equal(np.delete(tokens[:1], 4, axis=2), without)
    # Row 1 starts anew at step 6.
    anew = generate(tmp_path, "--greedy", codes=codes[1:, :, 6:])
    assert np.array_equal(tokens[1:, :, 6:], anew)


def test_generate_is_reproducible(tmp_path):
    codes = RNG.integers(0, CARD, (1, N_Q - DEP_Q, 12))
    assert np.array_equal(generate(tmp_path, "--seed", "3", codes=codes), generate(tmp_path, "--seed", "3", codes=codes))
    assert not np.array_equal(generate(tmp_path, "--seed", "3", codes=codes), generate(tmp_path, "--seed", "4", codes=codes))
