# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Both releases of sphn that clients write and read Ogg Opus with: 0.2, of moshi's programs, and 0.1, of PersonaPlex's."""
import asyncio
import contextlib
import importlib
import pathlib
import sys
import time

import aiohttp
import numpy as np
import pytest
import sphn

from chat import FRAME, RATE, question, serving

ROOT = pathlib.Path(__file__).parents[3]
OLDER = ROOT / ".venv" / "sphn-0.1"
QUESTION = question(ROOT / "examples" / "question.wav")
SECONDS_AFTER = 3
AUDIO, TEXT = 1, 2


def older_release():
    """0.1, beside the release that is installed."""
    installed = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "sphn"}
    sys.path.insert(0, str(OLDER))
    try:
        return importlib.import_module("sphn")
    finally:
        sys.path.pop(0)
        sys.modules.update(installed)


class Newer:
    def __init__(self):
        self.writer, self.reader = sphn.OpusStreamWriter(RATE), sphn.OpusStreamReader(RATE)

    def pages_of(self, pcm):
        return self.writer.append_pcm(pcm)

    def pcm_of(self, pages):
        return self.reader.append_bytes(pages)


class Older:
    """Works in threads of its own: what comes out, a packet at a time, may be of what went in before."""

    def __init__(self):
        older = older_release()
        self.writer, self.reader = older.OpusStreamWriter(RATE), older.OpusStreamReader(RATE)

    def pages_of(self, pcm):
        self.writer.append_pcm(pcm)
        return self.writer.read_bytes()

    def pcm_of(self, pages):
        self.reader.append_bytes(pages)
        packets = list(iter(lambda: self.reader.read_pcm().tobytes(), b""))
        return np.frombuffer(b"".join(packets), np.float32)


@pytest.fixture(name="server", scope="module")
def server_fixture():
    with serving("--max-sessions", 1) as server:
        yield server


async def converse(server, stream):
    """(words, samples) of the answer to a client that waits for the handshake, as PersonaPlex's do."""
    words, heard = "", []

    async def send(websocket):
        samples = np.concatenate([QUESTION, np.zeros(SECONDS_AFTER * RATE, np.float32)])
        begun = time.monotonic()
        for i in range(0, len(samples) - FRAME + 1, FRAME):
            if pages := stream.pages_of(samples[i:i + FRAME]):
                await websocket.send_bytes(b"\x01" + pages)
            await asyncio.sleep(max(0, begun + (i + FRAME) / RATE - time.monotonic()))

    async with aiohttp.ClientSession() as session, session.ws_connect(server.chat) as websocket:
        assert await websocket.receive_bytes() == b"\x00"
        sending = asyncio.create_task(send(websocket))
        with contextlib.suppress(asyncio.TimeoutError):
            while True:
                message = await websocket.receive_bytes(timeout=2)
                if message[0] == AUDIO:
                    heard.append(stream.pcm_of(message[1:]))
                elif message[0] == TEXT:
                    words += message[1:].decode()
        await sending
    return words, np.concatenate(heard)


@pytest.mark.parametrize("release", [
    Newer,
    pytest.param(Older, marks=pytest.mark.skipif(not OLDER.exists(), reason="expected sphn 0.1 in .venv/sphn-0.1, found none "
                                                                            "(scripts/setup --tests)")),
])
def test_a_stream_is_heard_and_its_answer_read(server, release):
    words, heard = asyncio.run(converse(server, release()))
    assert "paris" in words
    assert "twelve" in words
    assert len(heard) > len(QUESTION)
    assert np.sqrt((heard ** 2).mean()) > 0.01
