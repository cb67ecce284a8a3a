# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""A SIP telephone (baresip) calls; sipp answers and sends its sound to gst-moshi phone."""
import pathlib
import socket
import subprocess
import wave

from telephone import PCMA, Phone, gst, loudness

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_sip_telephone_is_answered_in_alaw(tmp_path):
    gst(f"filesrc location={EXAMPLES}/question.wav ! wavparse ! audioconvert ! audioresample ! audio/x-raw,rate=8000 ! "
        f"wavenc ! filesink location={tmp_path}/question-8k.wav")
    sip_port = free_port()
    with Phone() as phone:
        answerer = subprocess.Popen(
            ["sipp", "-sf", EXAMPLES / "answer.xml", "-i", "127.0.0.1", "-p", str(sip_port), "-key", "rtp_port",
             str(phone.rtp), "-key", "payload_type", str(PCMA), "-m", "1", "-nostdin"],
            stdout=subprocess.DEVNULL, cwd=tmp_path)
        try:
            subprocess.run(["baresip", "-f", EXAMPLES / "baresip", "-e", f"/dial sip:moshi@127.0.0.1:{sip_port}",
                            "-t", "12"], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
            assert answerer.wait(timeout=30) == 0, "sipp has seen the whole call"
        finally:
            answerer.kill()
        result = phone.result()
        assert result["kind"] == "RTP, PCMA"
        assert [word["text"] for word in result["words"]][:4] == ["the", "capital", "is", "paris"]
        assert phone.quiet()
    (heard,) = tmp_path.glob("dump-*-dec.wav")
    with wave.open(str(heard)) as file:
        loud = loudness(tmp_path, file.readframes(file.getnframes()))
    assert max(loud[:2]) < 50 < 1000 < max(loud[2:])
