// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
import assert from "node:assert/strict";
import {readFileSync} from "node:fs";
import test from "node:test";
import {checksum, OggOpusReader, OggOpusWriter} from "../../pipelines/serve/page/audio/ogg_opus.js";

const recording = new Uint8Array(readFileSync(new URL("../pipelines/questions/01.opus", import.meta.url)));

/** The pages of a file that is in order. */
function pagesOf(bytes) {
  const pages = [];
  for (let at = 0; at < bytes.length;) {
    const sizes = bytes.subarray(at + 27, at + 27 + bytes[at + 26]);
    const end = at + 27 + sizes.length + sizes.reduce((sum, size) => sum + size, 0);
    pages.push(bytes.slice(at, end));
    at = end;
  }
  return pages;
}

function packetOf(size) {
  return Uint8Array.from({length: size}, (_, index) => index * 7);
}

test("checksums are those of other writers", () => {
  const pages = pagesOf(recording);
  assert.ok(pages.length > 2);
  for (const page of pages) {
    const written = new DataView(page.buffer).getUint32(22, true);
    page.fill(0, 22, 26);
    assert.equal(checksum(page), written);
  }
});

test("what is written is read", () => {
  const writer = new OggOpusWriter(7);
  const packets = [1, 100, 254, 255, 256, 510, 1275].map(packetOf);
  const stream = [writer.headers(), ...packets.map((packet) => writer.write(packet, 960))];
  const reader = new OggOpusReader();
  assert.deepEqual(stream.flatMap((bytes) => reader.read(bytes)), packets);
});

test("pages are in order, and their first two are headers", () => {
  const writer = new OggOpusWriter(7);
  const pages = [...pagesOf(writer.headers()), writer.write(packetOf(10), 960), writer.write(packetOf(10), 960)];
  const fields = pages.map((page) => new DataView(page.buffer));
  assert.deepEqual(fields.map((field) => field.getUint8(5)), [2, 0, 0, 0]);
  assert.deepEqual(fields.map((field) => field.getUint32(14, true)), [7, 7, 7, 7]);
  assert.deepEqual(fields.map((field) => field.getUint32(18, true)), [0, 1, 2, 3]);
  assert.deepEqual(fields.map((field) => Number(field.getBigInt64(6, true))), [0, 0, 960, 1920]);
  assert.equal(new TextDecoder().decode(pages[0].subarray(28, 36)), "OpusHead");
  assert.equal(new TextDecoder().decode(pages[1].subarray(28, 36)), "OpusTags");
});

test("pages may be split anywhere", () => {
  const whole = new OggOpusReader().read(recording);
  assert.ok(whole.length > 10);
  const reader = new OggOpusReader();
  const packets = [];
  for (let at = 0; at < recording.length; at += 13) packets.push(...reader.read(recording.subarray(at, at + 13)));
  assert.deepEqual(packets, whole);
});

test("what is no page is passed over", () => {
  const writer = new OggOpusWriter(7);
  const reader = new OggOpusReader();
  assert.deepEqual(reader.read(new TextEncoder().encode("Oggly OggOgg")), []);
  assert.deepEqual(reader.read(writer.write(packetOf(20), 960)), [packetOf(20)]);
});
