# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""A real Asterisk, where one is installed (not on Debian 12), calls through the dialplan and the requests that docs/telephony.md prints."""
import base64
import contextlib
import json
import pathlib
import re
import socket
import subprocess
import time
import urllib.parse
import urllib.request
import wave

import pytest

from telephone import Phone, gst, loudness

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "telephony.md").read_text(encoding="utf-8")
CALLER = """
[caller]
exten => _q.,1,Answer()
 same => n,MixMonitor({place}/{{EXTEN}}.wav,r({place}/{{EXTEN}}-heard.wav))
 same => n,Playback({place}/question-8k)
 same => n,Hangup()
exten => ari,1,Answer()
 same => n,Stasis(moshi)
""".replace("{{EXTEN}}", "${{EXTEN}}")
USER = ("moshi", "moshi")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Asterisk:
    """One with nothing but these files, until the scope ends."""

    def __init__(self, place, dialplan):
        self.http = free_port()
        directories = {f"ast{name}dir": place / name for name in ("etc", "db", "spool", "run", "log")}
        for directory in directories.values():
            directory.mkdir()
        files = {
            "asterisk.conf": "[directories]\n" + "".join(f"{name} => {path}\n" for name, path in directories.items()),
            "modules.conf": "[modules]\nautoload = yes\n",
            "extensions.conf": dialplan,
            "http.conf": f"[general]\nenabled = yes\nbindaddr = 127.0.0.1\nbindport = {self.http}\n",
            "ari.conf": f"[general]\nenabled = yes\n[{USER[0]}]\ntype = user\npassword = {USER[1]}\n",
            "websocket_client.conf": "",
            "logger.conf": "[logfiles]\nmessages => notice,warning,error\n",
        }
        for name, text in files.items():
            (place / "etc" / name).write_text(text)
        self.command = ["asterisk", "-C", str(place / "etc" / "asterisk.conf")]

    def __enter__(self):
        self.process = subprocess.Popen([*self.command, "-f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if "has been up" in self.run("core waitfullybooted") or "fully booted" in self.run("core waitfullybooted"):
                return self
            time.sleep(0.2)
        raise AssertionError("Asterisk does not start")

    def __exit__(self, *_):
        self.run("core stop now")
        self.process.wait(timeout=30)

    def run(self, line):
        return subprocess.run([*self.command, "-rx", line], capture_output=True, text=True, check=False).stdout

    def call(self, extension, caller):
        self.run(f"channel originate Local/{extension}@moshi/n extension {caller}@caller")

    def ari(self, method, path, **query):
        address = f"http://127.0.0.1:{self.http}/ari/{path}?{urllib.parse.urlencode(query)}"
        request = urllib.request.Request(address, method=method)
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(USER).encode()).decode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    @contextlib.contextmanager
    def application(self, name):
        """Asterisk keeps channels for an application while its websocket is open; what it says there is not needed."""
        with socket.create_connection(("127.0.0.1", self.http)) as events:
            events.sendall(f"GET /ari/events?app={name}&api_key={':'.join(USER)} HTTP/1.1\r\nHost: localhost\r\n"
                           "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode())
            assert b"101" in events.recv(64)
            yield


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    place = tmp_path_factory.mktemp("asterisk")
    gst(f"filesrc location={ROOT}/examples/question.wav ! wavparse ! audioconvert ! audioresample ! "
        f"audio/x-raw,rate=8000,format=S16LE ! wavenc ! filesink location={place}/question-8k.wav")
    with Phone("--calls", 4) as phone:
        dialplan = "\n".join(re.findall(r"^```ini\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE))
        dialplan = dialplan.replace(":9092", f":{phone.audiosocket}").replace(":5004", f":{phone.rtp}")
        with Asterisk(place, dialplan + CALLER.format(place=place)) as asterisk:
            yield place, phone, asterisk


def answered(result):
    assert [word["text"] for word in result["words"]][:4] == ["the", "capital", "is", "paris"]


def test_the_dialplan_of_the_document(exchange):
    place, phone, asterisk = exchange
    extensions = re.findall(r"^exten => (\d+),1,", DOCUMENT, re.MULTILINE)
    assert extensions == ["100", "101", "102"]
    for extension in extensions:
        asterisk.call(extension, "q" + extension)
    results = [phone.result() for _ in extensions]
    kinds = sorted(result["kind"] for result in results)
    assert kinds in (["AudioSocket, 24000 Hz", "AudioSocket, 8000 Hz", "RTP, PCMU"],
                     ["AudioSocket, 8000 Hz", "AudioSocket, 8000 Hz", "RTP, PCMU"])  # before 2025
    for result in results:
        answered(result)
    for extension in extensions:
        with wave.open(f"{place}/q{extension}-heard.wav") as file:
            loud = loudness(place, file.readframes(file.getnframes()))
        assert max(loud[:2]) < 100 < 1000 < max(loud[2:])


def test_external_media_of_the_document(exchange):
    place, phone, asterisk = exchange
    media, add = re.findall(r"^curl -u moshi:moshi -X POST \"http://127.0.0.1:8088/ari/(.*)\"$", DOCUMENT, re.MULTILINE)
    with asterisk.application("moshi"):
        asterisk.run("channel originate Local/ari@caller/n extension qari@caller")
        bridge = asterisk.ari("POST", "bridges", type="mixing")["id"]
        for line in (media.replace(":5004", f":{phone.rtp}"), add.replace("BRIDGE", bridge)):
            path, _, query = line.partition("?")
            asterisk.ari("POST", path, **dict(urllib.parse.parse_qsl(query)))
        for _ in range(50):
            callers = [channel["id"] for channel in asterisk.ari("GET", "channels") if channel["id"] != "model"
                       and channel["dialplan"]["app_name"] == "Stasis" and channel["state"] == "Up"]
            if callers:
                break
            time.sleep(0.1)
        asterisk.ari("POST", f"bridges/{bridge}/addChannel", channel=callers[0])
        time.sleep(11)
        asterisk.ari("DELETE", "channels/model")
        result = phone.result()
    assert result["kind"] == "RTP, PCMU"
    assert "paris" in [word["text"] for word in result["words"]]
