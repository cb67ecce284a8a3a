// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

const kFrame = 0.08;         // Seconds that arrive at a time.
const kFirstMargin = 0.02;   // Held in reserve against frames that come late.
const kMargin = 0.02;        // Added each time that was not enough.
const kMostMargin = 0.16;
const kMostAbove = 0.12;     // Above frame and margin before the oldest is dropped.

/** Speech between a network that brings it in lumps and a loudspeaker that takes it evenly. */
export class JitterBuffer {
  #rate;
  #blocks = [];
  #first = 0;  // Sample of the first block that is next.
  #queued = 0;
  #playing = false;
  #held = 0;  // Samples of silence since a frame was there.
  #margin = kFirstMargin;
  #underruns = 0;
  #sum = 0;  // Of what was queued, at `#pulls` times.
  #pulls = 0;

  constructor(rate) {
    this.#rate = rate;
  }

  /** Samples that came. */
  push(block) {
    this.#blocks.push(block);
    this.#queued += block.length;
    const wanted = (kFrame + this.#margin) * this.#rate;
    if (this.#queued <= wanted + kMostAbove * this.#rate) return;
    this.#take(Math.floor(this.#queued - wanted));
  }

  /** Fills `output` with the next samples, silence where there are none. */
  pull(output) {
    output.fill(0);
    this.#sum += this.#queued;
    ++this.#pulls;
    if (!this.#playing && !this.#mayPlay(output.length)) return;
    this.#playing = true;
    this.#take(output.length, output);
    if (this.#queued > 0) return;
    this.#playing = false;
    this.#held = 0;
    ++this.#underruns;
    this.#margin = Math.min(this.#margin + kMargin, kMostMargin);
  }

  /** Seconds that waited, on average since the last call; how often nothing did so far. */
  statistics() {
    const queued = this.#sum / Math.max(1, this.#pulls) / this.#rate;
    this.#sum = this.#pulls = 0;
    return {queued, underruns: this.#underruns};
  }

  /** Once a frame is there, and the margin has passed. */
  #mayPlay(samples) {
    if (this.#queued < kFrame * this.#rate) return false;
    this.#held += samples;
    return this.#held > this.#margin * this.#rate;
  }

  /** Takes samples away, into `output` if given. */
  #take(count, output) {
    let done = 0;
    while (done < count && this.#blocks.length > 0) {
      const block = this.#blocks[0];
      const part = block.subarray(this.#first, this.#first + count - done);
      output?.set(part, done);
      done += part.length;
      this.#first += part.length;
      if (this.#first < block.length) continue;
      this.#blocks.shift();
      this.#first = 0;
    }
    this.#queued -= done;
  }
}
