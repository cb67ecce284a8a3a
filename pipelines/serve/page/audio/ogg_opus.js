// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Opus packets in Ogg pages (RFC 3533, RFC 7845), piece by piece.

const kHeader = 27;
const kBeginning = 2;  // Header type: a stream's first page.
const kPreSkip = 312;  // Samples at 48 kHz before the first that counts: libopus' look-ahead.
const kMagic = [0x4f, 0x67, 0x67, 0x53];  // OggS

const crcTable = Uint32Array.from({length: 256}, (_, byte) => {
  let remainder = byte << 24;
  for (let bit = 0; bit < 8; ++bit) remainder = (remainder << 1) ^ (remainder < 0 ? 0x04c11db7 : 0);
  return remainder >>> 0;
});

/** A page's checksum, for a page whose field for it is zero. */
export function checksum(page) {
  let sum = 0;
  for (const byte of page) sum = (sum << 8) ^ crcTable[(sum >>> 24) ^ byte];
  return sum >>> 0;
}

function text(string) {
  return new TextEncoder().encode(string);
}

function joined(...parts) {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function opusHead() {
  const fields = new DataView(new ArrayBuffer(11));
  fields.setUint8(0, 1);  // Version.
  fields.setUint8(1, 1);  // Channels.
  fields.setUint16(2, kPreSkip, true);
  fields.setUint32(4, 48000, true);
  return joined(text("OpusHead"), new Uint8Array(fields.buffer));
}

function opusTags(vendor) {
  const size = new Uint8Array(Uint32Array.of(vendor.length).buffer);
  return joined(text("OpusTags"), size, text(vendor), new Uint8Array(4));
}

/** Writes one mono stream, a packet a page. */
export class OggOpusWriter {
  #serial;
  #sequence = 0;
  #granule = 0n;

  constructor(serial) {
    this.#serial = serial;
  }

  /** The two pages in front of all others. */
  headers() {
    return joined(this.#page(opusHead(), kBeginning), this.#page(opusTags("gst-moshi"), 0));
  }

  /** The page of a packet that lasts `samples` at 48 kHz. */
  write(packet, samples) {
    this.#granule += BigInt(samples);
    return this.#page(packet, 0);
  }

  #page(packet, type) {
    const full = Math.floor(packet.length / 255);
    const page = new Uint8Array(kHeader + full + 1 + packet.length);
    const fields = new DataView(page.buffer);
    page.set(kMagic);
    fields.setUint8(5, type);
    fields.setBigInt64(6, this.#granule, true);
    fields.setUint32(14, this.#serial, true);
    fields.setUint32(18, this.#sequence++, true);
    fields.setUint8(26, full + 1);
    page.fill(255, kHeader, kHeader + full);
    page[kHeader + full] = packet.length % 255;
    page.set(packet, kHeader + full + 1);
    fields.setUint32(22, checksum(page), true);
    return page;
  }
}

function startsWith(bytes, string) {
  return text(string).every((byte, index) => bytes[index] === byte);
}

/** Reads a stream whose pages may be split anywhere; checksums are left to TCP. */
export class OggOpusReader {
  #waiting = new Uint8Array(0);
  #part = new Uint8Array(0);  // Of a packet that goes on in the next page.

  /** Takes the next bytes; returns the packets they complete, headers left out. */
  read(bytes) {
    this.#waiting = joined(this.#waiting, bytes);
    const packets = [];
    for (let size = this.#pageSize(); size > 0; size = this.#pageSize()) {
      this.#readPage(this.#waiting.subarray(0, size), packets);
      this.#waiting = this.#waiting.subarray(size);
    }
    return packets.filter((packet) => !startsWith(packet, "OpusHead") && !startsWith(packet, "OpusTags"));
  }

  /** The size of the page in front, 0 where it is not whole yet; what is no page is passed over. */
  #pageSize() {
    let start = 0;
    while (start < this.#waiting.length && !this.#mayBePageAt(start)) ++start;
    this.#waiting = this.#waiting.subarray(start);
    if (this.#waiting.length < kHeader) return 0;
    const segments = this.#waiting[26];
    if (this.#waiting.length < kHeader + segments) return 0;
    const body = this.#waiting.subarray(kHeader, kHeader + segments).reduce((sum, size) => sum + size, 0);
    const size = kHeader + segments + body;
    return this.#waiting.length < size ? 0 : size;
  }

  #mayBePageAt(start) {
    const found = this.#waiting.subarray(start, start + kMagic.length);
    return found.every((byte, index) => byte === kMagic[index]);
  }

  #readPage(page, packets) {
    const segments = page[26];
    let start = kHeader + segments;
    let end = start;
    for (const size of page.subarray(kHeader, kHeader + segments)) {
      end += size;
      if (size === 255) continue;
      packets.push(joined(this.#part, page.subarray(start, end)));
      this.#part = new Uint8Array(0);
      start = end;
    }
    this.#part = joined(this.#part, page.subarray(start, end));
  }
}
