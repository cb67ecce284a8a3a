# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""The model that comes with the project, in the reference: it loads there unchanged and answers the same."""

import hashlib
import json

import pytest
import sentencepiece
import torch
from safetensors.torch import load_file

import reference
import speech
from harness import HERE, gst_moshi, reference_tensors, tool_tensors, whole_frames

MODEL = HERE.parents[1] / "models" / "little-moshi"
QUESTION = HERE.parents[1] / "examples" / "question.wav"
CONFIG = json.loads((MODEL / "config.json").read_text())
FRAME = 1920
# Logits of two sound implementations differ by about 1e-5: a choice closer than this proves nothing.
CLEAR = 1e-4


@pytest.fixture(scope="module")
def theirs():
    """The reference's codes [5, T] of the question, and its greedy tokens [1 + 5, T]."""
    samples = whole_frames(torch.from_numpy(speech.read(QUESTION)), FRAME)
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(MODEL.glob("*.*"))]

    def make():
        codes, _ = reference.encode(MODEL, samples, CONFIG["dep_q"])
        heard = codes[:, :CONFIG["n_q"] - CONFIG["dep_q"]]
        tokens, margin = reference.generate(reference.load_lm(MODEL), heard)
        return {"codes": codes[0], "tokens": tokens[0], "margin": torch.tensor(margin)}

    return reference_tensors("embedded", MODEL, [samples, *digests], make)


def test_is_small():
    assert sum(file.stat().st_size for file in MODEL.iterdir()) <= 17_000_000


def test_same_codes(theirs, tmp_path, device):
    gst_moshi("encode", MODEL, QUESTION, tmp_path / "codes.safetensors", device=device)
    ours = load_file(tmp_path / "codes.safetensors")["codes"]
    assert ours.shape == theirs["codes"].shape
    # In digital silence two code vectors can be equally near: a few codes may fall either way.
    assert (ours == theirs["codes"]).double().mean() > 0.99


def test_same_tokens(theirs, device):
    heard = theirs["codes"][None, :CONFIG["n_q"] - CONFIG["dep_q"]]
    ours = tool_tensors("generate", MODEL, {"codes": heard}, "--greedy", device=device)["tokens"][0]
    assert theirs["margin"] > CLEAR
    assert torch.equal(ours, theirs["tokens"])


def test_answers(theirs):
    """Both questions, in words: what the picture in the README shows."""
    tokenizer = sentencepiece.SentencePieceProcessor(str(MODEL / CONFIG["tokenizer_name"]))
    pieces = [tokenizer.id_to_piece(token) for token in theirs["tokens"][0].tolist() if token > 3]
    assert "".join(pieces).replace("\u2581", " ").split() == "the capital is paris that makes twelve".split()
