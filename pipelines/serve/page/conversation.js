// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
import {Microphone} from "./audio/microphone.js";
import {Backoff} from "./backoff.js";
import {WebrtcCall} from "./calls/webrtc_call.js";
import {WebSocketCall} from "./calls/websocket_call.js";
import {serverStatus} from "./server_status.js";

const kFrame = 0.08;        // Seconds from a frame's beginning to its end.
const kFullSeconds = 5;     // After which it is worth asking again.
const kUnauthorized = 401;

/** The ways to the server, the better first, by what the user chose. */
const kWays = {auto: [WebrtcCall, WebSocketCall], webrtc: [WebrtcCall], websocket: [WebSocketCall]};

/** Those of a choice that this browser knows. */
export function waysOf(transport) {
  return kWays[transport].filter((Way) => Way.supported());
}

/**
 * Talking with the model, through as many calls as that takes. Tells of
 * - `state`: idle, connecting, talking, or waiting ({why, seconds} until the next attempt),
 * - `begin`: a call began, in the way of that title; the model knows nothing of those before,
 * - `words`, `notice`: as of the call,
 * - `failed`: a line, when it ends by itself,
 * - `key`: it ends for want of a key, or of another than `choices.key`.
 */
export class Conversation extends EventTarget {
  state = "idle";
  context;
  microphone;
  /** What the model says, call after call. */
  voice;
  #choices;
  #ways = [];
  #attempt = 0;  // What an earlier one brings comes too late.
  #call = null;
  #backoff = new Backoff();
  #timer = null;
  #wakeLock = null;

  /** `choices`: what Settings gives; it may change while one talks. */
  constructor(choices) {
    super();
    this.#choices = choices;
  }

  async start() {
    this.#enter("connecting");
    this.context = new AudioContext({latencyHint: "interactive"});
    this.microphone = new Microphone(this.context);
    this.microphone.addEventListener("lost", () => this.#fail("The microphone is gone: connect it, or choose another."));
    this.voice = new GainNode(this.context);
    try {
      await this.microphone.open(this.#choices);
    } catch (error) {
      this.#fail(error.message);
      return;
    }
    if (this.state === "idle") {  // Ended while the browser asked its user.
      this.microphone.close();
      return;
    }
    this.#wakeLock = await navigator.wakeLock?.request("screen").catch(() => null);
    this.#ways = waysOf(this.#choices.transport);
    this.#backoff.reset();
    this.tryNow();
  }

  /** Hangs up, or ends waiting. */
  stop() {
    if (this.state === "idle") return;
    clearTimeout(this.#timer);
    ++this.#attempt;
    this.#call?.close();
    this.#call = null;
    this.microphone.close();
    this.context.close();
    this.#wakeLock?.release();
    this.#enter("idle");
  }

  /** The next attempt, without waiting longer. */
  async tryNow() {
    clearTimeout(this.#timer);
    const attempt = ++this.#attempt;
    this.#enter("connecting");
    try {
      await this.#connect(attempt);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      if (error.status === kUnauthorized) this.#askForKey();
      else if (error.final) this.#fail(error.message);
      else this.#wait(error.message, error.seconds);
    }
  }

  /** Uses another microphone, or the same with other settings. */
  async changeMicrophone() {
    if (this.state === "idle") return;
    try {
      await this.microphone.open(this.#choices);
    } catch (error) {
      this.#fail(error.message);
    }
  }

  async changeSpeaker() {
    await this.#call?.setSpeaker(this.#choices.speaker);
  }

  /** As of the call, with `mouthToEar` where it can be estimated; null without a call. */
  async statistics() {
    if (this.state !== "talking") return null;
    const found = await this.#call.statistics();
    if (found.turnaround !== undefined) {
      const devices = this.microphone.latency() + this.context.baseLatency + (this.context.outputLatency || 0);
      found.mouthToEar = kFrame + found.turnaround + found.buffered + devices;
    }
    return found;
  }

  async #connect(attempt) {
    const status = await serverStatus().catch(() => {
      throw new Error("The server cannot be reached.");
    });
    if (status.draining) throw new Error("The server is about to stop.");
    if (status.full) throw Object.assign(new Error(fullLine(status)), {seconds: kFullSeconds});
    await this.#callServer(attempt);
  }

  /** Calls in the first way that is left; where the server cannot be reached in that, in the next from now on. */
  async #callServer(attempt) {
    if (attempt !== this.#attempt) return;
    const [Way, ...others] = this.#ways;
    if (Way === undefined) throw new Error("This browser has no way to call in: choose another under Connection.");
    const call = new Way(this.context, this.microphone);
    this.#call = call;
    try {
      await call.connect(this.#query());
    } catch (error) {
      if (attempt !== this.#attempt || !error.unreachable || others.length === 0) throw error;
      this.#ways = others;
      return this.#callServer(attempt);
    }
    if (attempt === this.#attempt) await this.#begin(call, Way.title);
  }

  async #begin(call, title) {
    for (const name of ["words", "notice"]) {
      call.addEventListener(name, ({detail}) => this.#tell(name, detail));
    }
    call.addEventListener("end", ({detail}) => this.#ended(detail));
    call.voice.connect(this.voice);
    this.#backoff.reset();
    this.#enter("talking");
    this.#tell("begin", title);
    await this.changeSpeaker();
  }

  #ended({reason, again}) {
    if (again) this.#wait(reason);
    else this.#fail(reason);
  }

  #wait(why, atLeast) {
    if (this.state === "idle") return;
    this.#call = null;
    const seconds = this.#backoff.next(atLeast);
    this.#timer = setTimeout(() => this.tryNow(), seconds * 1000);
    this.#enter("waiting", {why, seconds});
  }

  /** The page's own, with the key. */
  #query() {
    const query = new URLSearchParams(location.search);
    if (this.#choices.key) query.set("token", this.#choices.key);
    return query.size > 0 ? `?${query}` : "";
  }

  #askForKey() {
    this.stop();
    this.#tell("key");
  }

  #fail(line) {
    this.stop();
    this.#tell("failed", line);
  }

  #enter(state, detail = {}) {
    this.state = state;
    this.#tell("state", {state, ...detail});
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, {detail}));
  }
}

function fullLine({slots_total: total}) {
  return total === 1 ? "The server is full: its one place is taken." : `The server is full: all ${total} places are taken.`;
}
