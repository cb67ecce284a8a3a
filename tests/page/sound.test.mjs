// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
import assert from "node:assert/strict";
import test from "node:test";
import {JitterBuffer} from "../../pipelines/serve/page/audio/jitter_buffer.js";
import {Resampler} from "../../pipelines/serve/page/audio/resampler.js";

const kRate = 48000, kFrame = 3840, kQuantum = 128;

function tone(count, rate) {
  return Float32Array.from({length: count}, (_, index) => Math.sin(2 * Math.PI * 1000 * index / rate));
}

test("a tone of one rate is the same tone of another", () => {
  for (const rate of [44100, 96000]) {
    const output = new Resampler(48000, rate).resample(tone(4800, 48000));
    assert.ok(Math.abs(output.length - rate / 10) < 8, `${output.length} samples`);
    // The first of all samples is two samples late: there was nothing before it.
    const late = 2 * rate / 48000;
    for (let index = 20; index < output.length; ++index) {
      const wanted = Math.sin(2 * Math.PI * 1000 * (index - late) / rate);
      assert.ok(Math.abs(output[index] - wanted) < 2e-3, `sample ${index} at ${rate}: ${output[index]}, not ${wanted}`);
    }
  }
});

test("in pieces is as at once", () => {
  const input = tone(2000, 48000);
  const whole = new Resampler(48000, 44100).resample(input);
  const resampler = new Resampler(48000, 44100);
  const pieces = [];
  for (let at = 0; at < input.length; at += 77) pieces.push(...resampler.resample(input.subarray(at, at + 77)));
  assert.deepEqual(pieces.map((sample) => sample.toFixed(5)), [...whole].map((sample) => sample.toFixed(5)));
});

/** Plays for as many frames as `arrivals` has; each number says how many frames come meanwhile. Gives what was heard. */
function play(buffer, arrivals) {
  const heard = [];
  let next = 1;
  for (const count of arrivals) {
    for (let frame = 0; frame < count; ++frame) {
      buffer.push(Float32Array.from({length: kFrame}, () => next++));
    }
    for (let quantum = 0; quantum < kFrame / kQuantum; ++quantum) {
      const output = new Float32Array(kQuantum);
      buffer.pull(output);
      heard.push(...output);
    }
  }
  return heard;
}

test("frames in time are heard whole, after the margin", () => {
  const buffer = new JitterBuffer(kRate);
  const heard = play(buffer, Array(20).fill(1));
  const start = heard.indexOf(1);
  assert.ok(start > 0 && start <= 0.03 * kRate, `begins after ${start} samples`);
  heard.slice(start).forEach((sample, index) => assert.equal(sample, index + 1));
  assert.equal(buffer.statistics().underruns, 0);
});

test("a late frame is a gap once, then there is more in reserve", () => {
  const buffer = new JitterBuffer(kRate);
  const heard = play(buffer, [...Array(5).fill(1), 0, 2, ...Array(5).fill(1)]);
  assert.equal(buffer.statistics().underruns, 1);
  const sounds = heard.filter((sample) => sample > 0);
  assert.ok(sounds.every((sample, index) => index === 0 || sample > sounds[index - 1]), "in order");
});

test("a flood does not make speech late for good", () => {
  const buffer = new JitterBuffer(kRate);
  play(buffer, [1, 1, 10, 1, 1, 1]);
  buffer.statistics();
  play(buffer, [1, 1, 1]);
  assert.ok(buffer.statistics().queued < 0.25);
});

test("silence is played where nothing came", () => {
  const output = Float32Array.of(1, 1);
  new JitterBuffer(kRate).pull(output);
  assert.deepEqual([...output], [0, 0]);
});
