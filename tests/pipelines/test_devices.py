# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""What needs a microphone and a loudspeaker, with PulseAudio's virtual ones: `gst-moshi talk` alone, and their delay."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest

import tool

QUESTION = pathlib.Path(__file__).parents[2] / "examples" / "question.wav"
# What is played into the room the microphone hears.
DEVICES = """
load-module module-native-protocol-unix auth-anonymous=1 socket={socket}
load-module module-null-sink sink_name=room rate=48000 norewinds=1
load-module module-null-sink sink_name=loudspeaker rate=48000 norewinds=1
set-default-source room.monitor
set-default-sink loudspeaker
"""

pytestmark = pytest.mark.skipif(shutil.which("pulseaudio") is None, reason="PulseAudio is not installed")


@pytest.fixture(autouse=True)
def pulseaudio(tmp_path, monkeypatch):
    socket = tmp_path / "socket"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PULSE_RUNTIME_PATH", str(tmp_path / "run"))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{socket}")
    (tmp_path / "devices").write_text(DEVICES.format(socket=socket))
    command = ["pulseaudio", "-n", "-F", tmp_path / "devices", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        while not socket.exists():
            assert server.poll() is None, server.stderr.read()
            time.sleep(0.1)
        yield
        server.terminate()


def converse(tmp_path):
    """(words, what was heard at the loudspeaker) when the question is played into the room."""
    recorder = subprocess.Popen(["gst-launch-1.0", "-q", "-e", *f"pulsesrc device=loudspeaker.monitor ! audioconvert"
                                 f" ! audio/x-raw,channels=1 ! wavenc ! filesink location={tmp_path}/heard.wav".split()])
    talk = subprocess.Popen([os.environ["GST_MOSHI_TOOL"], "talk", "--greedy"], stdout=subprocess.PIPE, text=True)
    time.sleep(4)  # The model is loaded.
    subprocess.run(["gst-launch-1.0", "-q", *f"filesrc location={QUESTION} ! wavparse ! audioconvert ! audioresample"
                    " ! pulsesink device=room".split()], check=True)
    time.sleep(2)
    for process in (talk, recorder):
        process.send_signal(signal.SIGINT)
    words = [line.split()[2] for line in talk.communicate(timeout=60)[0].splitlines()]
    assert talk.returncode == 0
    recorder.wait(timeout=60)
    return words, tool.read_wav(tmp_path / "heard.wav")


def test_talk_without_arguments(tmp_path):
    # Where another program takes the processor away, frames are lost, and words misheard; but not each time.
    for _ in range(3):
        words, (rate, (heard,)) = converse(tmp_path)
        if "paris" in words:
            break
    assert "paris" in words
    # It is quiet while the question is asked, and then speaks.
    loud = np.abs(heard[: len(heard) // rate * rate].reshape(-1, rate)).max(axis=1) > 1000
    assert 2 <= loud.sum() <= 8 and not loud[:3].any(), loud


def test_delay_of_devices(monkeypatch):
    """From the loudspeaker into the microphone: PulseAudio says how much they hold, and adds its own."""
    monkeypatch.setenv("PULSE_SOURCE", "loudspeaker.monitor")
    result = json.loads(tool.succeed("latency", "devices", "--chirps", "4", "--json"))
    assert result["heard"] == 4 and result["model_delay_ms"] == 0
    assert [part["pipeline"] for part in result["declared"]] == ["loudspeaker", "microphone"]
    declared = sum(part["latency_ms"] for part in result["declared"])
    assert declared - 15 < result["median_ms"] < declared + 150


def test_without_devices(monkeypatch):
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent")
    done = tool.run("latency", "devices", "--chirps", "1", "--quiet")
    assert done.returncode == 1 and done.stdout == ""
    last = done.stderr.splitlines()[-1]  # ALSA has said something before.
    assert "expected an audio device (or files: gst-moshi talk IN OUT.wav), found" in last
