# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""The server's page in a real browser. MOSHI_PAGE_ROUNDS=20 opens and closes as many conversations, where a few are enough
otherwise."""
import asyncio
import contextlib
import json
import os
import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.request

import aiohttp
import pytest

import tool
from browser import browsing
from chat import free_port, question, serving
from spoken import likeness, spoken_words
from webrtc_client import other_address

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "pipelines" / "serve" / "page"
QUESTION_FILE = ROOT / "examples" / "question.wav"
ROUNDS = int(os.environ.get("MOSHI_PAGE_ROUNDS", "5"))
GREEDY = "/?text_temperature=0&audio_temperature=0"
TRANSPORTS = ["websocket", pytest.param("webrtc", marks=pytest.mark.skipif(
    not other_address(), reason="expected a network interface besides lo, found none: ICE does not use the loopback"))]


@pytest.fixture(name="server", scope="module")
def server_fixture():
    with serving("--max-sessions", 2) as server:
        yield server


@pytest.fixture(name="browser", scope="module")
def browser_fixture(tmp_path_factory):
    with browsing(QUESTION_FILE, tmp_path_factory.mktemp("downloads")) as page:
        yield page


@pytest.fixture(name="page")
def page_fixture(browser):
    yield browser
    browser.leave()


def places_taken(server):
    return json.load(urllib.request.urlopen(server.http + "/api/status"))["slots_used"]


def wait_until_free(server, seconds=5):
    """Gives the seconds it took."""
    began = time.monotonic()
    while places_taken(server) > 0:
        assert time.monotonic() - began < seconds, "a place was not given back"
        time.sleep(0.05)
    return time.monotonic() - began


# ------------------------------------------------------------------------------------------------ what is served

def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing_else(server):
    answer = urllib.request.urlopen(server.http + "/")
    page = answer.read().decode()
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|https?://", page)
    for name in re.findall(r'(?:src|href)="([^"#]+)"', page):
        assert urllib.request.urlopen(f"{server.http}/{name}").headers["X-Content-Type-Options"] == "nosniff"


def test_all_its_files_are_built_in(server):
    types = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
    files = [file for file in PAGE.rglob("*") if file.suffix in types]
    assert len(files) > 10
    for file in files:
        answer = urllib.request.urlopen(f"{server.http}/{file.relative_to(PAGE)}")
        assert answer.headers["Content-Type"].startswith(types[file.suffix])
        assert answer.read() == file.read_bytes()
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(server.http + "/page.gresource.xml")
    assert refusal.value.code == 404


def test_no_page_where_none_is_wanted():
    with serving("--static", "none") as server, pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(server.http + "/")
    assert refusal.value.code == 404


# ------------------------------------------------------------------------------------------------ a conversation

def record(page):
    page.click("record")
    page.driver.find_element("css selector", "#consent .strong").click()
    page.wait(lambda: "Recording" in page.text("notices"))


def recorded(page, tmp_path):
    """The recording's channels at 24 kHz: what was said, what was heard."""
    link = page.wait(lambda: page.driver.find_elements("css selector", "[data-name=recorded] a"))[0]
    link.click()
    file = page.wait(lambda: next(page.downloads.glob("moshi-*.webm"), None)).rename(tmp_path / "recorded.webm")
    subprocess.run(["gst-launch-1.0", "-q", "filesrc", f"location={file}", "!", "matroskademux", "!", "opusdec", "!",
                    "audioconvert", "!", "audioresample", "!", "audio/x-raw,format=S16LE,rate=24000", "!", "wavenc", "!",
                    "filesink", f"location={tmp_path}/recorded.wav"], check=True)
    return tool.read_wav(tmp_path / "recorded.wav")[1] / 32768


def ask(server, page):
    """Talks until both questions are answered, recording it."""
    page.talk()
    assert places_taken(server) == 1
    record(page)
    answers = page.text("transcript").count("twelve")
    page.wait(lambda: "paris" in page.text("transcript") and page.text("transcript").count("twelve") > answers, 60)
    time.sleep(1)  # The word is read before it is heard.


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_it_asks_and_is_answered(server, page, transport, tmp_path):
    page.open(server.http + GREEDY)
    page.choose("transport", "auto" if transport == "webrtc" else transport)
    for switch in ("echoCancellation", "noiseSuppression", "autoGainControl"):
        page.click(switch)  # What is said is to be recorded as it is.
    page.wait(lambda: page.text("status-text") == "Ready")
    asked = question(QUESTION_FILE)[12000:36000]
    replies = spoken_words(tmp_path, QUESTION_FILE)
    words = [replies["paris"], replies["twelve"]]
    for _ in range(3):  # Where the machine is too busy there are gaps in what is heard.
        ask(server, page)
        assert page.text("way").lower() == f"in use: {transport}."
        assert re.search(r"^0:\d\d$", page.text("transcript"), re.MULTILINE)
        assert re.fullmatch(r"\d+ ms", page.text("mouthToEar"))
        assert re.fullmatch(r"\d+ ms", page.text("roundTrip"))
        page.click("talk")
        page.wait(lambda: page.state() == "idle")
        wait_until_free(server)
        said, heard = recorded(page, tmp_path)
        if min(likeness(said, asked), *(likeness(heard, word) for word in words)) > 0.9:
            break
    for word in words:
        assert likeness(heard, word) > 0.9 > 0.75 > likeness(said, word)
    assert likeness(said, asked) > 0.9 > 0.75 > likeness(heard, asked)
    assert page.complaints() == []


def test_echo_cancellation_is_switched_while_one_talks(server, page):
    page.open(server.http)
    page.talk()
    page.wait(lambda: "echo cancellation on" in page.text("in-use"))
    page.click("echoCancellation")
    page.wait(lambda: "echo cancellation off" in page.text("in-use"))
    assert page.state() == "talking"
    page.wait(lambda: int(page.element("your-level").get_attribute("aria-valuenow")) > 20)
    page.click("talk")
    wait_until_free(server)
    assert page.complaints() == []


def test_where_udp_does_not_get_through_it_talks_over_a_websocket(server, tmp_path):
    with browsing(QUESTION_FILE, tmp_path, **{"webrtc.ip_handling_policy": "disable_non_proxied_udp"}) as page:
        page.open(server.http)
        page.talk()
        assert page.text("way") == "In use: WebSocket."
        page.click("talk")
    wait_until_free(server)


def test_muted_it_is_not_asked(server, page):
    page.open(server.http + GREEDY)
    page.talk()
    page.click("mute")
    assert page.element("mute").get_attribute("aria-pressed") == "true"
    time.sleep(0.5)  # What was said before has left the meter.
    levels = []
    for _ in range(20):
        levels.append(int(page.element("your-level").get_attribute("aria-valuenow")))
        time.sleep(0.1)
    assert max(levels) == 0
    page.click("mute")
    page.wait(lambda: int(page.element("your-level").get_attribute("aria-valuenow")) > 20)
    page.click("talk")
    wait_until_free(server)
    assert page.complaints() == []


def test_the_microphone_may_be_tried_before(server, page):
    page.open(server.http)
    page.click("try")
    page.wait(lambda: int(page.element("your-level").get_attribute("aria-valuenow")) > 20)
    assert "echo cancellation on" in page.text("in-use")
    assert places_taken(server) == 0
    page.click("try")
    assert page.text("in-use") == ""
    assert page.complaints() == []


# ------------------------------------------------------------------------------------------------ places

def test_a_full_server_is_shown_as_full_and_tried_again(server, page):
    @contextlib.asynccontextmanager
    async def both_places():
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(server.chat), session.ws_connect(server.chat):
                yield

    async def talk():
        async with both_places():
            page.open(server.http)
            page.wait(lambda: page.text("status-text") == "Full")
            page.click("talk")
            page.wait(lambda: page.state() == "waiting")
            assert page.text("notices").startswith("The server is full: all 2 places are taken. Trying again in")

    asyncio.run(talk())
    page.wait(lambda: page.state() == "talking")
    assert page.text("notices") == ""
    page.click("talk")
    wait_until_free(server)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_server_with_keys_is_given_one(page, transport, tmp_path):
    (tmp_path / "keys").write_text("sesame-sesame-sesame\n")
    with serving("--keys", tmp_path / "keys") as server:
        page.open(server.http)
        page.choose("transport", transport)
        page.click("talk")
        page.wait(lambda: page.element("key").is_displayed())
        page.element("key").send_keys("sesame-sesame-sesame")
        page.driver.find_element("css selector", "#key-dialog .strong").click()
        page.wait(lambda: page.state() == "talking")
        page.open(server.http)
        page.click("talk")
        page.wait(lambda: page.element("key").is_displayed())  # It was not kept.


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_the_server_refuses_is_said(server, page, transport):
    page.open(server.http + "/?text_topk=many")
    page.choose("transport", transport)
    page.click("talk")
    page.wait(lambda: page.state() == "idle")
    assert page.text("notices").startswith("text_topk: expected a number from 0 to 1048576, found many")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_why_the_server_ends_a_conversation_is_said(page, transport):
    with serving("--session-seconds", 1) as server:
        page.open(server.http)
        page.choose("transport", transport)
        page.talk()
        page.wait(lambda: page.state() == "idle")
        assert page.text("notices").startswith("The conversation has had its time.")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_page_that_is_left_gives_its_place_back(server, page, transport):
    page.open(server.http)
    page.choose("transport", transport)
    page.talk()
    page.open("about:blank")
    wait_until_free(server)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_browser_that_is_killed_gives_its_place_back(server, tmp_path, transport):
    with browsing(QUESTION_FILE, tmp_path) as page:
        page.open(server.http)
        page.choose("transport", transport)
        page.talk()
        page.kill()
        print(f"free after {wait_until_free(server, 12):.1f} s")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_conversations_that_come_and_go_leave_nothing(server, page, transport):
    def footprint():
        process = pathlib.Path(f"/proc/{server.process.pid}")
        memory = re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text())
        return {"threads": len(list((process / "task").iterdir())), "descriptors": len(list((process / "fd").iterdir())),
                "memory": int(memory[1]) // 1024}

    def come_and_go():
        page.talk()
        time.sleep(0.3)
        page.click("talk")
        wait_until_free(server)

    page.open(server.http)
    page.choose("transport", transport)
    for _ in range(2):  # What is made once is made.
        come_and_go()
    before = footprint()
    for _ in range(ROUNDS):
        come_and_go()
    time.sleep(0.5)
    after = footprint()
    print(before, after)
    assert after["threads"] <= before["threads"] + 2
    assert after["descriptors"] <= before["descriptors"] + 4
    assert after["memory"] <= before["memory"] + 30


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_server_that_comes_back_is_talked_to_again(page, transport):
    port = free_port()
    with serving("--drain-seconds", 0, port=port) as server:
        page.open(server.http + GREEDY)
        page.choose("transport", transport)
        page.talk()
        page.wait(lambda: "paris" in page.text("transcript"), 60)
    page.wait(lambda: page.state() == "waiting")
    assert "Trying again in" in page.text("notices")
    with serving(port=port) as server:
        page.wait(lambda: page.state() == "talking", 60)
        assert "Moshi remembers nothing of the one before" in page.text("transcript")
        page.click("talk")
        wait_until_free(server)


# ------------------------------------------------------------------------------------------------ the page itself

def test_every_control_has_a_name_and_is_reached_by_the_keyboard(server, page):
    page.open(server.http)
    page.wait(lambda: page.text("status-text") == "Ready")
    controls = page.driver.find_elements("css selector", "button, select, input, a, [role=meter], [role=log], [tabindex]")
    shown = [control for control in controls if control.is_displayed()]
    assert len(shown) > 10
    assert [control.get_attribute("id") for control in shown if not control.accessible_name] == []
    reached = []
    for _ in range(12):
        page.driver.switch_to.active_element.send_keys("\ue004")  # Tab.
        reached.append(page.driver.switch_to.active_element.get_attribute("id"))
    assert {"talk", "device", "speaker", "echoCancellation", "noiseSuppression", "autoGainControl", "transport"} <= set(reached)


def test_it_fits_a_phone(server, page):
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                {"width": 320, "height": 568, "deviceScaleFactor": 2, "mobile": True})
    page.open(server.http)
    page.talk()
    assert page.driver.execute_script("return document.documentElement.scrollWidth") <= 320
    assert all(page.element(name).is_displayed() for name in ("mute", "talk", "record"))
    page.click("talk")
    page.click("open-panel")
    page.wait(lambda: page.element("close-panel").is_displayed())
    page.driver.switch_to.active_element.send_keys("\ue00c")  # Escape.
    page.wait(lambda: not page.element("close-panel").is_displayed())
    assert page.element("talk").is_displayed()


def test_where_the_browser_gives_no_microphone_it_says_why(server, page):
    page.open(f"http://elsewhere.test:{server.port}/")
    assert "microphone on localhost and over https alone" in page.text("notices")
    assert not page.element("talk").is_enabled()
