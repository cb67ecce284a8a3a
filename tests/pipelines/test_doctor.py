# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""The doctor on this machine, and with a driver's library that is not the real one."""
import json
import os

import tool

NVML = {"LD_LIBRARY_PATH": os.environ["FAKE_NVML"]}


def findings(report):
    return {finding["id"]: finding for finding in report["findings"]}


def test_asks_the_driver():
    report = json.loads(tool.succeed("doctor", "--model", tool.DEMO, "--device", "cpu", "--json", env=NVML))
    assert (report["driver"], report["driver_cuda"]) == ("580.95.05", "13.0")
    [gpu] = report["gpus"]
    assert (gpu["name"], gpu["architecture"]) == ("NVIDIA Fake 5090", "sm_120")
    assert (gpu["memory_bytes"], gpu["free_bytes"]) == (32_000_000_000, 30_000_000_000)
    assert round(gpu["bandwidth"] / 1e9) == 1792
    assert (gpu["compute_mode"], gpu["mig"], gpu["persistence"]) == ("exclusive", False, False)
    [process] = gpu["processes"]
    assert process["pid"] == os.getpid() and process["mib"] == 1500 and process["name"].startswith("py")
    in_use = findings(report)["compute-exclusive-in-use"]
    assert in_use["severity"] == "error" and f"(pid {os.getpid()}, 1.6 GB)" in in_use["found"]
    assert in_use["advice"].endswith("sudo nvidia-smi -i 0 -c DEFAULT")
    if not report["cuda"]:
        assert "scripts/setup --cuda" in findings(report)["cpu-build"]["advice"]
    text = tool.succeed("doctor", "--model", tool.DEMO, "--device", "cpu", env=NVML)
    assert "NVIDIA Fake 5090, sm_120, 30.0 GB of 32.0 GB free, 1792 GB/s" in text


def test_a_driver_that_does_not_start():
    env = {**NVML, "FAKE_NVML_STATUS": "18"}
    text = tool.succeed("doctor", "--files", "--model", tool.DEMO, "--device", "cpu", env=env)
    assert "NVIDIA driver   Driver/library version mismatch" in text


def test_measures_and_decides():
    report = json.loads(tool.succeed("doctor", "--model", tool.DEMO, "--device", "cpu", "--json"))
    assert report["usable"] and report["verdict"].startswith("ready for live use: ")
    capacity = report["capacity"]
    assert capacity["real_time"] and capacity["precision"] == "f32"
    assert 1 <= capacity["callers"] <= 80 / capacity["frame_ms"]


def test_settings_that_make_it_slow():
    report = json.loads(tool.succeed("doctor", "--files", "--device", "cpu", "--json", env={"MOSHI_CUDA_GRAPHS": "0"}))
    assert findings(report)["slow-setting"]["advice"].startswith("run unset MOSHI_CUDA_GRAPHS")


