// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

const kQuietest = -55;  // dB below full scale that count as nothing.
const kLoudest = -8;

/** How loud an AudioNode is. */
export class Level {
  #analyser;
  #samples;

  constructor(context, node) {
    this.#analyser = new AnalyserNode(context, {fftSize: 1024});
    this.#samples = new Float32Array(this.#analyser.fftSize);
    node.connect(this.#analyser);
  }

  /** From 0 to 1, evenly in dB. */
  read() {
    this.#analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / this.#samples.length;
    const decibels = 10 * Math.log10(power + 1e-12);
    return Math.min(1, Math.max(0, (decibels - kQuietest) / (kLoudest - kQuietest)));
  }
}
