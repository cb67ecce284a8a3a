# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""LiveKit's client of PersonaPlex's server, as agents have it, asks `gst-moshi serve`. No LiveKit server takes part: the
session is driven as its agent drives it."""
import asyncio
import pathlib

import aiohttp
import numpy as np
import pytest

from chat import RATE, question, serving, status, wait_until_free

realtime = pytest.importorskip("livekit.plugins.nvidia.experimental.realtime",
                               reason="expected livekit-plugins-nvidia, found none (scripts/setup --tests)")
from livekit import rtc  # noqa: E402

QUESTION = question(pathlib.Path(__file__).parents[3] / "examples" / "question.wav")
# An agent is brought 20 ms at a time.
PIECE = RATE // 50
SECONDS_AFTER = 3


@pytest.fixture(name="server")
def server_fixture():
    with serving("--max-sessions", 1) as server:
        yield server


class Agent:
    """Keeps what a session's generations bring."""

    def __init__(self, session):
        self.said, self.heard, self.errors, self.reading = "", [], [], []
        session.on("generation_created", lambda event: self.read(self.messages(event)))
        session.on("error", self.errors.append)

    def read(self, stream):
        self.reading.append(asyncio.create_task(stream))

    async def messages(self, event):
        async for message in event.message_stream:
            self.read(self.text(message))
            self.read(self.audio(message))

    async def text(self, message):
        async for piece in message.text_stream:
            self.said += piece

    async def audio(self, message):
        async for frame in message.audio_stream:
            self.heard.append(np.frombuffer(frame.data, np.int16) / 32768)


async def ask(session, samples):
    """Pushes them in real time, and silence for the answer's end."""
    samples = np.concatenate([samples, np.zeros(SECONDS_AFTER * RATE, np.float32)])
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for i in range(0, len(samples) - PIECE + 1, PIECE):
        pcm = (samples[i:i + PIECE] * 32767).astype("<i2").tobytes()
        session.push_audio(rtc.AudioFrame(data=pcm, sample_rate=RATE, num_channels=1, samples_per_channel=PIECE))
        await asyncio.sleep(max(0, begun + (i + PIECE) / RATE - loop.time()))


def test_an_agents_session_holds_a_conversation(server):
    async def talk():
        async with aiohttp.ClientSession() as http:
            model = realtime.RealtimeModel(base_url=f"ws://localhost:{server.port}", http_session=http)
            session = model.session()
            agent = Agent(session)
            await ask(session, QUESTION)
            assert status(server)["slots_used"] == 1
            await session.aclose()
            await asyncio.gather(*agent.reading)
            await wait_until_free(server)
            return agent

    agent = asyncio.run(talk())
    assert not agent.errors
    assert "paris" in agent.said
    assert "twelve" in agent.said
    assert np.sqrt((np.concatenate(agent.heard) ** 2).mean()) > 0.01
