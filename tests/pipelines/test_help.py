# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""What the tool says of itself, of the machine and of speed."""
import json

import pytest

import tool


@pytest.mark.parametrize("command", ["talk", "batch", "phone", "encode", "decode", "forward", "generate", "bench", "doctor", "latency"])
def test_help_has_an_example(command):
    text = tool.succeed(command, "--help")
    assert f"gst-moshi {command}" in text
    assert "Example" in text
    for option in ("--model", "--device", "--precision", "--kv-precision", "--threads", "--quiet", "--json"):
        assert option in text


def test_overview():
    text = tool.succeed("--help")
    assert "Exit status" in text
    assert tool.succeed("--version").startswith("gst-moshi ")


def test_doctor():
    report = json.loads(tool.succeed("doctor", "--model", tool.DEMO, "--json"))
    assert report["usable"] is True
    assert report["missing_elements"] == []
    assert [device["name"] for device in report["devices"]][-1] == "cpu"
    assert report["model"]["type"] == "moshi"
    assert 0 < report["model"]["frame_ms"]["median"] <= report["model"]["frame_ms"]["max"]
    text = tool.succeed("doctor", "--model", tool.DEMO)
    for word in ("LibTorch", "NVIDIA driver", "WSL2", "cpu", "elements", "verdict", "ready for"):
        assert word in text


def test_doctor_without_model():
    report = json.loads(tool.succeed("doctor", "--json", env={"GST_MOSHI_MODEL_DIR": "/nonexistent"}))
    assert report["usable"] is True
    assert "--model" in report["verdict"]


def test_bench():
    text = tool.succeed("bench", "--model", tool.DEMO, "--batch", "1,2", "--frames", "5", "--context", "20", "--stages")
    result = json.loads(text.splitlines()[-1])
    assert [entry["batch"] for entry in result["batches"]] == [1, 2]
    for entry in result["batches"]:
        for stage in ("encode", "lm", "decode", "frame"):
            assert 0 < entry[stage]["median_ms"] <= entry[stage]["p99_ms"] <= entry[stage]["max_ms"]
        assert set(entry["alone"]) == {"encode", "lm", "decode"}
        assert entry["frame"]["median_ms"] >= entry["lm"]["median_ms"]
        assert entry["allocations"] == entry["captures"] == 0
        assert 20 <= entry["positions"] < 20 + 64
        memory = entry["memory"]
        assert memory["used"] == sum(memory[part] for part in ("weights", "slots", "kv", "other"))
    assert result["bytes"]["lm_weights"] > 0 and result["context"] == 20
    assert len(tool.succeed("bench", "--model", tool.DEMO, "--frames", "2", "--json").splitlines()) == 1


def test_bench_at_a_full_context():
    config = json.loads((tool.DEMO / "config.json").read_text())
    text = tool.succeed("bench", "--model", tool.DEMO, "--frames", "5", "--context", config["context"], "--json")
    assert json.loads(text)["batches"][0]["positions"] == config["context"]


def test_bench_compares_precisions():
    text = tool.succeed("bench", "--model", tool.DEMO, "--precision", "int8", "--frames", "2", "--agreement", "100", "--json")
    agreement = json.loads(text)["agreement"]
    assert agreement["precisions"] == ["f32", "int8"]
    assert agreement["text"]["count"] == 100
    assert 0.8 < agreement["audio"]["same"] <= 1 and agreement["audio"]["largest_margin_of_another"] < 0.5


def test_bench_writes_a_trace(tmp_path):
    tool.succeed("bench", "--model", tool.DEMO, "--frames", "2", "--trace", tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {"encode", "LM step", "decode"} <= {event["name"] for event in events}
    done = tool.run("bench", "--model", tool.DEMO, "--frames", "2", "--trace", tmp_path / "none" / "trace.json")
    assert done.returncode == 3 and "expected a place for the trace" in done.stderr


@pytest.mark.parametrize("given, found", [((), "none"), (("tlak", "a.wav"), "tlak")])
def test_wrong_command_is_named(given, found):
    done = tool.run(*given)
    assert done.returncode == 2
    assert done.stderr == (f"gst-moshi: expected a command (one of talk phone serve encode decode forward generate batch bench doctor latency), "
                           f"found {found}; see gst-moshi --help\n")
