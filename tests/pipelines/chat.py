# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""`gst-moshi serve` in a process of its own, and what its clients do."""
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
import wave

import aiohttp
import numpy as np
import sphn

RATE = 24000
FRAME = 1920


class Server:
    def __init__(self, process, port, secure):
        self.process, self.port = process, port
        self.said = []  # Lines on stderr; all of them once it has ended.
        secure = "s" if secure else ""
        self.http = f"http{secure}://localhost:{port}"
        self.chat = f"ws{secure}://localhost:{port}/api/chat"


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def serving(*options, port=None):
    """A server that is ready; SIGTERM ends it, and it must end well."""
    port = port or free_port()
    # The machine may be busy while the server times its frames.
    command = [os.environ["GST_MOSHI_TOOL"], "serve", "--allow-slow", "--port", str(port), *map(str, options)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        server = Server(process, port, "--ssl" in options)
        server.said.append(process.stderr.readline())
        assert "listening" in server.said[0] and server.http in server.said[0], server.said
        try:
            yield server
        finally:
            process.terminate()
            server.said += process.communicate(timeout=60)[1].splitlines(keepends=True)
            print(*server.said)
        assert process.returncode == 0, server.said


def status(server):
    return json.load(urllib.request.urlopen(server.http + "/api/status"))


async def wait_until_free(server, seconds=10):
    for _ in range(seconds * 10):
        if status(server)["slots_used"] == 0:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("a place was not given back")


def refusal(server, path, **headers):
    """The error that an upgrade at `path` is answered with."""
    request = urllib.request.Request(server.http + path, headers={
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAA", **headers})
    try:
        urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        return error
    raise AssertionError("it was not refused")


def frame_of(payload):
    """A client's binary frame (RFC 6455), with a mask of zeros."""
    size = len(payload)
    if size < 126:
        head = bytes([0x82, 0x80 | size])
    elif size < 65536:
        head = bytes([0x82, 0xfe]) + size.to_bytes(2, "big")
    else:
        head = bytes([0x82, 0xff]) + size.to_bytes(8, "big")
    return head + bytes(4) + payload


def question(path):
    """The samples of a recording."""
    with wave.open(str(path)) as file:
        assert file.getframerate() == RATE
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").astype(np.float32) / 32768


def audio_messages(samples):
    """Messages of a client that sends `samples`, 80 ms each."""
    writer = sphn.OpusStreamWriter(RATE)
    chunks = [samples[i:i + FRAME] for i in range(0, len(samples) - FRAME + 1, FRAME)]
    pages = [writer.append_pcm(np.ascontiguousarray(chunk)) for chunk in chunks]
    return [b"\x01" + bytes(page) for page in pages if len(page) > 0]


async def receive(websocket, count, seconds=30):
    """The next `count` messages, pings left out."""
    messages = []

    async def collect():
        while len(messages) < count:
            message = await websocket.receive()
            assert message.type == aiohttp.WSMsgType.BINARY, message
            if message.data != b"\x06":
                messages.append(message.data)

    await asyncio.wait_for(collect(), seconds)
    return messages


async def first_messages(url, sent, count):
    """The first `count` messages that a client is sent who sends `sent` at once."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as websocket:
        for message in sent:
            await websocket.send_bytes(message)
        return await receive(websocket, count)


def pages(data):
    """(flags, sequence number, packets' sizes) of each page of Ogg in `data`."""
    found = []
    while data:
        assert data[:4] == b"OggS"
        flags, sequence, segments = data[5], int.from_bytes(data[18:22], "little"), data[26]
        sizes = data[27:27 + segments]
        found.append((flags, sequence, sum(size < 255 for size in sizes)))
        data = data[27 + segments + sum(sizes):]
    return found
