# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Clients of `gst-moshi serve` that mean harm: each gets its answer, and none touches the others."""
import asyncio
import os
import socket
import time
import urllib.request

import aiohttp
import pytest

from chat import frame_of, receive, serving, status, wait_until_free

UPGRADE = (b"GET /api/chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")


@pytest.fixture(name="server", scope="module")
def server_fixture():
    with serving("--max-sessions", 2) as server:
        yield server


@pytest.fixture(name="others", autouse=True)
def others_fixture(server):
    """Another client comes and goes as if nothing was."""
    yield

    async def talk():
        async with aiohttp.ClientSession() as session, session.ws_connect(server.chat) as websocket:
            assert await receive(websocket, 1) == [b"\x00"]
        await wait_until_free(server)

    asyncio.run(talk())


def answer(server, request, patience=30):
    """What comes for the bytes of a request, until the server closes."""
    with socket.create_connection(("localhost", server.port), timeout=patience) as raw:
        raw.sendall(request)
        found = b""
        while piece := raw.recv(65536):
            found += piece
        return found


def test_requests_that_never_end_are_cut_off(server):
    begun = time.monotonic()
    slow = [socket.create_connection(("localhost", server.port), timeout=60) for _ in range(50)]
    for raw in slow:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    while time.monotonic() - begun < 7:
        for raw in slow:
            raw.sendall(b"X: y\r\n")
        assert urllib.request.urlopen(server.http + "/livez", timeout=5).status == 200
        time.sleep(1)
    for raw in slow:
        try:
            assert b"200" not in raw.recv(4096)
        except ConnectionResetError:
            pass
        raw.close()
    assert time.monotonic() - begun < 40


def test_an_upgrade_that_never_ends_holds_no_place(server):
    with socket.create_connection(("localhost", server.port), timeout=60) as raw:
        raw.sendall(UPGRADE + b"Content-Length: 1000\r\n\r\n")
        time.sleep(1)
        assert status(server)["slots_used"] == 0


@pytest.mark.parametrize("request_line, headers, code", [
    (b"GET /api/status HTTP/1.1", b"Content-Length: 70000\r\n\r\n" + bytes(70000), 413),
    (b"POST /api/chat HTTP/1.1", b"Transfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + bytes(0x8000) + b"\r\n8001\r\n"
     + bytes(0x8001) + b"\r\n0\r\n\r\n", 413),
    (b"POST /api/chat HTTP/1.1", b"Content-Type: text/plain\r\n\r\n", 426),
    (b"POST /nothing HTTP/1.1", b"Content-Length: 1\r\n\r\n?", 405),
    (b"DELETE / HTTP/1.1", b"\r\n", 405),
    (b"GET /../../etc/passwd HTTP/1.1", b"\r\n", 404),
    (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1", b"\r\n", 404),
    (b"GET /%00 HTTP/1.1", b"\r\n", 400),
    (b"GET / HTTP/1.1", b"Content-Length: x\r\n\r\n", 400),
    (b"GET / HTTP/9.9", b"\r\n", 505),
    (b"nonsense", b"\r\n", 400),
    (b"GET /api/chat?text_topk=%0d%0aSet-Cookie:%20a=b HTTP/1.1", b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400),
])
def test_requests_get_their_answer(server, request_line, headers, code):
    found = answer(server, request_line + b"\r\nHost: localhost\r\nConnection: close\r\n" + headers)
    assert int(found.split(b"\r\n")[0].split()[1]) == code
    assert b"\r\nSet-Cookie" not in found


def test_headers_have_an_end(server):
    with pytest.raises(ConnectionError):
        if not answer(server, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200000 + b"\r\n\r\n"):
            raise ConnectionError


def test_headers_cannot_be_added_to_an_answer():
    with serving("--origin", "*") as server:
        found = answer(server, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                               b"Origin: http://a\r\n Set-Cookie: a=b\r\n\r\n")
        assert b"\r\nSet-Cookie" not in found


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def test_connections_that_clients_close_leave_nothing(server):
    answer(server, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    before = descriptors(server)
    for _ in range(20):
        with socket.create_connection(("localhost", server.port), timeout=30) as raw:
            raw.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert raw.recv(4096).startswith(b"HTTP/1.1 200")
    for _ in range(50):
        if descriptors(server) <= before:
            return
        time.sleep(0.1)
    raise AssertionError(f"{descriptors(server)} descriptors, {before} before")


def upgraded(server):
    raw = socket.create_connection(("localhost", server.port), timeout=30)
    raw.sendall(UPGRADE + b"\r\n")
    assert raw.recv(4096).startswith(b"HTTP/1.1 101")
    return raw


@pytest.mark.parametrize("frame", [
    bytes([0x82, 0xff]) + (1 << 62).to_bytes(8, "big") + bytes(4),  # A message of many bytes.
    frame_of(b"\x01" + bytes(65000)) + frame_of(bytes(65600)),      # Longer than any may be.
    bytes([0x82, 0x05]) + b"hello",                                 # No mask.
    bytes([0xf2, 0x80]) + bytes(4),                                 # Bits that mean nothing.
    bytes([0x80, 0x80]) + bytes(4),                                 # The rest of no message.
    bytes([0x81, 0x82]) + bytes(4) + b"\xff\xff",                   # Text that is none.
])
def test_frames_that_are_none_end_their_conversation(server, frame):
    with upgraded(server) as raw:
        raw.sendall(frame)
        with pytest.raises((ConnectionError, EOFError)):
            while True:
                if not raw.recv(65536):
                    raise EOFError
    asyncio.run(wait_until_free(server))


def page_of(packets, sequence):
    """An Ogg page of packets of one byte, with the sum that makes it one (RFC 3533, section 6)."""
    page = bytearray(b"OggS\0\0" + bytes(8) + (7).to_bytes(4, "little") + sequence.to_bytes(4, "little") + bytes(4))
    page += bytes([len(packets)]) + b"\x01" * len(packets) + packets
    total = 0
    for byte in page:
        total ^= byte << 24
        for _ in range(8):
            total = (total << 1 ^ (0x04c11db7 if total & 0x80000000 else 0)) & 0xffffffff
    page[22:26] = total.to_bytes(4, "little")
    return bytes(page)


def test_hours_of_speech_in_few_bytes_are_cut_off(server):
    silence = b"\x18" * 255  # 60 ms each.
    minute, hours = (b"".join(page_of(silence, first + i) for i in range(count)) for first, count in ((0, 3), (3, 100)))
    with upgraded(server) as raw:
        raw.sendall(frame_of(b"\x01" + minute))  # As after a network that stood still.
        time.sleep(0.5)
        assert status(server)["slots_used"] == 1
        raw.sendall(frame_of(b"\x01" + hours))
        with pytest.raises((ConnectionError, EOFError)):
            while True:
                if not raw.recv(65536):
                    raise EOFError
    asyncio.run(wait_until_free(server))


def test_a_message_that_never_ends_is_cut_off(server):
    piece = bytes([0x00, 0xfe]) + (60000).to_bytes(2, "big") + bytes(60004)
    with upgraded(server) as raw, pytest.raises(OSError):
        raw.sendall(bytes([0x02, 0x80]) + bytes(4))
        for _ in range(20000):  # More than a GB.
            raw.sendall(piece)
    asyncio.run(wait_until_free(server))


def test_a_client_that_is_gone_is_found_out(server):
    with upgraded(server):
        # It answers no ping, and closes nothing.
        asyncio.run(wait_until_free(server, 40))
