# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""`meson install` into a directory, which is moved then: tool, elements and model are found in it, and the examples
in it are built against it and asked what the capital of France is."""
import json
import os
import pathlib
import re
import subprocess
import types
import wave

import numpy as np
import pytest

ANSWER = "the capital is paris that makes twelve"


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """Its directories, and the environment of a user who has named them."""
    place = tmp_path_factory.mktemp("install")
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("LD_LIBRARY_PATH", "GST_PLUGIN_PATH_1_0", "GST_MOSHI_MODEL_DIR")}
    run("meson", "install", "-C", os.environ["BUILD_ROOT"], "--no-rebuild", "--quiet", "--destdir", place / "first",
        env=environment)
    (place / "first").rename(place / "moved")
    prefix = next(place.rglob("bin/gst-moshi")).parent.parent
    pkgconfig = next(prefix.rglob("gst-moshi.pc")).parent
    environment["PKG_CONFIG_PATH"] = str(pkgconfig)
    plugins = run("pkg-config", "--variable=pluginsdir", "gst-moshi", env=environment).stdout.strip()
    return types.SimpleNamespace(prefix=prefix, examples=prefix / "share/gst-moshi/examples", plugins=plugins,
                                 bare=environment, environment=environment | {"GST_PLUGIN_PATH": plugins})


def run(*command, **options):
    """The finished process, which has succeeded; stdout as text."""
    done = subprocess.run(list(map(str, command)), text=True, capture_output=True, check=False, timeout=300, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def build(tree, name):
    """The program of an example, compiled without a warning, once."""
    place = tree.prefix / "built" / name
    if not place.exists():
        run("meson", "setup", place, tree.examples / name, "-Dwarning_level=3", "-Dwerror=true", env=tree.environment)
        run("ninja", "-C", place, env=tree.environment)
    return place / name


def question(tree, place):
    """The spoken question as f32 samples at 24 kHz."""
    raw = place / "question.raw"
    run(*f"gst-launch-1.0 -q filesrc location={tree.examples}/question.wav ! wavparse ! audioconvert ! "
        f"audio/x-raw,format=F32LE ! filesink location={raw}".split(), env=tree.environment)
    return raw


def test_the_tool_finds_elements_and_model(tree, tmp_path):
    """Without a word in the environment."""
    tool = tree.prefix / "bin/gst-moshi"
    report = json.loads(run(tool, "doctor", "--json", env=tree.bare).stdout)
    assert pathlib.Path(report["model"]["directory"]).is_relative_to(tree.prefix)
    words = json.loads(run(tool, "talk", tree.examples / "question.wav", tmp_path / "reply.wav", "--greedy", "--json",
                           env=tree.bare).stdout)["words"]
    assert " ".join(word["text"] for word in words) == ANSWER


def test_gstreamer_finds_the_elements(tree):
    shown = run("gst-inspect-1.0", "moshilm", env=tree.environment).stdout
    assert f"{tree.plugins}/libgstmoshi.so" in shown


@pytest.mark.parametrize("name", ["library", "appsrc"])
def test_samples_in_samples_and_words_out(tree, tmp_path, name):
    program = build(tree, name)
    with open(question(tree, tmp_path), "rb") as samples:
        done = subprocess.run([program], stdin=samples, capture_output=True, check=True, env=tree.environment, timeout=60)
    words = [word for word in done.stderr.decode().split() if word.isalpha()]
    assert " ".join(words) == ANSWER
    asked = os.path.getsize(tmp_path / "question.raw") // 4
    reply = np.frombuffer(done.stdout, "<f4")
    assert len(reply) == -(-asked // 1920) * 1920
    seconds = [np.sqrt(np.mean(reply[i:i + 24000] ** 2)) for i in range(0, len(reply) - 23999, 24000)]
    assert max(seconds[:2]) < 0.01 < max(seconds[3:5])  # It listens, then speaks.


@pytest.mark.parametrize("name, what", [("library", "no-such-model"), ("appsrc", None)])
def test_what_is_wrong_is_one_line(tree, tmp_path, name, what):
    program = build(tree, name)
    environment = tree.environment | ({} if what else {"GST_MOSHI_MODEL_DIR": "/no/such/place"})
    done = subprocess.run([program, *filter(None, [what])], input=bytes(4 * 24000), capture_output=True, check=False,
                          env=environment, timeout=60)
    assert done.returncode == 1
    assert done.stderr.decode().count("\n") == 1
    assert (what or "/no/such/place") in done.stderr.decode()


def test_python(tree, tmp_path):
    talk = tree.examples / "python/talk.py"
    shown = run("/usr/bin/python3", talk, tree.examples / "question.wav", tmp_path / "reply.wav",
                env=tree.environment).stdout
    assert " ".join(line.split()[1] for line in shown.splitlines()) == ANSWER
    assert (tmp_path / "reply.wav").stat().st_size > 2 * 24000 * 9
    # The model is the one that is named.
    done = subprocess.run(["/usr/bin/python3", talk, tree.examples / "question.wav", tmp_path / "reply.wav", "/no/model"],
                          capture_output=True, text=True, check=False, env=tree.environment, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("/no/model: expected a model's directory")


def heard(path):
    """Loudness of each second of what a caller has heard."""
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        return [np.sqrt(np.mean(samples[i:i + 24000] ** 2)) for i in range(0, len(samples) - 23999, 24000)]


def test_two_calls_share_a_model(tree, tmp_path):
    """A busy machine may lose part of a live call: it may try again."""
    program = build(tree, "webrtc-agent")
    for _ in range(3):
        done = subprocess.run([program, tree.examples / "question.wav"], cwd=tmp_path, capture_output=True, text=True,
                              check=False, env=tree.environment, timeout=60)
        if "besides loopback" in done.stderr:
            pytest.skip("WebRTC needs a network interface besides loopback")
        assert done.returncode == 0, done.stderr
        if done.stdout.count(ANSWER) == 2:
            break
    _, sharing, *calls = done.stdout.splitlines()
    assert calls == [f"call {number}: {ANSWER}" for number in (1, 2)]
    assert int(re.search(r"held (\d+) times", sharing)[1]) > 6  # The application and six elements.
    for number in (1, 2):
        loudness = heard(tmp_path / f"call-{number}.wav")
        assert len(loudness) >= 8
        assert max(loudness[:2]) < 0.01 < max(loudness[2:5])


@pytest.mark.parametrize("arguments, status, line", [
    ([], 2, "usage: webrtc-agent QUESTION.wav"),
    (["/no/such.wav"], 1, "/no/such.wav: expected a WAV file, found nothing of this name"),
    ([__file__], 1, "The stream is of a different type"),
])
def test_what_is_wrong_with_a_call_is_one_line(tree, tmp_path, arguments, status, line):
    program = build(tree, "webrtc-agent")
    done = subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env=tree.environment, timeout=60)
    if "besides loopback" in done.stderr:
        pytest.skip("WebRTC needs a network interface besides loopback")
    assert (done.returncode, done.stderr.count("\n")) == (status, 1), done.stderr
    assert done.stderr.startswith(line)
