# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""`gst-moshi talk --greedy` against the reference's file driver (moshi/run_inference.py)."""

import json

import numpy as np
import pytest
import sentencepiece
import torch

import reference
from harness import checkpoint, gst_launch, gst_moshi, reference_tensors, snr, spoken, whole_frames

SECONDS = 25.05  # the last frame is not whole
FRAME = 1920
# A choice closer than this may fall either way: of a token (logits), of a code (relative squared distance).
CLEAR_TOKEN, CLEAR_CODE = 1e-4, 2e-6


class Case:
    """A checkpoint and the reference's reply to speech, of the first seed whose choices are all clear."""

    def __init__(self, name):
        self.wav, samples = spoken(SECONDS)
        for seed in range(1, 30):
            self.model = checkpoint(name, seed=seed)
            result = reference_tensors(f"talk-{name}", seed, lambda: self._run(whole_frames(samples, FRAME)[0, 0]))
            self.pcm, self.text = result["pcm"], result["text"]
            frames = len(whole_frames(samples, FRAME)[0, 0]) // FRAME
            flushed = name != "hibiki_small" or len(self.pcm) >= (frames + 3) * FRAME
            if flushed and result["margins"][0] > CLEAR_TOKEN and result["margins"][1] > CLEAR_CODE:
                return
        raise AssertionError("no seed gives choices that are all clear")

    def _run(self, samples):
        try:
            pcm, text, margins = reference.talk(self.model, samples)
        except reference.EndlessText:
            pcm, text, margins = torch.zeros(0), torch.zeros(0), (0.0, 0.0)
        return {"pcm": pcm, "text": text, "margins": torch.tensor(margins)}

    def spoken_text(self):
        """The words the text tokens spell, as the reference prints them."""
        tokenizer = sentencepiece.SentencePieceProcessor(str(self.model / "tokenizer.model"))
        pieces = [tokenizer.id_to_piece(t) for t in self.text.tolist() if t not in (0, 3) and t < len(tokenizer)]
        return "".join(pieces).replace("\u2581", " ").split()


def read_pcm(wav, scratch):
    gst_launch(
        "filesrc", f"location={wav}", "!", "wavparse", "!", "audioconvert", "!", "audio/x-raw,format=F32LE", "!",
        "filesink", f"location={scratch}/pcm")
    return torch.from_numpy(np.fromfile(scratch / "pcm", "<f4"))


@pytest.mark.parametrize("name", ["moshi7b_small", "hibiki_small"])
def test_reply(name, device, tmp_path):
    case = Case(name)
    gst_moshi("talk", case.model, case.wav, tmp_path / "out.wav", "--greedy", device=device)
    ours = read_pcm(tmp_path / "out.wav", tmp_path)
    assert ours.shape == case.pcm.shape
    assert snr(ours, case.pcm.clamp(-1, 1)) > 60
