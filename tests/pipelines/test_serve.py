# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Conversations over /api/chat: the reference's own client, the reference's own server beside ours, and clients that
misbehave."""
import argparse
import asyncio
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

import aiohttp
from aiohttp import web
import numpy as np
import pytest

import sound_hardware
import tool
from chat import audio_messages, first_messages, frame_of, pages, question, receive, refusal, serving, status, wait_until_free

sys.modules["sounddevice"] = sound_hardware
os.environ |= {"NO_TORCH_COMPILE": "1", "NO_CUDA_GRAPH": "1"}  # before the reference is imported
from moshi import client  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
MODEL = ROOT / "models" / "little-moshi"
QUESTION = question(ROOT / "examples" / "question.wav")
HANDSHAKE, AUDIO, TEXT, ERROR = b"\x00", 1, 2, 5


@pytest.fixture(name="server", scope="module")
def server_fixture():
    with serving("--max-sessions", 2) as server:
        yield server


class Listener(client.RawPrinter):
    """Keeps what the client would print."""

    def __init__(self):
        super().__init__()
        self.said = ""

    def print_token(self, token):
        self.said += token

    def log(self, level, msg):
        pass

    def print_lag(self):
        pass

    def print_pending(self):
        pass


def test_the_references_client_holds_a_conversation(server):
    sound_hardware.Hardware.heard = QUESTION
    sound_hardware.Hardware.spoken.clear()
    listener = Listener()

    async def talk():
        options = argparse.Namespace(url=None, https=False, host="localhost", port=server.port)
        try:
            await asyncio.wait_for(client.run(listener, options), len(QUESTION) / 24000 + 4)
        except asyncio.TimeoutError:
            pass
        await wait_until_free(server)

    asyncio.run(talk())
    assert "paris" in listener.said
    assert "twelve" in listener.said
    spoken = np.concatenate(sound_hardware.Hardware.spoken)
    assert np.sqrt((spoken ** 2).mean()) > 0.01


def reference_app():
    """The reference's server with the same model, greedy."""
    sys.path.insert(0, str(ROOT / "tests" / "parity"))
    import reference
    reference.torch.set_grad_enabled(False)
    # The module serves as soon as it is imported: without its last lines it does not.
    source = pathlib.Path(client.__file__).with_name("server.py").read_text()
    module = {"__name__": "moshi.server", "__package__": "moshi"}
    exec(source[:source.index("\nwith torch.no_grad()")], module)
    description = reference.checkpoint(MODEL)
    state = module["ServerState"](description.model_type, description.get_mimi("cpu"), description.get_text_tokenizer(),
                                  description.get_moshi("cpu", dtype=reference.torch.float32), 1.0, "cpu",
                                  use_sampling=False)
    app = web.Application()
    app.router.add_get("/api/chat", state.handle_chat)
    return app


def test_first_messages_are_the_references(server):
    sent = audio_messages(QUESTION[:40 * 1920])
    count = 20

    async def both():
        runner = web.AppRunner(reference_app())
        await runner.setup()
        site = web.TCPSite(runner, "localhost", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        theirs = await first_messages(f"ws://localhost:{port}/api/chat", sent, count)
        await runner.cleanup()
        # At once means more than may wait: in their time.
        ours = await paced(server.chat + "?text_temperature=0&audio_temperature=0", sent, count)
        return theirs, ours

    theirs, ours = asyncio.run(both())
    assert [message[0] for message in ours] == [message[0] for message in theirs]
    assert ours[0] == theirs[0] == HANDSHAKE
    assert [m for m in ours if m[0] == TEXT] == [m for m in theirs if m[0] == TEXT]
    for one, other in zip(ours, theirs):
        if one[0] == AUDIO:
            assert pages(one[1:]) == pages(other[1:])


async def paced(url, sent, count):
    """As first_messages(), for a client that sends in real time."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as websocket:
        async def send():
            for message in sent:
                await websocket.send_bytes(message)
                await asyncio.sleep(0.08)
        sending = asyncio.create_task(send())
        messages = await receive(websocket, count)
        sending.cancel()
        return messages


def test_a_full_server_says_when_to_come_again(server):
    async def fill():
        async with aiohttp.ClientSession() as session:
            first = await session.ws_connect(server.chat)
            second = await session.ws_connect(server.chat)
            assert await receive(second, 1) == [HANDSHAKE]
            assert status(server)["slots_used"] == 2
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await session.ws_connect(server.chat)
            assert refusal.value.status == 503
            assert refusal.value.headers["Retry-After"] == "5"
            await first.close()
            await second.close()
        await wait_until_free(server)

    asyncio.run(fill())


@pytest.mark.parametrize("query, line", [
    ("text_topk=many", "text_topk: expected a number from 0 to 1048576, found many"),
    ("audio_temperature=11", "audio_temperature: expected a number from 0 to 10, found 11"),
    ("audio_temperature=nan", "audio_temperature: expected a number from 0 to 10, found nan"),
])
def test_bad_settings_are_named(server, query, line):
    problem = refusal(server, "/api/chat?" + query)
    assert json.load(problem) == {"title": "Bad Request", "status": 400, "detail": line}


def test_prompts_are_answered_where_there_are_none(server):
    url = server.chat + "?voice_prompt=NATF2.pt&text_prompt=You%20are%20kind.&seed=-1&unknown=1"

    async def talk():
        return await paced(url, audio_messages(QUESTION[:10 * 1920]), 4)

    messages = asyncio.run(talk())
    assert messages[0] == HANDSHAKE
    assert messages[1:3] == [
        b"\x05voice_prompt: this model has no prompts; the conversation goes on without one",
        b"\x05text_prompt: this model has no prompts; the conversation goes on without one"]
    assert messages[3][0] == AUDIO


def test_garbage_ends_its_own_conversation_alone(server):
    async def talk():
        async with aiohttp.ClientSession() as session, session.ws_connect(server.chat) as bad:
            good = asyncio.create_task(paced(server.chat, audio_messages(QUESTION[:30 * 1920]), 20))
            await bad.send_str("words")
            await bad.send_bytes(b"")
            await bad.send_bytes(b"\x09?")
            for _ in range(5):
                await bad.send_bytes(b"\x01" + bytes(range(256)) * 120)
            assert await receive(bad, 2) == [
                HANDSHAKE, b"\x05expected Ogg Opus in messages of kind 1, found other bytes"]
            assert (await bad.receive()).type == aiohttp.WSMsgType.CLOSE
            assert bad.close_code == 1008
            assert len(await good) == 20
        await wait_until_free(server)

    asyncio.run(talk())


def test_a_page_may_come_in_pieces(server):
    stream = b"".join(message[1:] for message in audio_messages(QUESTION[:20 * 1920]))
    pieces = [b"\x01" + stream[i:i + 50] for i in range(0, len(stream), 50)]

    async def talk():
        async with aiohttp.ClientSession() as session, session.ws_connect(server.chat) as websocket:
            for number, piece in enumerate(pieces):
                await websocket.send_bytes(piece)
                if number % 8 == 0:
                    await asyncio.sleep(0.05)
            return await receive(websocket, 5)

    assert asyncio.run(talk())[1][0] == AUDIO


def test_silence_of_the_client_does_not_end_it(server):
    async def talk():
        async with aiohttp.ClientSession() as session, session.ws_connect(server.chat) as websocket:
            assert await receive(websocket, 1) == [HANDSHAKE]
            # Clients give up after 10 s without a message.
            message = await asyncio.wait_for(websocket.receive(), 9)
            assert message.data == b"\x06"

    asyncio.run(talk())


def test_files_are_those_below_their_directory(tmp_path):
    (tmp_path / "page").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "page" / "index.html").write_text("<p>hello")
    (tmp_path / "page" / "decoder.wasm").write_bytes(b"\0asm")
    (tmp_path / "page" / "link").symlink_to("/etc/passwd")
    with serving("--static", tmp_path / "page") as server:
        assert urllib.request.urlopen(server.http + "/").read() == b"<p>hello"
        answer = urllib.request.urlopen(server.http + "/decoder.wasm")
        assert answer.headers["Content-Type"] == "application/wasm"
        for path in ("/nothing", "/%2e%2e/secret", "/link", "/..%2fsecret"):
            with pytest.raises(urllib.error.HTTPError) as refusal:
                urllib.request.urlopen(server.http + path)
            assert refusal.value.code in (400, 404)


def test_a_client_that_does_not_read_is_cut_off(server):
    noise = np.random.default_rng(1).normal(0, 0.2, 2000 * 1920).astype(np.float32)
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("localhost", server.port))
        raw.sendall(b"GET /api/chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert raw.recv(12) == b"HTTP/1.1 101"
        with pytest.raises(OSError):
            for message in audio_messages(noise):
                raw.sendall(frame_of(message))
                time.sleep(0.01)
    asyncio.run(wait_until_free(server))


def test_encrypted(tmp_path):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
    trust = ssl.create_default_context(cafile=tmp_path / "cert.pem")
    trust.check_hostname = False

    async def talk(server):
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(server.chat, ssl=trust) as websocket:
                return await receive(websocket, 1)

    with serving("--ssl", tmp_path) as server:
        assert asyncio.run(talk(server)) == [HANDSHAKE]


@pytest.mark.parametrize("options, code, line", [
    (["--ssl", "/nowhere"], 3, "--ssl /nowhere: expected cert.pem and key.pem, found: "),
    (["--static", "/nowhere"], 3, "--static /nowhere: expected a directory, found none"),
    (["--host", "no.such.host.invalid"], 2, "--host no.such.host.invalid: expected an address of this machine, found: "),
    (["--port", "0"], 2, "--port"),
    (["--model", str(tool.STT)], 2, "expected a model that speaks, found one that writes text only: "),
])
def test_what_cannot_be_served_is_said(options, code, line):
    done = tool.run("serve", *options)
    assert done.returncode == code
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_named(server):
    done = tool.run("serve", "--port", server.port)
    assert done.returncode == 1
    assert f"expected port {server.port} of localhost to be free, found: " in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_stopping_server_lets_conversations_end():
    async def talk(server):
        async with aiohttp.ClientSession() as session, session.ws_connect(server.chat) as websocket:
            assert await receive(websocket, 1) == [HANDSHAKE]
            server.process.send_signal(signal.SIGTERM)
            while True:
                try:
                    urllib.request.urlopen(server.http + "/readyz")
                    await asyncio.sleep(0.05)
                except urllib.error.HTTPError as refusal:
                    assert refusal.code == 503
                    break
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await session.ws_connect(server.chat)
            assert refusal.value.status == 503
            message = await websocket.receive()
            while message.type == aiohttp.WSMsgType.BINARY:
                message = await websocket.receive()
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)

    with serving("--drain-seconds", 1) as server:
        asyncio.run(talk(server))
