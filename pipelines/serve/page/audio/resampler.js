// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * Samples of one rate as samples of another, by cubic (Catmull-Rom) interpolation. Enough for speech that was sampled well above
 * its band, such as Opus' 48 kHz; it is no filter for rates below that.
 */
export class Resampler {
  #step;
  #position = 1;            // Between the second and the third of the four samples in use.
  #tail = new Float32Array(3);

  constructor(from, to) {
    this.#step = from / to;
  }

  /** The samples that `input` completes. */
  resample(input) {
    if (this.#step === 1) return input;
    const samples = new Float32Array(this.#tail.length + input.length);
    samples.set(this.#tail);
    samples.set(input, this.#tail.length);
    const output = [];
    for (; this.#position + 2 < samples.length; this.#position += this.#step) {
      const index = Math.floor(this.#position);
      output.push(between(samples.subarray(index - 1, index + 3), this.#position - index));
    }
    const used = Math.floor(this.#position) - 1;
    this.#tail = samples.slice(used);
    this.#position -= used;
    return Float32Array.from(output);
  }
}

/** The curve through four samples, at `t` between the second and the third. */
function between([a, b, c, d], t) {
  const slope = (c - a) / 2;
  const bend = a - 2.5 * b + 2 * c - d / 2;
  const twist = (d - a) / 2 + 1.5 * (b - c);
  return b + t * (slope + t * (bend + t * twist));
}
