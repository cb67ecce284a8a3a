# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Calls over WebRTC: a conversation with a client that is not ours, what each request is answered, and how calls end."""
import asyncio
import json
import os
import pathlib
import time

import aiohttp
import numpy as np
import pytest

import tool
from chat import question, serving
from webrtc_client import RATE, SDP, Call

ROOT = pathlib.Path(__file__).parents[2]
QUESTION_FILE = ROOT / "examples" / "question.wav"
QUESTION = question(QUESTION_FILE)
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


def other_address():
    """Whether this machine has an address besides its loopback's, which ICE leaves out."""
    return any(name != "lo" and (pathlib.Path("/sys/class/net") / name / "operstate").read_text() == "up\n"
               for name in os.listdir("/sys/class/net"))


pytestmark = pytest.mark.skipif(not other_address(), reason="expected a network interface besides lo, found none: "
                                "ICE does not use the loopback")


@pytest.fixture(name="server", scope="module")
def server_fixture():
    with serving("--max-sessions", 2) as server:
        yield server


def with_http(use, *arguments):
    """Runs `use` with a session of HTTP."""
    async def run():
        async with aiohttp.ClientSession() as http:
            return await use(http, *arguments)
    return asyncio.run(run())


async def places_used(http, server):
    async with http.get(server.http + "/api/status") as status:
        return (await status.json())["slots_used"]


async def wait_until_free(http, server, seconds=5):
    """The seconds until no place is taken."""
    begun = time.monotonic()
    while await places_used(http, server) > 0:
        assert time.monotonic() - begun < seconds, "a place was not given back"
        await asyncio.sleep(0.05)
    return time.monotonic() - begun


async def delete(http, server, call):
    async with http.delete(server.http + call.headers["Location"]) as answer:
        return answer.status


# --------------------------------------------------------------------------------------- a conversation

def spectrum(samples):
    """Logarithmic energies in 24 bands, 100 times a second."""
    hop, window = RATE // 100, 512
    pieces = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop] * np.hanning(window)
    energies = np.abs(np.fft.rfft(pieces))[:, 1:193].reshape(len(pieces), 24, 8).sum(2)
    return np.log(energies + 0.05)


def likeness(sound, word):
    """How much the most similar part of `sound` is like `word`, 1 at most."""
    def normal(part):
        part = part - part.mean()
        return part / (np.linalg.norm(part) + 1e-9)
    there, sought = spectrum(sound), normal(spectrum(word))
    return max(float((normal(there[i:i + len(sought)]) * sought).sum()) for i in range(len(there) - len(sought)))


def spoken_word(tmp_path, text):
    """The sound of a word in the model's reply without a network."""
    words = json.loads(tool.succeed("talk", QUESTION_FILE, tmp_path / "reply.wav", "--greedy", "--json"))["words"]
    word, = [word for word in words if word["text"] == text]
    return question(tmp_path / "reply.wav")[int(word["start"] * RATE):int((word["end"] + 0.3) * RATE)]


def test_a_call_asks_and_is_answered(server, tmp_path):
    async def talk(http):
        call = Call(QUESTION)
        await call.open(http, server.http + "/whip?text_temperature=0&audio_temperature=0")
        created = await call.event("session.created")
        await asyncio.sleep(len(QUESTION) / RATE + 1.5)
        assert await places_used(http, server) == 1
        assert await delete(http, server, call) == 200
        assert await delete(http, server, call) == 404
        await wait_until_free(http, server)
        await call.leave()
        return call, created

    call, created = with_http(talk)
    print(f"first sound of the reply {call.first_heard - call.connected:.3f} s after the connection")
    assert created["session"]["id"] == call.headers["Location"].rsplit("/", 1)[1]
    assert [event["type"] for event in call.events][:2] == ["session.created", "response.created"]
    assert "a=sendrecv" in call.answer
    assert call.said().split() == "the capital is paris that makes twelve".split()
    starts = [event["start_ms"] for event in call.events if "start_ms" in event]
    assert starts == sorted(starts) and starts[0] > 1000
    spoken = spoken_word(tmp_path, "paris")
    assert likeness(call.sound(), spoken) > 0.9
    assert likeness(QUESTION, spoken) < 0.8
