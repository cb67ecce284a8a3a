# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""tools/bench/reference runs both sides and says by how much they differ; no figure is asserted."""

import json
import os
import subprocess
import sys

from harness import ENVIRONMENT, HERE, TOOL

ROOT = HERE.parents[1]


def test_compares_on_the_cpu():
    done = subprocess.run(
        [sys.executable, ROOT / "tools/bench/reference", "--model", ROOT / "models/little-moshi/config.json", "--device", "cpu",
         "--batch", "1,2", "--frames", "3", "--command", TOOL, "--json"],
        capture_output=True, text=True, env=ENVIRONMENT | {"NO_TORCH_COMPILE": "1", "PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["batch"] for result in results] == [1, 2]
    for result in results:
        for stage in ("encode", "lm", "decode", "frame"):
            ours, theirs = result["ours"][stage], result["reference"][stage]
            assert ours > 0 and theirs > 0
            assert abs(result["ratio"][stage] - theirs / ours) < 1e-9
