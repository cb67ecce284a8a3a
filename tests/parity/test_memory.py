# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Loading takes the memory of the weights and reads the file once."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import published
from harness import ENVIRONMENT, TOOL, checkpoint
from presets import LM

# The small preset's code path at a size where weights outweigh everything else.
BIG = LM["moshi7b_small"] | {"dim": 1024, "num_heads": 8, "num_layers": 42}


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A checkpoint of more than 1 GB that really lies on the disk."""
    directory = tmp_path_factory.mktemp("big")
    shutil.copytree(checkpoint("moshi7b_small"), directory, dirs_exist_ok=True)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | BIG))
    header, size = published.header_of(published.lm_tensors(BIG))
    assert size > 1e9
    with open(directory / "model.safetensors", "wb") as file:
        file.write(header)
        for start in range(0, size, 1 << 24):
            file.write(bytes(min(1 << 24, size - start)))
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    yield directory, size
    shutil.rmtree(directory)


def peaks(model, precision, scratch):
    """Largest anonymous memory and bytes read of a run that loads everything and takes two steps."""
    codes = torch.zeros(1, LM["moshi7b_small"]["n_q"] + 1, 2, dtype=torch.int64)
    save_file({"codes": codes}, scratch / "in.safetensors")
    process = subprocess.Popen(
        [TOOL, "forward", "--model", model, "--device", "cpu", "--precision", precision, "--input",
         scratch / "in.safetensors", "--output", scratch / "out.safetensors"], env=ENVIRONMENT)
    anonymous = read = 0
    while process.poll() is None:
        try:
            rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            anonymous = max(anonymous, 1024 * int(re.search(r"^Anonymous:\s+(\d+)", rollup, re.M)[1]))
            io = Path(f"/proc/{process.pid}/io").read_text()
            read = sum(int(re.search(rf"^{key}: (\d+)", io, re.M)[1]) for key in ("rchar", "read_bytes"))
        except (ProcessLookupError, FileNotFoundError, TypeError):
            pass  # it has just ended
        time.sleep(0.01)
    assert process.returncode == 0
    return anonymous, read


@pytest.mark.parametrize("precision, width", [("f32", 4), ("bf16", 2)])
def test_memory_is_that_of_the_weights(precision, width, big, tmp_path):
    directory, size = big
    small = checkpoint("moshi7b_small")
    anonymous_before, read_before = peaks(small, precision, tmp_path)
    anonymous, read = peaks(directory, precision, tmp_path)
    weights = size // 2 * width
    assert anonymous - anonymous_before <= 1.1 * weights
    assert read - read_before <= 1.05 * size
