# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""What operators of `gst-moshi serve` see: metrics, health, and the log."""
import asyncio
import json
import pathlib
import signal
import socket
import urllib.error
import urllib.request

import aiohttp
import pytest

import tool
from chat import audio_messages, free_port, question, receive, refusal, serving, wait_until_free

QUESTION = question(pathlib.Path(__file__).parents[3] / "examples" / "question.wav")
KEY = "0123456789abcdef0123456789abcdef"
WRONG = "not-one-of-the-keys-of-this-server"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def talk(server, frames, query="", **headers):
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(server.chat + query, headers=headers) as websocket:
            async def send():
                for message in audio_messages(QUESTION[:frames * 1920]):
                    await websocket.send_bytes(message)
                    await asyncio.sleep(0.08)
            sending = asyncio.create_task(send())
            await receive(websocket, frames - 4)
            await sending
    await wait_until_free(server)


def metrics(port):
    """Values by name and labels, as written."""
    answer = urllib.request.urlopen(f"http://localhost:{port}/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = (line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines}


def test_metrics_tell_what_happened():
    port = free_port()
    with serving("--admin-port", port, "--max-sessions", 1) as server:
        before = metrics(port)
        assert before["moshi_slots"] == 1
        assert before["moshi_slots_used"] == 0
        asyncio.run(talk(server, 20))
        assert refusal(server, "/api/chat?text_topk=many").code == 400
        after = metrics(port)
        assert after['moshi_sessions_total{result="client",transport="websocket"}'] == 1
        assert after['moshi_sessions_rejected_total{reason="bad_request"}'] == 1
        assert after["moshi_first_audio_seconds_count"] == 1
        assert after["moshi_session_seconds_count"] == 1
        assert 10 <= after["moshi_step_seconds_count"] <= 20
        assert 0 < after["moshi_step_seconds_sum"]
        # Not where everybody can reach them.
        with pytest.raises(urllib.error.HTTPError) as nothing:
            urllib.request.urlopen(server.http + "/metrics")
        assert nothing.value.code == 404


def test_health_is_on_both_ports():
    port = free_port()
    with serving("--admin-port", port) as server:
        for address in (server.http, f"http://localhost:{port}"):
            assert urllib.request.urlopen(address + "/livez").read() == b"ok\n"
            assert urllib.request.urlopen(address + "/readyz").read() == b"ok\n"
            assert json.load(urllib.request.urlopen(address + "/api/status"))["slots_used"] == 0
            build = json.load(urllib.request.urlopen(address + "/api/build_info"))
            assert build["version"] and build["libtorch"]
            assert (build["device"], build["cuda"]) == ("cpu", build["cuda"])
        with pytest.raises(urllib.error.HTTPError) as nothing:
            urllib.request.urlopen(f"http://localhost:{port}/api/chat")
        assert nothing.value.code == 404


def test_the_log_has_a_line_of_json_an_event(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(KEY + "\n")
    with serving("--log", "json", "--keys", keys, "--max-sessions", 1, "--drain-seconds", 0) as server:
        asyncio.run(talk(server, 12, "?token=" + KEY, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01"))
        assert refusal(server, "/api/chat?token=" + WRONG).code == 401
        assert refusal(server, "/api/chat", Authorization="Bearer " + WRONG).code == 401
        assert refusal(server, "/api/chat?token=" + KEY + "&text_topk=%0a%ff").code == 400

        async def stay():
            async with aiohttp.ClientSession() as session:
                async with session.ws_connect(server.chat, headers={"Authorization": "Bearer " + KEY}) as websocket:
                    await receive(websocket, 1)
                    server.process.send_signal(signal.SIGTERM)
                    async for _ in websocket:
                        pass
        asyncio.run(stay())
    lines = [json.loads(line) for line in server.said]
    assert [line["event"] for line in lines] == [
        "listening", "session_begin", "session_end", "refused", "refused", "refused", "session_begin", "draining", "session_end"]
    begin, end = lines[1:3]
    assert begin["session"] == end["session"]
    assert begin["trace_id"] == end["trace_id"] == TRACE
    assert (end["transport"], end["reason"]) == ("websocket", "client")
    assert end["remote"] in ("127.0.0.1", "::1")
    assert 8 <= end["frames_out"] <= end["frames_in"] <= 12
    assert [(line["reason"], line["status"]) for line in lines[3:6]] == [("auth", 401), ("auth", 401), ("bad_request", 400)]
    assert lines[8]["reason"] == "stopping"
    everything = "".join(server.said)
    assert KEY not in everything and WRONG not in everything
    assert "paris" not in everything


def test_as_many_files_as_the_system_allows():
    with serving() as server:
        limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text().splitlines()
    soft, hard = next(line.split()[3:5] for line in limits if line.startswith("Max open files"))
    assert soft == hard


def test_the_log_for_people_tells_of_trouble_alone():
    with serving("--idle-seconds", 1) as server:
        asyncio.run(talk(server, 12))

        async def stay():
            async with aiohttp.ClientSession() as session, session.ws_connect(server.chat) as websocket:
                async for _ in websocket:
                    pass
        asyncio.run(stay())
    assert server.said == [f"listening on {server.http}\n", "gst-moshi: a conversation ended: idle\n"]


@pytest.mark.parametrize("options, code, line", [
    (["--log", "xml"], 2, "--log"),
    (["--admin-port", "70000"], 2, "--admin-port"),
    (["--agent-port", "70000"], 2, "--agent-port"),
    (["--admin-port", "1", "--admin-host", "no.such.host.invalid"], 2,
     "--admin-host no.such.host.invalid: expected an address of this machine, found: "),
])
def test_options_that_cannot_be_used_are_named(options, code, line):
    done = tool.run("serve", "--port", free_port(), *options)
    assert done.returncode == code
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_agents_port_that_is_taken_is_named():
    with socket.create_server(("localhost", 0)) as holder:
        port = holder.getsockname()[1]
        done = tool.run("serve", "--port", free_port(), "--host", "127.0.0.1", "--agent-port", port)
    assert done.returncode == 1
    assert f"expected port {port} of 127.0.0.1 to be free, found: " in done.stderr
    assert "; choose another with --agent-port\n" in done.stderr
