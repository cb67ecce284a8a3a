// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

const kBlock = 0.02;  // Seconds: a packet of Opus.

/** Posts the first channel of its input, a block at a time, until its port receives anything. */
class Capture extends AudioWorkletProcessor {
  #block = new Float32Array(Math.round(kBlock * sampleRate));
  #filled = 0;
  #goesOn = true;

  constructor() {
    super();
    this.port.onmessage = () => { this.#goesOn = false; };
  }

  process([[input]], [[output]]) {
    const samples = input ?? new Float32Array(output.length);  // No input: silence, not a pause.
    for (let done = 0; done < samples.length;) {
      const part = samples.subarray(done, done + this.#block.length - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      done += part.length;
      if (this.#filled < this.#block.length) continue;
      this.port.postMessage(this.#block.slice());
      this.#filled = 0;
    }
    return this.#goesOn;
  }
}

registerProcessor("capture", Capture);
