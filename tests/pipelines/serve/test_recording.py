# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""What `gst-moshi serve` writes down of conversations, where it is asked to, and says of itself to clients who ask."""
import asyncio
import json
import pathlib
import stat

import aiohttp
import numpy as np
import pytest
import sphn

import tool
from chat import RATE, audio_messages, question, receive, serving, status, wait_until_free
from webrtc_client import Call, other_address

QUESTION = question(pathlib.Path(__file__).parents[3] / "examples" / "question.wav")
GREEDY = "?text_temperature=0&audio_temperature=0"


async def ask(server):
    """Asks the question in its time; returns what the model says."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.chat + GREEDY) as websocket:
        said = ""

        async def listen():
            nonlocal said
            async for message in websocket:
                if message.data[0] == 2:
                    said += message.data[1:].decode()
        listening = asyncio.create_task(listen())
        for message in audio_messages(QUESTION):
            await websocket.send_bytes(message)
            await asyncio.sleep(0.08)
        await asyncio.sleep(1)
        await websocket.close()
        await listening
    await wait_until_free(server)
    return said


def loudness(samples):
    return np.sqrt((samples ** 2).mean())


def test_a_conversation_is_written_down(tmp_path):
    with serving("--record", tmp_path) as server:
        assert status(server)["recording"] is True
        said = asyncio.run(ask(server))
    sound, words = sorted(tmp_path.iterdir(), key=lambda path: path.suffix, reverse=True)
    assert (sound.suffix, words.suffix) == (".opus", ".jsonl")
    for file in (sound, words):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    head, *lines = map(json.loads, words.read_text().splitlines())
    assert head["session"] in sound.name and head["transport"] == "websocket"
    assert [line["text"] for line in lines] == said.split()
    samples, rate = sphn.read_opus(sound)
    assert samples.shape[0] == 2
    seconds = len(QUESTION) / RATE
    assert seconds - 0.5 < samples.shape[1] / rate < seconds + 1
    user, model = samples
    # The first frame is not heard.
    heard = sphn.resample(user[np.newaxis], rate, RATE)[0]
    size = min(len(heard), len(QUESTION) - 1920)
    spectrum = np.fft.rfft(heard[:size]) * np.conj(np.fft.rfft(QUESTION[1920:1920 + size]))
    assert np.abs(np.fft.irfft(spectrum)).max() > 0.7 * size * loudness(heard[:size]) * loudness(QUESTION[1920:1920 + size])
    first = int(lines[0]["start"] * rate)
    assert loudness(model[first:]) > 0.01


@pytest.mark.skipif(not other_address(), reason="expected a network interface besides lo, found none: ICE needs one")
def test_a_call_is_written_down(tmp_path):
    async def talk(server):
        async with aiohttp.ClientSession() as http:
            call = Call(QUESTION)
            await call.open(http, server.http + "/whip" + GREEDY)
            await asyncio.sleep(len(QUESTION) / RATE + 1.5)
            assert (await http.delete(server.http + call.headers["Location"])).status == 200
            await call.leave()
        await wait_until_free(server)
        return call

    with serving("--record", tmp_path) as server:
        call = asyncio.run(talk(server))
    words, sound = sorted(tmp_path.iterdir())
    head, *lines = map(json.loads, words.read_text().splitlines())
    assert head["transport"] == "webrtc"
    assert [line["text"] for line in lines] == call.said().split()
    samples, rate = sphn.read_opus(sound)
    user, model = samples
    assert abs(samples.shape[1] / rate - len(QUESTION) / RATE - 1.5) < 1.5
    assert loudness(user) > 0.5 * loudness(QUESTION)
    # The model is heard when its words say so.
    assert loudness(model[int(lines[0]["start"] * rate):int((lines[-1]["end"] + 0.5) * rate)]) > 0.01


def test_nothing_is_written_of_those_who_say_nothing(tmp_path):
    async def come_and_go(server):
        async with aiohttp.ClientSession() as session, session.ws_connect(server.chat) as websocket:
            await receive(websocket, 1)
        await wait_until_free(server)

    with serving("--record", tmp_path) as server:
        asyncio.run(come_and_go(server))
    assert not list(tmp_path.iterdir())


def test_a_conversation_goes_on_where_nothing_can_be_written(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    with serving("--record", place) as server:
        place.rmdir()
        assert "paris" in asyncio.run(ask(server))
    assert len(server.said) == 2
    assert server.said[1].startswith(f"gst-moshi: a recording is lost: {place}/")
    assert "expected a place to write, found: No such file or directory" in server.said[1]


def test_a_place_that_cannot_be_written_to_is_named():
    done = tool.run("serve", "--record", "/nowhere")
    assert (done.returncode, done.stderr) == (
        3, "gst-moshi: --record /nowhere: expected a directory to write in, found none\n")


def test_metadata_come_first_where_they_are_wanted():
    async def first_two(server, query):
        async with aiohttp.ClientSession() as session, session.ws_connect(server.chat + query) as websocket:
            return [(await websocket.receive()).data for _ in range(2)]

    with serving("--max-sessions", 4) as server:
        metadata, handshake = asyncio.run(first_two(server, "?metadata=1&text_topk=7&audio_temperature=0.5"))
        assert handshake == b"\x00"
        assert metadata[0] == 4
        fields = json.loads(metadata[1:])
        assert fields["text_topk"] == 7 and fields["audio_temperature"] == 0.5
        # The names that the web client wants.
        assert set(fields) == {
            "text_temperature", "text_topk", "audio_temperature", "audio_topk", "pad_mult", "repetition_penalty_context",
            "repetition_penalty", "lm_model_file", "mimi_model_file", "instance_name", "build_info"}
        assert set(fields["build_info"]) == {
            "build_timestamp", "build_date", "git_branch", "git_timestamp", "git_date", "git_hash", "git_describe",
            "rustc_host_triple", "rustc_version", "cargo_target_triple"}
        assert asyncio.run(first_two(server, ""))[0] == b"\x00"
        assert status(server)["recording"] is False
