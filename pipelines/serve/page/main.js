// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the page's parts tell each other.
import {Level} from "./audio/level.js";
import {Conversation, waysOf} from "./conversation.js";
import {serverStatus} from "./server_status.js";
import {clockTime} from "./view/clock_time.js";
import {action, Notices} from "./view/notices.js";
import {Recording} from "./view/recording.js";
import {Settings} from "./view/settings.js";
import {Statistics} from "./view/statistics.js";
import {Strip} from "./view/strip.js";
import {Transcript} from "./view/transcript.js";
import {Trial} from "./view/trial.js";

const kStatusMs = 5000;
const kStatisticsMs = 1000;
const kStates = {
  connecting: ["Connecting…", "busy", "Cancel"],
  talking: ["In conversation", "good", "End"],
  waiting: ["Waiting", "busy", "Cancel"],
};

const byId = (id) => document.getElementById(id);
const notices = new Notices(byId("notices"));
const transcript = new Transcript(byId("transcript"), byId("transcript-scroller"));
const settings = new Settings([["auto", "Automatic"], ["webrtc", "WebRTC"], ["websocket", "WebSocket"]]);
const statistics = new Statistics(byId("statistics"));
const conversation = new Conversation(settings.choices);
const recording = new Recording(conversation, notices);
const yours = new Strip(byId("your-level"));
const moshis = new Strip(byId("moshis-level"));
const trial = new Trial(byId("try"), settings, yours, notices);
let began = null;       // When the present call did, in milliseconds.
let roundTrip;

// ---------------------------------------------------------------------------------------- conversation

function showState({state, why, seconds}) {
  document.body.dataset.state = state;
  if (state === "idle") {
    setTalk("Talk", "icon-microphone");
    checkServer();
  } else {
    const [line, mood, talk] = kStates[state];
    showStatus(line, mood);
    setTalk(talk, "icon-end");
  }
  if (state !== "talking") endCall();
  byId("mute").disabled = state === "idle";
  byId("try").hidden = state !== "idle";
  recording.allow(state === "talking");
  notices.remove("waiting");
  if (state === "waiting") countDown(why, seconds);
}

function setTalk(label, icon) {
  byId("talk").querySelector("span").textContent = label;
  byId("talk").querySelector("use").setAttribute("href", `#${icon}`);
}

/** The notice of an attempt to come. */
function countDown(why, seconds) {
  const due = performance.now() + 1000 * seconds;
  const line = () => `${why} Trying again in ${Math.max(1, Math.ceil((due - performance.now()) / 1000))} s.`;
  const paragraph = notices.show("waiting", line(), {
    mood: "warning", actions: [action("Try now", () => conversation.tryNow())]});
  paragraph.parentElement.setAttribute("aria-live", "off");  // A number a second is too much to listen to.
  byId("status-text").textContent = why;
  const timer = setInterval(() => {
    if (paragraph.isConnected) paragraph.textContent = line();
    else clearInterval(timer);
  }, 1000);
}

function beginCall({detail: way}) {
  began = performance.now();
  byId("welcome").hidden = true;
  transcript.begin("A new conversation: Moshi remembers nothing of the one before");
  byId("way").textContent = `In use: ${way}.`;
  settings.showInUse(conversation.microphone.track);
  settings.listDevices();
  const levels = [new Level(conversation.context, conversation.microphone.node), new Level(conversation.context, conversation.voice)];
  requestAnimationFrame(function draw(now) {
    if (conversation.state !== "talking") return;
    yours.show(levels[0].read(), now);
    moshis.show(levels[1].read(), now);
    requestAnimationFrame(draw);
  });
}

function endCall() {
  began = null;
  transcript.endLine();
  yours.clear();
  moshis.clear();
  statistics.show({});
  byId("elapsed").textContent = "";
  byId("way").textContent = "";
  settings.showInUse(null);
}

function secondsTalked() {
  return (performance.now() - began) / 1000;
}

conversation.addEventListener("state", ({detail}) => showState(detail));
conversation.addEventListener("begin", beginCall);
conversation.addEventListener("words", ({detail}) => transcript.say(detail, secondsTalked()));
conversation.addEventListener("notice", ({detail}) => notices.show("server", detail, {
  mood: "warning", actions: [action("Dismiss", () => notices.remove("server"))]}));
conversation.addEventListener("failed", ({detail}) => notices.show("failed", detail, {
  mood: "error", actions: [action("Dismiss", () => notices.remove("failed"))]}));

conversation.addEventListener("key", () => byId("key-dialog").showModal());

byId("key-dialog").onclose = () => {
  settings.choices.key = byId("key").value;
  if (byId("key-dialog").returnValue === "use") conversation.start();
};

byId("talk").onclick = () => {
  notices.remove("failed");
  notices.remove("server");
  trial.end();
  if (conversation.state === "idle") conversation.start();
  else conversation.stop();
};

byId("mute").onclick = () => {
  const muted = !conversation.microphone.muted;
  conversation.microphone.muted = muted;
  showMuted(muted);
};

function showMuted(muted) {
  byId("mute").setAttribute("aria-pressed", muted);
  byId("mute").querySelector("use").setAttribute("href", muted ? "#icon-muted" : "#icon-microphone");
}

settings.addEventListener("microphone", async () => {
  await conversation.changeMicrophone();
  if (conversation.state === "talking") settings.showInUse(conversation.microphone.track);
});
settings.addEventListener("speaker", () => conversation.changeSpeaker());
settings.addEventListener("announce", showAnnounced);

function showAnnounced() {
  byId("transcript").setAttribute("aria-live", settings.choices.announce ? "polite" : "off");
}

// ---------------------------------------------------------------------------------------------- server

function showStatus(line, mood) {
  const text = byId("status-text");
  if (text.textContent !== line) text.textContent = line;  // Screen readers announce each change.
  byId("status").dataset.mood = mood;
}

async function checkServer() {
  let status;
  try {
    status = await serverStatus();
  } catch {
    if (conversation.state === "idle") showStatus("No server", "bad");
    return;
  }
  roundTrip = status.roundTrip;
  byId("model").textContent = status.model.split("/").at(-1);
  if (conversation.state !== "idle") return;
  if (status.draining) showStatus("About to stop", "bad");
  else if (status.full) showStatus("Full", "busy");
  else showStatus("Ready", "good");
}

// ----------------------------------------------------------------------------------------------- panel

function openPanel(open) {
  byId("panel").classList.toggle("open", open);
  byId("open-panel").setAttribute("aria-expanded", open);
  byId(open ? "close-panel" : "open-panel").focus();
}

byId("open-panel").onclick = () => openPanel(true);
byId("close-panel").onclick = () => openPanel(false);
byId("panel").onkeydown = ({key}) => {
  if (key === "Escape" && byId("panel").classList.contains("open")) openPanel(false);
};

// ----------------------------------------------------------------------------------------------- start

function whyNot() {
  if (!globalThis.isSecureContext) {
    return "Browsers give pages the microphone on localhost and over https alone: open this page as " +
        "https://…, which the server speaks with --ssl DIR.";
  }
  if (waysOf("auto").length === 0) return "This browser has neither WebRTC nor Opus for pages (WebCodecs): a newer one is needed.";
  return null;
}

const reason = whyNot();
if (reason !== null) {
  notices.show("impossible", reason, {mood: "error"});
  byId("talk").disabled = byId("try").disabled = true;
}

setInterval(async () => {
  if (began === null) return;
  byId("elapsed").textContent = clockTime(secondsTalked());
  const figures = await conversation.statistics();
  if (figures !== null) statistics.show({roundTrip, ...figures});
}, kStatisticsMs);
setInterval(() => {
  if (document.visibilityState === "visible") checkServer();
}, kStatusMs);
addEventListener("pagehide", () => {
  trial.end();
  conversation.stop();
});
showAnnounced();
checkServer();
