# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""gst-moshi latency: the paths that need no devices, measured with the embedded model, and its errors."""
import json
from xml.etree import ElementTree

import pytest

import tool

CHIRPS = 4
PATHS = ("microphone", "rtp-mimi", "rtp-opus", "phone")
# The embedded model's codec says a frame later what it hears.
CODEC_MS = 80


def measure(*arguments):
    # Where another program takes the processor away, warnings tell of late frames.
    done = tool.run("latency", *arguments, "--chirps", str(CHIRPS), "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def results():
    return {path: measure(path) for path in PATHS}


@pytest.mark.parametrize("path", PATHS)
def test_figures(results, path):
    result = results[path]
    assert result["path"] == path and result["chirps"] == CHIRPS
    assert CHIRPS - 1 <= result["heard"] == len(result["delays_ms"]) <= CHIRPS
    assert result["min_ms"] == min(result["delays_ms"])
    assert result["min_ms"] <= result["median_ms"] <= result["p95_ms"] <= result["p99_ms"] <= result["max_ms"]
    assert result["model_delay_ms"] == 80
    names = [part["pipeline"] for part in result["declared"]]
    assert names == (["conversation"] if path == "microphone" else ["caller's sender", "conversation", "caller's receiver"])


def rest_ms(result):
    """What is neither declared at the end nor the codec's."""
    return result["median_ms"] - sum(part["latency_ms"] for part in result["declared"]) - CODEC_MS


@pytest.mark.parametrize("path", PATHS)
def test_what_pipelines_declare_is_what_is_heard(results, path):
    # Resamplers, filters and Opus take some milliseconds. A busy machine makes elements declare more or less in the course
    # of a run, but not of each.
    expected = pytest.approx(15, abs=60)
    assert rest_ms(results[path]) == expected or rest_ms(measure(path)) == expected or rest_ms(measure(path)) == expected


def test_a_longer_jitter_buffer_is_heard(results):
    """There is one at each end."""
    longer = measure("rtp-opus", "--jitter-buffer", "160")
    assert longer["median_ms"] - results["rtp-opus"]["median_ms"] == pytest.approx(2 * 100, abs=60)


def test_output_for_people(tmp_path):
    svg = tmp_path / "latency.svg"
    done = tool.run("latency", "--chirps", "2", "--svg", svg)
    assert done.returncode == 0, done.stderr
    for words in ("mouth to ear", "2 chirps heard (2 said)", "|####", "median", "p99", "conversation, as it declares",
                  "first answer to a sound comes 80 ms after"):
        assert words in done.stdout
    assert "microphone: mouth to ear" in ElementTree.parse(svg).getroot().itertext()


def test_model_whose_codec_passes_no_speech():
    """Random weights."""
    done = tool.run("latency", "--chirps", "1", "--model", tool.DEMO, "--quiet")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("gst-moshi: microphone: expected to hear 1 chirps, found none")
    assert len(done.stderr.splitlines()) == 1
