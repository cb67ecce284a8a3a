# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Who may hold conversations with `gst-moshi serve`, how long, and who waits."""
import asyncio
import json
import time
import urllib.request

import aiohttp
import numpy as np
import pytest

import tool
from chat import RATE, audio_messages, receive, refusal, serving, wait_until_free

HANDSHAKE = b"\x00"
KEY = "0123456789abcdef0123456789abcdef"
OTHER_KEY = "fedcba9876543210fedcba9876543210"


@pytest.fixture(name="keys")
def keys_fixture(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"# of the tests\n{KEY}\n{OTHER_KEY}\n")
    return file


async def connect(server, query="", **headers):
    """The status an upgrade is refused with, or 101."""
    async with aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(server.chat + query, headers=headers) as websocket:
                assert await receive(websocket, 1) == [HANDSHAKE]
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status


def test_keys_open_the_door(keys):
    with serving("--keys", keys, "--max-sessions", 8) as server:
        assert asyncio.run(connect(server, Authorization=f"Bearer {KEY}")) == 101
        assert asyncio.run(connect(server, Authorization=f"bearer {OTHER_KEY}")) == 101
        assert asyncio.run(connect(server, f"?token={KEY}")) == 101
        for query, headers in (("", {}), ("?token=", {}), ("?token=" + KEY[1:], {}), ("", {"Authorization": KEY}),
                               ("", {"Authorization": f"Basic {KEY}"}), ("", {"Authorization": f"Bearer {KEY} "[:-2]})):
            assert asyncio.run(connect(server, query, **headers)) == 401
        problem = refusal(server, "/api/chat?token=wrong")
        assert problem.headers["WWW-Authenticate"] == "Bearer"
        assert problem.headers["Content-Type"] == "application/problem+json"
        assert json.load(problem) == {
            "title": "Unauthorized", "status": 401,
            "detail": "expected a key of this server as Authorization: Bearer KEY or ?token=KEY, found another"}
        assert urllib.request.urlopen(server.http + "/api/status").status == 200


def test_pages_of_other_origins_are_kept_out():
    with serving("--origin", "https://app.example", "--max-sessions", 8) as server:
        own = f"http://localhost:{server.port}"
        for origin, status in (("https://app.example", 101), (own, 101), ("https://evil.example", 403), ("null", 403)):
            assert asyncio.run(connect(server, Origin=origin)) == status
        assert asyncio.run(connect(server)) == 101
        for origin, shared in (("https://app.example", "https://app.example"), ("https://evil.example", None)):
            request = urllib.request.Request(server.http + "/api/status", headers={"Origin": origin})
            assert urllib.request.urlopen(request).headers["Access-Control-Allow-Origin"] == shared


def test_too_many_conversations_a_minute(keys):
    with serving("--keys", keys, "--rate", 2, "--max-sessions", 8) as server:
        for _ in range(2):
            assert asyncio.run(connect(server, f"?token={KEY}")) == 101
        problem = refusal(server, f"/api/chat?token={KEY}")
        assert problem.code == 429
        assert 0 < int(problem.headers["Retry-After"]) <= 30
        assert asyncio.run(connect(server, f"?token={OTHER_KEY}")) == 101


def test_who_waits_comes_in_when_a_place_is_free():
    async def talk(server):
        async with aiohttp.ClientSession() as session:
            first = await session.ws_connect(server.chat)
            assert await receive(first, 1) == [HANDSHAKE]
            waiting = asyncio.create_task(session.ws_connect(server.chat))
            await asyncio.sleep(1)
            assert not waiting.done()
            # One place, one that waits: the next is told at once.
            assert await connect(server) == 503
            await first.close()
            second = await waiting
            assert await receive(second, 1) == [HANDSHAKE]
            # In vain.
            begun = time.monotonic()
            assert await connect(server) == 503
            assert time.monotonic() - begun > 2
            await second.close()

    with serving("--max-sessions", 1, "--queue-seconds", 3) as server:
        asyncio.run(talk(server))


def test_a_client_that_does_not_wait_frees_its_turn():
    async def talk(server):
        async with aiohttp.ClientSession() as session:
            first = await session.ws_connect(server.chat)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(session.ws_connect(server.chat), 0.5)
            await first.close()
            await wait_until_free(server)

    with serving("--max-sessions", 1, "--queue-seconds", 60) as server:
        asyncio.run(talk(server))


async def ending(server, speech=None):
    """The close code of a conversation whose client sends `speech` in its time, and nothing else."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.chat) as websocket:
        async def send():
            for message in speech or []:
                await websocket.send_bytes(message)
                await asyncio.sleep(0.08)
        sending = asyncio.create_task(send())
        async for _ in websocket:
            pass
        sending.cancel()
        return websocket.close_code


def test_conversations_have_their_time():
    speech = audio_messages(np.zeros(RATE * 8, np.float32))
    with serving("--session-seconds", 3) as server:
        assert asyncio.run(asyncio.wait_for(ending(server, speech), 30)) == 1008


def test_a_client_that_says_nothing_is_sent_away():
    with serving("--idle-seconds", 2) as server:
        assert asyncio.run(asyncio.wait_for(ending(server), 30)) == 1008


@pytest.mark.parametrize("options, code, line", [
    (["--keys", "/nowhere"], 3, "--keys /nowhere: expected a file, found: No such file or directory"),
    (["--origin", "app.example"], 2, "--origin app.example: expected where pages are from, as "
     "https://app.example:8443 or *, found another form"),
    (["--rate", "-1"], 2, "--rate"),
    (["--queue-seconds", "many"], 2, "--queue-seconds"),
])
def test_options_that_cannot_be_used_are_named(options, code, line):
    done = tool.run("serve", *options)
    assert done.returncode == code
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
