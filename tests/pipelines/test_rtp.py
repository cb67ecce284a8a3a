# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Speech through UDP on this machine, in real time; and the launch lines of the RTP elements' documentation."""
import pathlib
import re
import shlex
import signal
import subprocess
import time
import wave

import pytest

ROOT = pathlib.Path(__file__).parents[2]
QUESTION = "filesrc location=examples/question.wav ! wavparse ! audioconvert ! audioresample ! mimienc"
WAV = "audioconvert ! audio/x-raw,format=S16LE ! wavenc ! filesink location="


def launch_lines(element: str) -> list[str]:
    source = (ROOT / "plugins" / "rtp" / f"gst{element}.cpp").read_text(encoding="utf-8")
    return re.findall(r"^ \* (gst-launch-1.0 .*)$", source, re.MULTILINE)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A directory to write to that has the examples, like the project's."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(line: str) -> None:
    subprocess.run(shlex.split(line), check=True, timeout=120)


class Receiver:
    """A pipeline that runs until this scope ends, and then must end without an error."""

    def __init__(self, line: str):
        self.line = line

    def __enter__(self):
        command = shlex.split(self.line.replace("gst-launch-1.0", "gst-launch-1.0 -e", 1))
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(4)  # Its port is open, its model is loaded.

    def __exit__(self, *_):
        time.sleep(2)
        self.process.send_signal(signal.SIGINT)
        output, _ = self.process.communicate(timeout=60)
        assert self.process.returncode in (0, -signal.SIGINT), output
        assert "ERROR" not in output, output


def samples(path: pathlib.Path) -> bytes:
    with wave.open(str(path)) as file:
        return file.readframes(file.getnframes())


@pytest.mark.parametrize("sender", ["redundancy=0", "redundancy=2 frames-per-packet=3"])
def test_speech_arrives_as_it_was_sent(place, sender):
    caps = "application/x-rtp,media=audio,clock-rate=24000,encoding-name=X-MIMI,codebooks=(string)5,cardinality=(string)512"
    with Receiver(
        f"gst-launch-1.0 udpsrc port=5020 'caps={caps}' ! rtpjitterbuffer latency=60 do-lost=true ! rtpmimidepay"
        f" ! mimidec ! {WAV}{place}/received.wav"
    ):
        run(f"gst-launch-1.0 {QUESTION} ! rtpmimipay {sender} ! udpsink host=127.0.0.1 port=5020")
    run(f"gst-launch-1.0 {QUESTION} ! mimidec ! {WAV}{place}/local.wav")
    received, local = samples(place / "received.wav"), samples(place / "local.wav")
    # The last frame's padding is cut off only where no network lies between.
    assert 0 <= len(received) - len(local) < 1920 * 2
    assert received[: len(local)] == local


def test_documented_launch_lines(place):
    (receiver,) = launch_lines("rtpmimidepay")
    udp, both = launch_lines("rtpmimipay")
    with Receiver(receiver):
        run(udp)
    run(both)
    assert (place / "through-rtp.wav").stat().st_size > 9 * 24000 * 4
