# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Two servers behind HAProxy with the configuration of examples/haproxy: clients need not know that there are two."""
import asyncio
import contextlib
import json
import pathlib
import re
import shutil
import signal
import subprocess
import time
import types
import urllib.request
from http.client import HTTPConnection

import aiohttp
import pytest

from chat import audio_messages, free_port, question, receive, refusal, serving, status, wait_until_free
from test_webrtc import other_address
from webrtc_client import SDP, Call

ROOT = pathlib.Path(__file__).parents[3]
CONFIGURATION = ROOT / "examples" / "haproxy" / "haproxy.cfg"
HAPROXY = shutil.which("haproxy") or "/usr/sbin/haproxy"
QUESTION = question(ROOT / "examples" / "question.wav")
PLACES = 2
HANDSHAKE, TEXT = b"\x00", 2


class Nodes:
    """Servers by name, each at ports that stay its own."""

    def __init__(self):
        self.ports = {name: types.SimpleNamespace(http=free_port(), agent=free_port(), admin=free_port())
                      for name in ("moshi-0", "moshi-1")}
        self.up, self.ends = {}, {}

    def start(self, name):
        ports, self.ends[name] = self.ports[name], contextlib.ExitStack()
        self.up[name] = self.ends[name].enter_context(serving(
            "--node", name, "--max-sessions", PLACES, "--agent-port", ports.agent, "--admin-port", ports.admin,
            port=ports.http))

    def stop(self, name):
        """It must end well."""
        self.up.pop(name)
        self.ends[name].close()

    def kill(self, name):
        self.up[name].process.kill()
        with pytest.raises(AssertionError):
            self.stop(name)

    def refused(self, name):
        """How many clients found it full."""
        answer = urllib.request.urlopen(f"http://localhost:{self.ports[name].admin}/metrics").read().decode()
        return sum(float(line.split()[-1]) for line in answer.splitlines()
                   if line.startswith('moshi_sessions_rejected_total{reason="full"}'))

    def used(self):
        return {name: status(node)["slots_used"] for name, node in self.up.items()}


class Balancer:
    def __init__(self, port, metrics_port, log):
        self.port, self.metrics_port, self.log = port, metrics_port, log
        self.http, self.chat = f"http://localhost:{port}", f"ws://localhost:{port}/api/chat"

    async def listening(self):
        for _ in range(100):
            with contextlib.suppress(OSError):
                return (await asyncio.open_connection("localhost", self.port))[1].close()
            await asyncio.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def metric(self, name, **labels):
        text = urllib.request.urlopen(f"http://localhost:{self.metrics_port}/metrics").read().decode()
        labels = "".join(f',{label}="{value}"' for label, value in labels.items())
        return float(re.search(rf'^haproxy_server_{name}{{proxy="nodes"{labels}}} (\S+)$', text, re.M)[1])

    async def until(self, value, name, **labels):
        for _ in range(150):
            if self.metric(name, **labels) == value:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{name} of {labels} is {self.metric(name, **labels)}, not {value}")


def configuration(nodes, balancer):
    """As shipped, at other ports."""
    text = CONFIGURATION.read_text()
    changes = [("bind :8998", f"bind :{balancer.port}"), ("127.0.0.1:8405", f"127.0.0.1:{balancer.metrics_port}")]
    for number, (name, ports) in enumerate(nodes.ports.items()):
        changes.append((f"{name} 127.0.0.1:899{number} agent-port 920{number}",
                        f"{name} 127.0.0.1:{ports.http} agent-port {ports.agent}"))
    for shipped, here in changes:
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, here)
    return text


@pytest.fixture(name="site", scope="module")
def site_fixture(tmp_path_factory):
    """(nodes, balancer)"""
    nodes, balancer = Nodes(), Balancer(free_port(), free_port(), tmp_path_factory.mktemp("haproxy") / "log")
    file = balancer.log.with_name("haproxy.cfg")
    file.write_text(configuration(nodes, balancer))
    with contextlib.ExitStack() as stack:
        for name in nodes.ports:
            nodes.start(name)
            stack.callback(lambda name=name: name in nodes.up and nodes.stop(name))
        log = stack.enter_context(open(balancer.log, "w", encoding="utf-8"))
        process = stack.enter_context(subprocess.Popen([HAPROXY, "-db", "-f", file], stdout=log, stderr=log))
        stack.callback(process.terminate)
        asyncio.run(balancer.listening())
        for name in nodes.ports:
            asyncio.run(balancer.until(100, "weight", server=name))
        yield nodes, balancer
    print(balancer.log.read_text())


async def conversation(http, url):
    websocket = await http.ws_connect(url)
    assert await receive(websocket, 1) == [HANDSHAKE]
    return websocket


def with_http(use, *arguments):
    async def run():
        async with aiohttp.ClientSession() as http:
            return await use(http, *arguments)
    return asyncio.run(run())


async def free(nodes, balancer):
    """Waits until both know that all conversations are over."""
    for name, node in nodes.up.items():
        await wait_until_free(node)
        await balancer.until(0, "current_sessions", server=name)


def test_agents_tell_what_is_free(site):
    nodes, balancer = site

    async def take_one(http):
        held = await conversation(http, nodes.up["moshi-1"].chat)
        await balancer.until(50, "weight", server="moshi-1")
        await held.close()
        await balancer.until(100, "weight", server="moshi-1")

    with_http(take_one)


def test_what_a_full_node_refuses_another_takes(site):
    """And where none does, clients hear what the node says."""
    nodes, balancer = site

    async def fill(http):
        # Connections that HAProxy knows nothing of.
        held = [await conversation(http, nodes.up["moshi-0"].chat) for _ in range(PLACES)]
        held += [await conversation(http, balancer.chat) for _ in range(PLACES)]
        assert nodes.used() == {"moshi-0": PLACES, "moshi-1": PLACES}
        assert nodes.refused("moshi-0") >= 1
        full = refusal(balancer, "/api/chat?token=secret")
        assert (full.code, full.headers["Retry-After"]) == (503, "5")
        assert "all 2 conversations are taken" in full.read().decode()
        for websocket in held:
            await websocket.close()
        await free(nodes, balancer)

    with_http(fill)
    assert "GET /api/chat 503" in balancer.log.read_text()
    assert "secret" not in balancer.log.read_text()


@pytest.mark.skipif(not other_address(), reason="expected a network interface besides lo, found none: "
                    "ICE does not use the loopback")
def test_a_calls_requests_reach_its_node(site):
    nodes, balancer = site

    async def call_twice(http, path, method, end):
        calls = [Call(), Call()]
        places = []
        for call in calls:
            async with http.post(balancer.http + path, data=await call.offer(), headers=SDP) as answer:
                assert answer.status == 201, await answer.text()
                places.append(answer.headers["Location"])
        assert nodes.used() == {"moshi-0": 1, "moshi-1": 1}
        assert sorted(place.split("/")[-2] for place in places) == ["moshi-0", "moshi-1"]
        for place in places:
            async with http.request(method, balancer.http + place + end) as answer:
                assert answer.status == 200  # 404 at the other.
        for call in calls:
            await call.leave()
        await free(nodes, balancer)

    with_http(call_twice, "/whip", "DELETE", "")
    with_http(call_twice, "/v1/realtime/calls", "POST", "/hangup")


def test_a_node_that_drains_loses_no_conversation(site):
    """And takes part again once it is back."""
    nodes, balancer = site

    async def talk(http):
        asking = await conversation(http, balancer.chat + "?text_temperature=0&audio_temperature=0")
        name, = [name for name, used in nodes.used().items() if used]
        other, = nodes.up.keys() - {name}
        said = []

        async def listen():
            async for message in asking:
                if message.data[0] == TEXT:
                    said.append(message.data[1:].decode())

        async def heard_all():
            while "twelve" not in "".join(said):
                await asyncio.sleep(0.1)

        listening = asyncio.create_task(listen())
        begun = time.monotonic()
        for number, message in enumerate(audio_messages(QUESTION)):
            if number == 10:
                nodes.up[name].process.send_signal(signal.SIGTERM)
            if number == 40:  # 2.4 s later
                late = [await conversation(http, balancer.chat) for _ in range(PLACES)]
                assert nodes.used() == {name: 1, other: PLACES}
            await asyncio.sleep(max(0, begun + number * 0.08 - time.monotonic()))
            await asking.send_bytes(message)
        await asyncio.wait_for(heard_all(), 10)
        await asking.close()
        await listening
        for websocket in late:
            await websocket.close()
        assert "paris" in "".join(said)
        return name

    name = with_http(talk)
    nodes.stop(name)
    nodes.start(name)

    async def take_part(http):
        await balancer.until(1, "status", server=name, state="UP")
        await balancer.until(100, "weight", server=name)
        held = [await conversation(http, balancer.chat) for _ in range(2)]
        assert nodes.used() == {"moshi-0": 1, "moshi-1": 1}
        for websocket in held:
            await websocket.close()
        await free(nodes, balancer)

    with_http(take_part)


def test_a_dead_nodes_clients_find_the_other(site):
    nodes, balancer = site

    async def lose_one(http):
        held = {}
        for _ in range(2):
            before = nodes.used()
            websocket = await conversation(http, balancer.chat)
            name, = [name for name, used in nodes.used().items() if used > before[name]]
            held[name] = websocket
        nodes.kill("moshi-0")
        lost = held["moshi-0"]
        while (message := await asyncio.wait_for(lost.receive(), 10)).type == aiohttp.WSMsgType.BINARY:
            pass
        assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        assert lost.close_code == 1006
        again = await conversation(http, balancer.chat)
        assert nodes.used() == {"moshi-1": 2}
        for websocket in (again, held["moshi-1"]):
            await websocket.close()
        await free(nodes, balancer)

    with_http(lose_one)


def test_without_a_node_clients_hear_when_to_come_again(site):
    nodes, balancer = site
    for name in list(nodes.up):
        nodes.stop(name)
    for name in nodes.ports:
        asyncio.run(balancer.until(1, "status", server=name, state="DOWN"))
    none = refusal(balancer, "/api/chat")
    assert (none.code, none.headers["Retry-After"]) == (503, "5")
    assert json.load(none)["detail"] == "no server is ready: try again later"


def test_an_address_asks_60_times_a_minute(site):
    balancer = site[1]

    def ask(path):
        connection = HTTPConnection("localhost", balancer.port, source_address=("127.0.0.2", 0))
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Retry-After"]

    assert {ask("/api/chat") for _ in range(60)} == {(503, "5")}
    assert ask("/api/chat") == (429, "60")
    assert ask("/") == (503, "5")
