// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

const kFirst = 1;   // Seconds.
const kLongest = 30;
const kSpread = 0.25;  // So that callers of a server that went down do not all come back at once.

/** How long to wait between attempts: each about twice as long as the one before. */
export class Backoff {
  #attempts = 0;
  #random;

  /** `random` gives numbers from 0 to 1. */
  constructor(random = Math.random) {
    this.#random = random;
  }

  /** Seconds to wait now, no less than the server asked for. */
  next(atLeast = 0) {
    const wait = Math.min(kFirst * 2 ** this.#attempts++, kLongest);
    return Math.max(wait * (1 + kSpread * (2 * this.#random() - 1)), atLeast);
  }

  /** An attempt succeeded. */
  reset() {
    this.#attempts = 0;
  }
}
