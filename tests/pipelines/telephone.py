# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""gst-moshi phone under test, and callers for it."""
import contextlib
import json
import os
import pathlib
import queue
import signal
import socket
import struct
import subprocess
import threading
import time
import uuid

import numpy as np

QUESTION = pathlib.Path(__file__).parents[2] / "examples" / "question.wav"
PACKET_SECONDS = 0.02
PCMU, PCMA, COMFORT_NOISE, TELEPHONE_EVENT = 0, 8, 13, 101
LAWS = {PCMU: "mulaw", PCMA: "alaw"}


def gst(line):
    subprocess.run(["gst-launch-1.0", "-q", *line.split()], check=True, timeout=60)


def question(place, law=None, rate=8000):
    """Packets of 20 ms of the spoken question, as samples of 16 bits or in a law."""
    raw = place / f"question-{law}-{rate}"
    gst(f"filesrc location={QUESTION} ! wavparse ! audioconvert ! audioresample ! "
        f"audio/x-raw,format=S16LE,rate={rate} ! {LAWS[law] + 'enc ! ' if law is not None else ''}filesink location={raw}")
    data = raw.read_bytes()
    size = round(rate * PACKET_SECONDS) * (1 if law is not None else 2)
    return [data[i:i + size] for i in range(0, len(data) - size + 1, size)]


def loudness(place, sound, law=None):
    """Of each second of speech at 8 kHz."""
    if law is not None:
        (place / "said").write_bytes(sound)
        gst(f"filesrc location={place}/said ! audio/x-{LAWS[law]},rate=8000,channels=1 ! {LAWS[law]}dec ! "
            f"audio/x-raw,format=S16LE ! filesink location={place}/said.raw")
        sound = (place / "said.raw").read_bytes()
    samples = np.frombuffer(sound, "<i2").astype(float)
    return [np.sqrt(np.mean(samples[i:i + 8000] ** 2)) for i in range(0, len(samples) - 7999, 8000)]


class Phone:
    """The tool, with ports of its choice, until the scope ends; then it must end in good order."""

    def __init__(self, *options):
        command = [os.environ["GST_MOSHI_TOOL"], "phone", "--rtp", "127.0.0.1:0", "--audiosocket", "127.0.0.1:0",
                   "--greedy", "--json", *map(str, options)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.messages = queue.Queue(), queue.Queue()
        for stream, lines in ((self.process.stdout, self.lines), (self.process.stderr, self.messages)):
            threading.Thread(target=self._read, args=(stream, lines), daemon=True).start()

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.put(line)

    def __enter__(self):
        listening = self.result()
        self.rtp, self.audiosocket = (int(listening[kind].rpartition(":")[2]) for kind in ("rtp", "audiosocket"))
        return self

    def __exit__(self, *_):
        self.end()

    def end(self, how=signal.SIGINT):
        if self.process.poll() is None:
            self.process.send_signal(how)
        assert self.process.wait(timeout=30) == 0

    def result(self):
        """The next call that has ended."""
        return json.loads(self.lines.get(timeout=60))

    def message(self):
        """The next line about something wrong; lateness, which a busy machine causes, does not count."""
        while True:
            line = self.messages.get(timeout=60)
            if "ms late" not in line:
                return line

    def quiet(self):
        """Nothing is wrong."""
        left = []
        while not self.messages.empty():
            left.append(self.messages.get())
        return [line for line in left if "ms late" not in line] == []


def paced(packets):
    """Gives each packet with its number in time."""
    start = time.monotonic()
    for number, packet in enumerate(packets):
        time.sleep(max(0, start + number * PACKET_SECONDS - time.monotonic()))
        yield number, packet


class RtpCaller:
    """Sends RTP from a port of its own and keeps what comes back there."""

    def __init__(self, port, payload_type):
        self.payload_type = payload_type
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.sequence = 65500  # It wraps soon.
        self.silent = True
        self.packets = []  # (when, header fields, payload)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        with contextlib.suppress(OSError):
            while packet := self.socket.recv(2048):
                self.packets.append((time.monotonic(), struct.unpack(">BBHII", packet[:12]), packet[12:]))

    def send(self, payload, number, payload_type=None):
        kind = self.payload_type if payload_type is None else payload_type
        marker = 0x80 if self.silent else 0
        header = struct.pack(">BBHII", 0x80, marker | kind, self.sequence & 0xFFFF, number * 160, 7)
        self.sequence += 1
        self.silent = False
        with contextlib.suppress(ConnectionRefusedError):
            self.socket.send(header + payload)

    def say(self, packets, suppress_silence=False):
        for number, packet in paced(packets):
            if suppress_silence and len(set(packet)) == 1:
                self.silent = True
            else:
                self.send(packet, number)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class AudioSocketCaller:
    """Calls as Asterisk does."""

    def __init__(self, port, kind=0x10, identity=None):
        self.kind, self.identity = kind, identity or uuid.uuid4()
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.messages = []  # (kind, payload)
        self.send(0x01, self.identity.bytes)
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self):
        with contextlib.suppress(OSError), self.socket.makefile("rb") as stream:
            while len(header := stream.read(3)) == 3:
                kind, size = struct.unpack(">BH", header)
                self.messages.append((kind, stream.read(size)))

    def send(self, kind, payload=b""):
        with contextlib.suppress(OSError):  # hung up
            self.socket.sendall(struct.pack(">BH", kind, len(payload)) + payload)

    def say(self, packets):
        for _, packet in paced(packets):
            self.send(self.kind, packet)

    def wait_for_end(self):
        self.listener.join(timeout=30)
        assert not self.listener.is_alive()
        self.socket.close()
