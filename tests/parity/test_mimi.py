# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""The codec elements, in gst-launch pipelines, against the reference's streaming MimiModel."""

import wave

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import reference
from harness import checkpoint, gst_launch, gst_moshi, reference_tensors, snr, spoken, whole_frames
from presets import MIMI

# name: (seconds of speech, codebooks in use). Frames are not whole at the end; attention goes past its context.
CASES = {
    "mimi_published": (30.03, 8),
    "mimi_odd_strides": (30.03, 12),
    "mimi_odd_rates": (30.01, 5),
}
# Distances of two sound implementations differ by about 3e-7 of the vector's squared length.
CLEAR = 2e-6
PCM_TOLERANCE = 1e-4


class Case:
    """Speech, the reference's codes of it and its PCM of them, of the first seed whose codes are all clear."""

    def __init__(self, name):
        config = MIMI[name]
        seconds, self.codebooks = CASES[name]
        self.rate = config["sample_rate"]
        self.frame_size = int(config["sample_rate"] / config["frame_rate"])
        self.wav, self.samples = spoken(seconds, self.rate)
        for seed in range(1, 6):
            self.model = checkpoint(name, seed=seed)
            result = reference_tensors(f"mimi-{name}", self.model, [self.samples, self.codebooks], self._run)
            if result["margin"] > CLEAR:
                break
        assert result["margin"] > CLEAR, "no seed gives codes that are all clear"
        self.codes, self.pcm = result["codes"], result["pcm"]
        self.caps = (
            f"audio/x-mimi,rate={self.rate},channels=1,framed=true,"
            f"frame-duration-us={round(1e6 / config['frame_rate'])},codebooks={self.codebooks},"
            f"cardinality={config['quantizer']['bins']},format=u16le")

    def _run(self):
        codes, margin = reference.encode(self.model, whole_frames(self.samples, self.frame_size), self.codebooks)
        return {"codes": codes[0], "pcm": reference.decode(self.model, codes)[0, 0], "margin": torch.tensor(margin)}

    def element(self, name, device):
        return [name, f"model={self.model}", f"device={device}", f"codebooks={self.codebooks}"]


@pytest.fixture(params=CASES, scope="module")
def case(request):
    return Case(request.param)


def read_wav(case):
    return ["filesrc", f"location={case.wav}", "!", "wavparse", "!", "audioconvert", "!"]


def check_pcm(ours, theirs, device):
    assert ours.shape == theirs.shape
    if device == "cpu":
        assert (ours - theirs).abs().max() <= PCM_TOLERANCE
    else:
        assert snr(ours, theirs) >= 75


def test_the_reference_uses_its_codebooks(case):
    """Random weights are only worth testing with if speech gives many codes and audible sound."""
    assert min(len(level.unique()) for level in case.codes) > 40
    assert 0.02 < case.pcm.std() < 0.5


def test_codes(case, device, tmp_path):
    gst_launch(*read_wav(case), *case.element("mimienc", device), "!", "filesink", f"location={tmp_path}/codes")
    ours = torch.from_numpy(np.fromfile(tmp_path / "codes", "<u2").astype(np.int64).reshape(-1, case.codebooks).T)
    assert ours.shape == case.codes.shape
    if device == "cpu":
        assert torch.equal(ours, case.codes)
    else:
        assert (ours == case.codes).float().mean() >= 0.99


def test_pcm(case, device, tmp_path):
    case.codes.T.numpy().astype("<u2").tofile(tmp_path / "codes")
    gst_launch(
        "filesrc", f"location={tmp_path}/codes", f"blocksize={2 * case.codebooks}", "!", case.caps, "!",
        *case.element("mimidec", device), "!", "audio/x-raw,format=F32LE", "!", "filesink", f"location={tmp_path}/pcm")
    check_pcm(torch.from_numpy(np.fromfile(tmp_path / "pcm", "<f4")), case.pcm, device)


def test_round_trip_in_one_pipeline(case, tmp_path):
    """Behind mimienc itself, mimidec cuts what was added to fill the last frame."""
    gst_launch(
        *read_wav(case), *case.element("mimienc", "cpu"), "!", *case.element("mimidec", "cpu"), "!",
        "audio/x-raw,format=F32LE", "!", "filesink", f"location={tmp_path}/pcm")
    ours = torch.from_numpy(np.fromfile(tmp_path / "pcm", "<f4"))
    check_pcm(ours, case.pcm[:len(case.samples)], "cpu")


def test_streams_share_a_context(tmp_path):
    """Two streams in one process run as one batch, one starting and ending elsewhere, each as if it were alone."""
    case = Case("mimi_odd_strides")
    start = 4321
    part = case.samples[start:start + 50 * case.frame_size]
    expected, _ = reference.encode(case.model, whole_frames(part, case.frame_size), case.codebooks)
    with wave.open(str(tmp_path / "part.wav"), "wb") as file:
        file.setparams((1, 2, case.rate, 0, "NONE", ""))
        file.writeframes((part * 32768).short().numpy().tobytes())
    gst_launch(
        *read_wav(case), *case.element("mimienc", "cpu"), "!", "filesink", f"location={tmp_path}/whole",
        "filesrc", f"location={tmp_path}/part.wav", "!", "wavparse", "!", "audioconvert", "!",
        *case.element("mimienc", "cpu"), "!", "filesink", f"location={tmp_path}/part")
    for name, codes in (("whole", case.codes), ("part", expected[0])):
        ours = np.fromfile(tmp_path / name, "<u2").astype(np.int64).reshape(-1, case.codebooks).T
        assert torch.equal(torch.from_numpy(ours), codes)


def test_tool_encodes_and_decodes(tmp_path):
    """`encode` and `decode` take the published rule for the number of codebooks: here all of them."""
    case = Case("mimi_odd_strides")
    codes, wav = tmp_path / "codes.safetensors", tmp_path / "out.wav"
    gst_moshi("encode", case.model, case.wav, codes)
    assert torch.equal(load_file(codes)["codes"], case.codes)
    gst_moshi("decode", case.model, codes, wav, "--sample-format", "f32")
    gst_launch(
        "filesrc", f"location={wav}", "!", "wavparse", "!", "audio/x-raw,format=F32LE", "!", "filesink",
        f"location={tmp_path}/pcm")
    check_pcm(torch.from_numpy(np.fromfile(tmp_path / "pcm", "<f4")), case.pcm, "cpu")


