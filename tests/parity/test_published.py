# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Files with the published tensors, names and shapes are accepted; others are refused by name."""

import json
import subprocess

import pytest

import published
from harness import ENVIRONMENT, TOOL

# name: (tensors, bytes before the data, bytes in all, bytes of data) of the published files; None: not known.
PUBLISHED = {
    "moshiko": (355, None, None, 15_375_458_304),
    "personaplex": (475, 56_208, 16_742_874_000, None),
    "hibiki-2b": (327, 37_088, 5_574_762_720, 5_574_725_632),
    "stt-1b-en_fr": (135, None, None, 2 * 989_253_632),
    "stt-2.6b-en": (323, 37_688, 5_234_275_128, 5_234_237_440),
}


def check_sizes(tensors, count, before, whole, data):
    header, size = published.header_of(tensors)
    assert len(tensors) == count
    assert before in (None, len(header))
    assert whole in (None, len(header) + size)
    assert data in (None, size)


@pytest.mark.parametrize("name", PUBLISHED)
def test_lists_are_those_of_the_published_files(name):
    check_sizes(published.lm_tensors(published.CONFIGS[name]), *PUBLISHED[name])


def test_codec_list_is_that_of_the_published_file():
    check_sizes(published.mimi_tensors(), 318, 39_328, 384_644_900, 4 * 96_151_393)


def doctor(directory):
    """Exit status and report on a model's files, none of which is loaded."""
    done = subprocess.run(
        [TOOL, "doctor", "--files", "--model", directory, "--device", "cpu", "--json"], capture_output=True,
        text=True, env=ENVIRONMENT, timeout=120)
    return done.returncode, json.loads(done.stdout)["model"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_accepted(name, tmp_path):
    status, report = doctor(published.write_checkpoint(tmp_path, published.CONFIGS[name]))
    assert (status, report.get("problem")) == (0, None)
    assert report["lm_tensors"] == PUBLISHED[name][0] and report["codec_tensors"] == 318
    assert report["codec_parameters"] == 96_151_393


def damaged(tensors, name, change):
    """The list with tensor `name` missing (change None) or of shape change(shape)."""
    rest = {k: v for k, v in tensors.items() if k != name}
    return rest if change is None else rest | {name: (tensors[name][0], change(tensors[name][1]))}


LM_DAMAGES = [
    ("transformer.layers.31.norm2.alpha", None),
    ("text_linear.weight", lambda shape: [shape[0] + 1, shape[1]]),
    ("depformer.layers.5.self_attn.in_proj_weight", lambda shape: [shape[0] // 2, shape[1]]),
    ("linears.7.weight", lambda shape: shape[::-1]),
]
MIMI_DAMAGES = [
    ("quantizer.rvq_rest.vq.layers.30._codebook.embedding_sum", None),
    ("decoder.model.2.convtr.convtr.weight", lambda shape: [shape[1], shape[0], shape[2]]),
]


@pytest.mark.parametrize("name, change", LM_DAMAGES + MIMI_DAMAGES)
def test_refused_by_name(name, change, tmp_path):
    config = published.CONFIGS["moshiko"]
    kind = "lm" if (name, change) in LM_DAMAGES else "mimi"
    whole = published.lm_tensors(config) if kind == "lm" else published.mimi_tensors()
    status, report = doctor(published.write_checkpoint(tmp_path, config, **{kind: damaged(whole, name, change)}))
    assert status == 3
    assert name in report["problem"] and "\n" not in report["problem"]
