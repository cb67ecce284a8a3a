// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

const kFrame = 0.08;   // Seconds.
const kSkipped = 1;    // The server's first frame answers our second.
const kSmoothing = 1 / 16;  // As RTP's jitter (RFC 3550).

/** When frames were said and when the model's frames for them came. */
export class FrameClock {
  #now;
  #saidAt = [];  // When each frame that was not answered yet had been said.
  #said = 0;
  #cameAt = null;
  #jitter = 0;
  #turnaround = null;

  /** `now` gives seconds. */
  constructor(now = () => performance.now() / 1000) {
    this.#now = now;
  }

  /** So many seconds of sound were said by now. */
  sent(seconds) {
    for (; (this.#said + 1) * kFrame <= seconds + 1e-6; ++this.#said) {
      if (this.#said >= kSkipped) this.#saidAt.push(this.#now());
    }
  }

  /** A frame came. */
  came() {
    const now = this.#now();
    if (this.#cameAt !== null) {
      this.#jitter += (Math.abs(now - this.#cameAt - kFrame) - this.#jitter) * kSmoothing;
    }
    this.#cameAt = now;
    if (this.#saidAt.length > 0) this.#turnaround = now - this.#saidAt.shift();
  }

  /** How unevenly frames come, in seconds. */
  jitter() {
    return this.#jitter;
  }

  /** Seconds from the end of a frame to the arrival of its answer; undefined before the first. */
  turnaround() {
    return this.#turnaround ?? undefined;
  }
}
