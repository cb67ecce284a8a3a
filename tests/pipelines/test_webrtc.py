# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Calls over WebRTC: a conversation with a client that is not ours, what each request is answered, and how calls end."""
import asyncio
import json
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

import aiohttp
import pytest

import tool
from chat import question, serving
from spoken import likeness, spoken_words
from webrtc_client import RATE, SDP, Call, other_address

ROOT = pathlib.Path(__file__).parents[2]
QUESTION_FILE = ROOT / "examples" / "question.wav"
QUESTION = question(QUESTION_FILE)
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


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

async def ask(http, server, address, direction="sendrecv"):
    """The call in which the question was asked, and is over."""
    call = Call(QUESTION, direction)
    await call.open(http, server.http + address + "?text_temperature=0&audio_temperature=0")
    created = await call.event("session.created")
    assert created["session"]["id"] == call.headers["Location"].rsplit("/", 1)[1]
    await asyncio.sleep(len(QUESTION) / RATE + 1.5)
    assert await places_used(http, server) == 1
    assert await delete(http, server, call) == 200
    await wait_until_free(http, server)
    assert await delete(http, server, call) == 404
    await call.leave()
    return call


def answered(server, *how):
    """Likewise, a call that was answered right: where another program takes the processor away, speech has gaps."""
    for _ in range(3):
        call = with_http(ask, server, *how)
        if call.said().split() == "the capital is paris that makes twelve".split():
            return call
    raise AssertionError(call.events)


def test_a_call_asks_and_is_answered(server, tmp_path):
    call = answered(server, "/whip")
    print(f"first sound {call.first_heard - call.connected:.3f} s after the connection")
    assert [event["type"] for event in call.events][:2] == ["session.created", "response.created"]
    assert "a=sendrecv" in call.answer
    starts = [event["start_ms"] for event in call.events if "start_ms" in event]
    assert starts == sorted(starts) and starts[0] > 1000
    spoken = spoken_words(tmp_path, QUESTION_FILE)["paris"]
    assert likeness(call.sound(), spoken) > 0.9
    assert likeness(QUESTION, spoken) < 0.8


def test_who_only_sends_is_answered_in_words(server):
    call = answered(server, "/v1/realtime/calls", "sendonly")
    assert "a=recvonly" in call.answer and not call.heard


def test_events_of_a_client_are_answered_and_steps_end(server):
    async def talk(http):
        call = Call()
        await call.open(http, server.http + "/whip?max_steps=20&voice_prompt=NATF2.pt")
        error = (await call.event("error"))["error"]
        assert error["message"] == "voice_prompt: this model has no prompts; the conversation goes on without one"
        call.events.clear()
        call.channel.send(json.dumps({"type": "response.create", "event_id": "mine"}))
        error = (await call.event("error"))["error"]
        assert (error["type"], error["code"], error["event_id"]) == (
            "invalid_request_error", "unsupported_event", "mine")
        call.events.clear()
        end = (await call.event("error"))["error"]
        assert (end["type"], end["code"]) == ("server_error", "steps")
        await wait_until_free(http, server)
        await call.leave()

    with_http(talk)


# ------------------------------------------------------------------------------------------- requests

# Of a client that never comes.
OFFER = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=-
t=0 0
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=mid:a
a=ice-ufrag:nobody
a=ice-pwd:nobodynobodynobodynobo
a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF
a=setup:actpass
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
"""


async def post(http, url, body=OFFER, headers=None):
    """Status, line and headers of the answer."""
    async with http.post(url, data=body, headers=headers if headers is not None else SDP) as answer:
        return answer.status, await answer.text(), answer.headers


@pytest.mark.parametrize("path, body, kind, status, line", [
    ("/whip", OFFER, "text/plain", 415, "expected application/sdp, found text/plain"),
    ("/whip", OFFER, "multipart/form-data; boundary=x", 415, "expected application/sdp, found multipart/form-data"),
    ("/v1/realtime/calls", OFFER, "application/json", 415,
     "expected application/sdp or multipart/form-data, found application/json"),
    ("/v1/realtime/calls", "--x\r\nContent-Disposition: form-data; name=\"session\"\r\n\r\n{}\r\n--x--\r\n",
     "multipart/form-data; boundary=x", 400, "expected a form with a part sdp, found none"),
    ("/v1/realtime/calls", "nothing", "multipart/form-data", 400, "expected a form with a part sdp, found none"),
    ("/whip", "hello", "application/sdp", 400, "expected an SDP offer, which begins with v=0, found 'hello'"),
    ("/whip", "", "application/sdp", 400, "expected an SDP offer, which begins with v=0, found ''"),
    ("/whip", OFFER.replace("opus", "g722"), "application/sdp", 422,
     "expected Opus (a=rtpmap:... opus/48000/2) among the audio's codecs, found none"),
    ("/whip?text_topk=many", OFFER, "application/sdp", 400, "text_topk: expected a number from 0 to 1048576, found many"),
    ("/whip/0123", OFFER, "application/sdp", 404, "there is no call at this address, or no more"),
    ("/whip/node/0123", OFFER, "application/sdp", 404, "there is nothing at this address"),
])
def test_what_is_no_offer_is_refused(server, path, body, kind, status, line):
    got, problem, _ = with_http(post, server.http + path, body, {"Content-Type": kind})
    assert (got, json.loads(problem)["detail"]) == (status, line)


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/whip", 204), ("HEAD", "/v1/realtime/calls", 204), ("PUT", "/whip", 405), ("DELETE", "/whip", 405),
    ("OPTIONS", "/whip", 200), ("OPTIONS", "/whip/0123", 200),
    ("GET", "/whip/0123", 404), ("DELETE", "/whip/0123", 404), ("PATCH", "/whip/0123", 404),
    ("POST", "/v1/realtime/calls/0123/hangup", 404),
])
def test_other_requests(server, method, path, status):
    async def requests(http):
        async with http.request(method, server.http + path) as answer:
            return answer.status, answer.headers
    got, headers = with_http(requests)
    assert got == status
    if method == "OPTIONS":
        assert headers["Accept-Post"] == "application/sdp"
        assert headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"


def test_pages_of_listed_origins_may_call():
    async def requests(http, server):
        page = {"Origin": "https://app.example"}
        asked = page | {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
        async with http.options(server.http + "/whip", headers=asked) as answer:
            assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
            assert "If-Match" in answer.headers["Access-Control-Allow-Headers"]
        status, _, headers = await post(http, server.http + "/whip", OFFER, SDP | page)
        assert (status, headers["Access-Control-Allow-Origin"]) == (201, "https://app.example")
        await http.delete(server.http + headers["Location"])
        assert {"Location", "ETag", "Link", "Retry-After"} <= set(headers["Access-Control-Expose-Headers"].split(", "))

    with serving("--origin", "https://app.example") as server:
        with_http(requests, server)


CANDIDATE = "a=candidate:1 1 udp 2122260223 192.0.2.99 50000 typ host\r\n"


def test_a_client_tells_of_further_addresses(server):
    async def requests(http):
        status, answer, headers = await post(http, server.http + "/whip")
        assert status == 201 and headers["Content-Type"] == "application/sdp"
        assert re.fullmatch("/whip/[0-9a-f]{32}", headers["Location"])
        assert "a=candidate:" in answer
        call = server.http + headers["Location"]
        tag = {"If-Match": headers["ETag"]}

        async def patch(body, headers):
            async with http.patch(call, data=body, headers=headers) as answer:
                text = await answer.text()
                return answer.status, json.loads(text)["detail"] if text else ""

        assert await patch(CANDIDATE, FRAGMENT | tag) == (204, "")
        assert await patch("a=ice-ufrag:nobody\r\n" + CANDIDATE + "a=candidate:new\r\n", FRAGMENT | tag) == (204, "")
        restart = "expected candidates of this call, found a restart of ICE: ask for a new call instead"
        assert await patch("a=ice-ufrag:other\r\n", FRAGMENT | tag) == (422, restart)
        assert await patch("a=ice-pwd:other\r\n", FRAGMENT | tag) == (422, restart)
        assert await patch(CANDIDATE, FRAGMENT | {"If-Match": "*"}) == (422, restart)
        assert await patch(CANDIDATE, FRAGMENT) == (428, "expected If-Match with the ETag of the call, found none")
        assert await patch(CANDIDATE, FRAGMENT | {"If-Match": '"old"'}) == (
            412, "expected If-Match with the ETag of the call, found '\"old\"'")
        assert await patch(CANDIDATE, SDP | tag) == (
            415, "expected application/trickle-ice-sdpfrag, found application/sdp")
        assert await patch("hello", FRAGMENT | tag) == (
            400, "expected lines of an SDP fragment, such as a=candidate:..., found 'hello'")
        async with http.get(call) as answer:
            assert answer.status == 204
        async with http.put(call) as answer:
            assert answer.status == 405
        async with http.delete(call) as answer:
            assert answer.status == 200
        await wait_until_free(http, server)

    with_http(requests)


def test_a_form_brings_settings_and_hangup_ends(server):
    async def requests(http):
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("sdp", OFFER)
        form.add_field("session", json.dumps({"type": "realtime", "audio_temperature": 0.5}))
        status, _, headers = await post(http, server.http + "/v1/realtime/calls", form, {})
        assert status == 201
        assert re.fullmatch("/v1/realtime/calls/[0-9a-f]{32}", headers["Location"])
        for expected in (200, 404):
            assert (await post(http, server.http + headers["Location"] + "/hangup", b"", {}))[0] == expected
            await wait_until_free(http, server)
        bad = aiohttp.FormData(default_to_multipart=True)
        bad.add_field("sdp", OFFER)
        bad.add_field("session", "[]")
        status, problem, _ = await post(http, server.http + "/v1/realtime/calls", bad, {})
        assert (status, json.loads(problem)["detail"]) == (
            400, "expected the part session to be a JSON object, found '[]'")
        await wait_until_free(http, server)

    with_http(requests)


def test_a_full_server_says_when_to_come_again(server):
    async def requests(http):
        places = [(await post(http, server.http + path))[2]["Location"] for path in ("/whip", "/v1/realtime/calls")]
        status, problem, headers = await post(http, server.http + "/whip")
        assert (status, headers["Retry-After"]) == (503, "5")
        assert json.loads(problem)["detail"] == "all 2 conversations are taken: try again later"
        for place in places:
            await http.delete(server.http + place)
        await wait_until_free(http, server)

    with_http(requests)


def test_nodes_servers_and_ports():
    servers = ["--stun", "stun://127.0.0.1:9", "--turn", "turn://user:secret@127.0.0.1:9"]

    async def requests(http, server):
        status, answer, headers = await post(http, server.http + "/whip")
        assert status == 201
        assert re.fullmatch("/whip/gpu-1/[0-9a-f]{32}", headers["Location"])
        assert headers.getall("Link") == [
            '<stun:127.0.0.1:9>; rel="ice-server"',
            '<turn:127.0.0.1:9>; rel="ice-server"; username="user"; credential="secret"; credential-type="password"']
        ports = [int(port) for port in re.findall(r"a=candidate:.* (\d+) typ host", answer)]
        assert ports and all(45000 <= port <= 45099 for port in ports)
        async with http.delete(server.http + headers["Location"]) as gone:
            assert gone.status == 200

    with serving("--node", "gpu-1", "--rtp-ports", "45000-45099", *servers) as server:
        with_http(requests, server)


@pytest.mark.parametrize("option, value, line", [
    ("--node", "a/b", "expected a name of letters, digits, - and ., found 'a/b'"),
    ("--stun", "stun:host", "expected stun://HOST:PORT, found 'stun:host'"),
    ("--turn", "turn://host:3478", "expected turn://USER:PASSWORD@HOST:PORT (or turns://...), found something else"),
    ("--rtp-ports", "5-4", "expected FIRST-LAST, such as 50000-50999, found '5-4'"),
])
def test_options_that_cannot_be_used_are_said(option, value, line):
    done = tool.run("serve", option, value)
    assert done.returncode == 2
    assert line in done.stderr


# --------------------------------------------------------------------------------------- how calls end

VANISHING = """
import asyncio, sys
import aiohttp
from webrtc_client import Call

async def talk():
    async with aiohttp.ClientSession() as http:
        call = Call()
        await call.open(http, sys.argv[1])
        await call.event("session.created")
        print("connected", flush=True)
        await asyncio.sleep(60)

asyncio.run(talk())
"""


def test_who_is_gone_or_never_comes_gives_the_place_back(server):
    """A client that is killed, and one that asks and does not wait for the answer."""
    with subprocess.Popen([sys.executable, "-c", VANISHING, server.http + "/whip"], cwd=pathlib.Path(__file__).parent,
                          stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout.readline() == "connected\n"
        client.send_signal(signal.SIGKILL)
        client.wait()

    async def wait(http):
        _, writer = await asyncio.open_connection("localhost", server.port)
        writer.write(f"POST /whip HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/sdp\r\n"
                     f"Content-Length: {len(OFFER)}\r\n\r\n{OFFER}".encode())
        await writer.drain()
        writer.transport.abort()
        while await places_used(http, server) < 2:
            await asyncio.sleep(0.05)
        seconds = await wait_until_free(http, server, 14)
        print(f"places free {seconds:.1f} s after a client was killed and another asked in vain")

    with_http(wait)


def resources(server):
    """Threads, descriptors and resident MiB of the server."""
    process = pathlib.Path("/proc") / str(server.process.pid)
    resident = int(re.search(r"VmRSS:\s+(\d+)", (process / "status").read_text())[1]) / 1024
    return len(list((process / "task").iterdir())), len(list((process / "fd").iterdir())), resident


def test_who_closes_the_connection_has_hung_up():
    async def talk(http, server):
        call = Call(QUESTION)
        await call.open(http, server.http + "/whip")
        await call.event("response.created")
        await asyncio.sleep(0.5)
        await call.leave()
        await wait_until_free(http, server)

    with serving() as server:
        with_http(talk, server)
    assert "failed" not in "".join(server.said)


def test_twenty_calls_leave_nothing_behind():
    async def rounds(http, server, count):
        seconds = []
        for _ in range(count):
            call = Call()
            await call.open(http, server.http + "/whip")
            seconds.append(call.answer_seconds)
            await call.event("session.created")
            for _ in range(250):
                if call.heard:
                    break
                await asyncio.sleep(0.02)
            assert call.heard
            assert await delete(http, server, call) == 200
            await wait_until_free(http, server)
            await call.leave()
        return seconds

    with serving("--max-sessions", 2) as server:
        with_http(rounds, server, 5)
        before = resources(server)
        seconds = with_http(rounds, server, 20)
        after = resources(server)
    print(f"answered within {1000 * statistics.median(seconds):.0f} ms, {1000 * max(seconds):.0f} ms at most; "
          f"threads, descriptors, MiB: {before} before 20 calls, {after} after them")
    assert statistics.median(seconds) < 0.05
    # A connection of HTTP may be about to close.
    assert after[0] <= before[0] and after[1] <= before[1] + 2
    assert after[2] < before[2] + 10


def test_a_stopping_server_tells_its_callers():
    async def talk(http, server):
        call = Call()
        await call.open(http, server.http + "/whip")
        await call.event("session.created")
        server.process.send_signal(signal.SIGTERM)
        error = (await call.event("error"))["error"]
        assert (error["type"], error["code"]) == ("server_error", "stopping")
        await call.leave()

    with serving("--drain-seconds", 1) as server:
        with_http(talk, server)
