# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""A client over WebRTC that is not ours: aiortc."""
import asyncio
import contextlib
import fractions
import json
import os
import pathlib
import time

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

RATE = 24000
PACKET = 480  # 20 ms
SDP = {"Content-Type": "application/sdp"}


def other_address():
    """Whether this machine has an address besides its loopback's, which ICE leaves out."""
    return any(name != "lo" and (pathlib.Path("/sys/class/net") / name / "operstate").read_text() == "up\n"
               for name in os.listdir("/sys/class/net"))


class Mouth(MediaStreamTrack):
    """Says samples in real time, then is silent."""
    kind = "audio"

    def __init__(self, samples):
        super().__init__()
        self.samples, self.sent, self.begun = samples, 0, None

    async def recv(self):
        self.begun = self.begun or time.monotonic()
        await asyncio.sleep(max(0, self.begun + self.sent / RATE - time.monotonic()))
        piece = self.samples[self.sent:self.sent + PACKET]
        sound = np.zeros(PACKET, dtype=np.int16)
        sound[:len(piece)] = piece * 32767
        frame = av.AudioFrame.from_ndarray(sound[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.sent, fractions.Fraction(1, RATE)
        self.sent += PACKET
        return frame


class Call:
    """A call: what was heard, and what events told."""

    def __init__(self, samples=(), direction="sendrecv"):
        self.connection = RTCPeerConnection()
        self.connection.addTransceiver(Mouth(np.asarray(samples, dtype=np.float32)), direction=direction)
        self.channel = self.connection.createDataChannel("oai-events")
        self.events, self.heard = [], []
        self.connected = self.first_heard = self.hearing = None
        self.channel.on("message", lambda text: self.events.append(json.loads(text)))
        self.connection.on("track", self.listen)
        self.connection.on("connectionstatechange", self.look)

    def look(self):
        if self.connection.connectionState == "connected":
            self.connected = time.monotonic()

    def listen(self, track):
        async def hear():
            with contextlib.suppress(MediaStreamError):
                while True:
                    frame = await track.recv()
                    self.first_heard = self.first_heard or time.monotonic()
                    self.heard.append(frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0])
        self.hearing = asyncio.ensure_future(hear())

    async def offer(self):
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def open(self, http, url):
        """Asks for the call and connects."""
        offer = await self.offer()
        begun = time.monotonic()
        async with http.post(url, data=offer, headers=SDP) as answer:
            self.answer = await answer.text()
            self.answer_seconds = time.monotonic() - begun
            assert answer.status == 201, self.answer
            self.headers = answer.headers
        await self.connection.setRemoteDescription(RTCSessionDescription(self.answer, "answer"))

    async def event(self, kind, seconds=10):
        """The first event of a type, once it is there."""
        for _ in range(seconds * 50):
            for event in self.events:
                if event["type"] == kind:
                    return event
            await asyncio.sleep(0.02)
        raise AssertionError(f"no {kind} among {self.events}")

    def said(self):
        return "".join(event["delta"] for event in self.events
                       if event["type"] == "response.output_audio_transcript.delta")

    def sound(self):
        """What was heard, at 24 kHz."""
        return np.concatenate(self.heard)[::2].astype(np.float32) / 32768

    async def leave(self):
        """Without a word to the server."""
        await self.connection.close()
