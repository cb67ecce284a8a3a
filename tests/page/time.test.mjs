// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import {Backoff} from "../../pipelines/serve/page/backoff.js";
import {FrameClock} from "../../pipelines/serve/page/calls/frame_clock.js";
import {clockTime} from "../../pipelines/serve/page/view/clock_time.js";

test("each wait is twice the one before, up to the longest", () => {
  const backoff = new Backoff(() => 0.5);
  const waits = Array.from({length: 7}, () => backoff.next());
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 30, 30]);
  backoff.reset();
  assert.equal(backoff.next(), 1);
});

test("waits of many callers are spread", () => {
  assert.equal(new Backoff(() => 0).next(), 0.75);
  assert.equal(new Backoff(() => 1).next(), 1.25);
});

test("no wait is shorter than the server asked for", () => {
  assert.equal(new Backoff(() => 0.5).next(5), 5);
});

test("a frame's turnaround is that of the frame it answers", () => {
  let now = 0;
  const clock = new FrameClock(() => now);
  assert.equal(clock.turnaround(), undefined);
  // Frames end every 80 ms; from the second on, answers come 50 ms later.
  for (let frame = 1; frame <= 20; ++frame) {
    now = frame * 0.08;
    clock.sent(frame * 0.08);
    now += 0.05;
    if (frame > 1) clock.came();
  }
  assert.ok(Math.abs(clock.turnaround() - 0.05) < 1e-9);
  assert.ok(clock.jitter() < 1e-9);
});

test("jitter is what arrivals differ from evenness", () => {
  let now = 0;
  const clock = new FrameClock(() => now);
  for (let frame = 0; frame < 200; ++frame) {
    now = frame * 0.08 + (frame % 2) * 0.01;
    clock.came();
  }
  assert.ok(Math.abs(clock.jitter() - 0.01) < 0.001);
});

test("times are minutes and seconds", () => {
  assert.deepEqual([0, 59.9, 75, 3600].map(clockTime), ["0:00", "0:59", "1:15", "60:00"]);
});
