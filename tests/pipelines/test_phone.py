# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""gst-moshi phone: calls answered in real time, several at once, and what goes wrong with them."""
import json
import signal
import socket
import statistics
import threading
import time
import types

import pytest

import tool
from telephone import (COMFORT_NOISE, PCMA, PCMU, TELEPHONE_EVENT, AudioSocketCaller, Phone, RtpCaller, loudness,
                       question)

SILENCE = [bytes(320)] * 50  # a second


def disturb(caller):
    """What else comes to an RTP port: a key pressed, comfort noise, RTCP, things that are no RTP."""
    caller.send(bytes((5, 0x80, 0, 160)), 0, TELEPHONE_EVENT)
    caller.send(b"\x40", 0, COMFORT_NOISE)
    caller.socket.send(b"\x80\xc8\x00\x06" + bytes(24))
    caller.socket.send(b"hello, is this a telephone?")
    caller.socket.send(b"")


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Three callers ask at once, with the embedded model; each ends its call in another way."""
    place = tmp_path_factory.mktemp("calls")
    questions = {law: question(place, law) for law in (PCMU, PCMA, None)}
    with Phone("--calls", 3, "--idle-timeout", 5, "--transcript", place / "words.jsonl") as phone:
        ulaw, alaw = RtpCaller(phone.rtp, PCMU), RtpCaller(phone.rtp, PCMA)
        asterisk = AudioSocketCaller(phone.audiosocket)

        def say_in_alaw():
            disturb(alaw)
            alaw.say(questions[PCMA][:25])
            disturb(alaw)
            alaw.sequence, alaw.silent = alaw.sequence - 2, False  # Events have numbers of their own here.
            alaw.say(questions[PCMA][25:])
            alaw.close()

        def say_over_audiosocket():
            asterisk.send(0x03, b"5")
            asterisk.say(questions[None])
            asterisk.send(0x00)

        threads = [threading.Thread(target=ulaw.say, args=(questions[PCMU], True)),
                   threading.Thread(target=say_in_alaw), threading.Thread(target=say_over_audiosocket)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        results = {result["kind"]: result for result in (phone.result() for _ in range(3))}
        quiet = phone.quiet()
    asterisk.wait_for_end()
    return types.SimpleNamespace(place=place, ulaw=ulaw, alaw=alaw, asterisk=asterisk, results=results, quiet=quiet,
                                 transcript=[json.loads(line) for line in
                                             (place / "words.jsonl").read_text().splitlines()])


@pytest.mark.parametrize("kind", ["RTP, PCMU", "RTP, PCMA", "AudioSocket, 8000 Hz"])
def test_a_question_is_answered(calls, kind):
    words = [word["text"] for word in calls.results[kind]["words"]]
    assert words[:4] == ["the", "capital", "is", "paris"]
    assert calls.quiet


def test_transcript_has_the_words_of_all_calls(calls):
    for result in calls.results.values():
        expected = [{**word, "call": result["call"], "id": result["id"]} for word in result["words"]]
        assert [word for word in calls.transcript if word["call"] == result["call"]] == expected
    assert calls.results["AudioSocket, 8000 Hz"]["id"] == str(calls.asterisk.identity)


@pytest.mark.parametrize("law", [PCMU, PCMA])
def test_the_answer_is_heard_over_rtp(calls, law):
    caller = calls.ulaw if law == PCMU else calls.alaw
    headers = [header for _, header, _ in caller.packets]
    assert {header[1] & 0x7F for header in headers} == {law}
    assert {(after[2] - before[2]) & 0xFFFF for before, after in zip(headers, headers[1:])} == {1}
    assert {(after[3] - before[3]) & 0xFFFFFFFF for before, after in zip(headers, headers[1:])} == {160}
    assert {len(payload) for _, _, payload in caller.packets[:-1]} == {160}
    times = [when for when, _, _ in caller.packets]
    assert 0.015 < statistics.median(after - before for before, after in zip(times, times[1:])) < 0.025
    loud = loudness(calls.place, b"".join(payload for _, _, payload in caller.packets), law)
    assert len(loud) >= 8
    assert max(loud[:2]) < 50 < 1000 < max(loud[2:5])


def test_the_answer_is_heard_over_audiosocket(calls):
    speech = [payload for kind, payload in calls.asterisk.messages if kind == 0x10]
    assert {len(payload) for payload in speech[:-1]} == {320}
    loud = loudness(calls.place, b"".join(speech))
    assert len(loud) >= 8
    assert max(loud[:2]) < 50 < 1000 < max(loud[2:5])
    assert calls.asterisk.messages[-1] == (0x00, b"")


def test_audiosocket_at_another_rate():
    with Phone("--model", tool.DEMO) as phone:
        caller = AudioSocketCaller(phone.audiosocket, kind=0x13)
        caller.say([bytes(960)] * 30)
        caller.send(0x00)
        assert phone.result()["kind"] == "AudioSocket, 24000 Hz"
        caller.wait_for_end()
    speech = [(kind, len(payload)) for kind, payload in caller.messages[:-1]]
    assert len(speech) > 10 and set(speech[:-1]) == {(0x13, 960)}


def test_malformed_audiosocket_ends_one_call_alone():
    with Phone("--model", tool.DEMO, "--calls", 3) as phone:
        good = AudioSocketCaller(phone.audiosocket)
        good.say(SILENCE[:10])
        with socket.create_connection(("127.0.0.1", phone.audiosocket)) as browser:
            browser.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert "an AudioSocket call, which begins with a UUID (kind 0x01), found a message of kind 0x47" in phone.message()
        bad = AudioSocketCaller(phone.audiosocket)
        bad.say(SILENCE[:10])
        bad.send(0x42)
        line = phone.message()
        assert line.startswith(f"gst-moshi: call 3: 127.0.0.1:{bad.socket.getsockname()[1]}: expected speech")
        assert line.endswith("found a message of kind 0x42\n")
        bad.wait_for_end()
        heard = len(good.messages)
        good.say(SILENCE[:20])
        assert len(good.messages) > heard
        good.send(0x00)
        assert phone.result()["call"] == 1
        assert phone.quiet()


def test_a_place_is_free_again_after_a_call():
    """One place: a second caller is refused in one line, and taken when the first has gone."""
    with Phone("--model", tool.DEMO, "--calls", 1) as phone:
        first = AudioSocketCaller(phone.audiosocket)
        first.say(SILENCE[:5])
        second = AudioSocketCaller(phone.audiosocket)
        second.wait_for_end()
        assert second.messages == [(0x00, b"")]
        caller = RtpCaller(phone.rtp, PCMU)
        caller.say([b"\xff" * 160] * 5)
        for _ in range(2):
            assert phone.message().endswith("expected at most 1 call at a time, found another; give --calls N for more\n")
        first.send(0x00)
        assert phone.result()["call"] == 1
        first.wait_for_end()
        caller.say([b"\xff" * 160] * 40)
        caller.close()
        assert phone.result()["kind"] == "RTP, PCMU"
        assert phone.quiet()


def test_other_codecs_are_refused_once():
    with Phone("--model", tool.DEMO, "--idle-timeout", 1) as phone:
        g729 = RtpCaller(phone.rtp, 18)
        g729.say([bytes(20)] * 25)
        assert phone.message().endswith("expected RTP of payload type 0 (PCMU, u-law) or 8 (PCMA, A-law), found 18; "
                                        "set the other side to one of these codecs\n")
        time.sleep(1.5)
        # Its place is free again.
        caller = RtpCaller(phone.rtp, PCMA)
        caller.say([b"\xd5" * 160] * 25)
        caller.close()
        assert phone.result()["kind"] == "RTP, PCMA"
        assert phone.quiet()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_hangs_up(how):
    with Phone("--model", tool.DEMO, "--calls", 2) as phone:
        caller, other = AudioSocketCaller(phone.audiosocket), RtpCaller(phone.rtp, PCMU)
        talking = threading.Thread(target=caller.say, args=(SILENCE * 10,), daemon=True)
        talking.start()
        other.say([b"\xff" * 160] * 25)
        phone.end(how)
        assert {phone.result()["kind"], phone.result()["kind"]} == {"AudioSocket, 8000 Hz", "RTP, PCMU"}
        caller.wait_for_end()
        assert caller.messages[-1] == (0x00, b"")
        assert phone.quiet()


def test_addresses_in_use_are_named():
    with Phone("--model", tool.DEMO) as phone:
        for option, port in (("--rtp", phone.rtp), ("--audiosocket", phone.audiosocket)):
            done = tool.run("phone", option, f"127.0.0.1:{port}", "--model", tool.DEMO)
            assert done.returncode == 1
            assert done.stderr.startswith(
                f"gst-moshi: {option}: expected a free address of this machine, found '127.0.0.1:{port}': ")
            assert len(done.stderr.splitlines()) == 1
