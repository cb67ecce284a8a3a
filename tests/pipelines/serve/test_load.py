# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Clients that do harm beside two that ask, in real time: those are answered as if they were alone (tools/serve/load)."""
import asyncio
import contextlib
import importlib.machinery
import importlib.util
import pathlib

import aiohttp
import numpy as np

from chat import receive, serving, wait_until_free

ROOT = pathlib.Path(__file__).parents[3]


def load(path):
    loader = importlib.machinery.SourceFileLoader("load", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


tool = load(ROOT / "tools" / "serve" / "load")
MESSAGES = tool.question_messages(ROOT / "examples" / "question.wav")


async def closed(websocket):
    """Reads until the server closes, and tells with which code."""
    async for _ in websocket:
        pass
    return websocket.close_code


async def send_garbage(websocket):
    noise = np.random.default_rng(1)
    for _ in range(8):
        await websocket.send_bytes(b"\x01" + noise.bytes(20000))
    assert await closed(websocket) == 1008


async def flood(websocket):
    """Sends good speech, as fast as it goes."""
    reading = asyncio.create_task(closed(websocket))
    with contextlib.suppress(ConnectionError):
        while not reading.done():
            for message in MESSAGES:
                await websocket.send_bytes(message)
            await asyncio.sleep(0)
    assert await reading != 1000


async def stall(websocket):
    """Sends nothing more, and stays."""
    for message in MESSAGES[:6]:
        await websocket.send_bytes(message)
    await receive(websocket, 3)
    await closed(websocket)


async def never_read(websocket):
    await tool.send(websocket, MESSAGES, tool.time.monotonic())


async def misbehave(session, url, behaviour):
    async with session.ws_connect(url) as websocket:
        await behaviour(websocket)


def test_good_clients_are_answered_beside_bad_ones():
    bad = (send_garbage, flood, stall, never_read)

    async def talk(server):
        async with aiohttp.ClientSession() as session:
            harm = [asyncio.create_task(misbehave(session, server.chat, behaviour)) for behaviour in bad]
            answers = await tool.ask_together(server.chat, MESSAGES, 2)
            garbage, flooding, stalled, unread = harm
            assert garbage.done() and flooding.done() and not stalled.done()
            await asyncio.gather(garbage, flooding)
            for task in (stalled, unread):
                task.cancel()
            await asyncio.gather(stalled, unread, return_exceptions=True)
        await wait_until_free(server)
        return answers

    with serving("--max-sessions", 2 + len(bad)) as server:
        answers = asyncio.run(talk(server))
    assert [answer.fault for answer in answers] == ["", ""]


def test_a_bad_answer_is_told():
    assert tool.Answer(expected=3, arrivals=[1, 2]).fault == "expected 3 frames of speech, found 2"
    assert tool.Answer(expected=1, arrivals=[1], words=" hello").fault == "expected paris and twelve, found: hello"
    silence = [bytes(tool.sphn.OpusStreamWriter(tool.RATE).append_pcm(np.zeros(tool.FRAME, np.float32)))]
    answer = tool.Answer(expected=1, arrivals=[1], words="paris twelve", pages=silence)
    assert answer.fault == "expected speech, found a level of 0.0000"
