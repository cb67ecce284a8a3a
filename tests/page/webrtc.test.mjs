// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import {iceServers} from "../../pipelines/serve/page/calls/webrtc_call.js";
import {WebrtcFigures} from "../../pipelines/serve/page/calls/webrtc_figures.js";

test("servers for ICE are those that links name", () => {
  const links = '<stun:one.test>; rel="ice-server", </help>; rel="help", ' +
      '<turn:two.test?transport=udp>; rel="ice-server"; username="me"; credential="s,e;c"; credential-type="password"';
  assert.deepEqual(iceServers(links), [
    {urls: "stun:one.test"}, {urls: "turn:two.test?transport=udp", username: "me", credential: "s,e;c"}]);
  assert.deepEqual(iceServers(""), []);
});

function report(heard) {
  return new Map(Object.entries({
    a: {type: "candidate-pair", nominated: false, state: "waiting"},
    b: {type: "candidate-pair", nominated: true, state: "succeeded", currentRoundTripTime: 0.03},
    c: {type: "inbound-rtp", kind: "audio", jitter: 0.004, packetsLost: 1, packetsReceived: 99, concealmentEvents: 2, ...heard}}));
}

test("figures are those of the way in use, and of what is heard", () => {
  const figures = new WebrtcFigures().from(report({jitterBufferDelay: 480, jitterBufferEmittedCount: 4800}));
  const {turnaround, ...others} = figures;
  assert.deepEqual(others, {jitter: 0.004, loss: 0.01, gaps: 0, buffered: 0.1, roundTrip: 0.03});
  assert.ok(turnaround > 0.03);
});

test("what waits to be heard is what waited lately", () => {
  const figures = new WebrtcFigures();
  figures.from(report({jitterBufferDelay: 480, jitterBufferEmittedCount: 4800}));
  assert.equal(figures.from(report({jitterBufferDelay: 576, jitterBufferEmittedCount: 9600})).buffered, 0.02);
  assert.equal(figures.from(report({jitterBufferDelay: 576, jitterBufferEmittedCount: 9600})).buffered, 0.02);
});

test("gaps are those after the beginning", () => {
  const figures = new WebrtcFigures();
  figures.from(report({concealmentEvents: 3}));
  assert.equal(figures.from(report({concealmentEvents: 4})).gaps, 1);
});

test("before anything is known there are no figures", () => {
  assert.deepEqual(new WebrtcFigures().from(new Map()), {});
});
