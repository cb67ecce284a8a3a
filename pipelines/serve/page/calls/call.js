// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * A conversation with the server, whatever carries it. One is made with an AudioContext and a Microphone, connects once and is
 * then done with. It tells of
 * - `words`: a piece of what the model says,
 * - `notice`: a line from the server,
 * - `end`: {reason, again}: it is over; `again` says whether another attempt may go better.
 *
 * Each class has a `title`, and `supported()`: whether this browser can. Calls have `voice`, an AudioNode of what the model says (it is heard without being connected further), and
 * - `connect(query)`: ends once the server listens; an error says why it does not, as refusalOf() gives it,
 * - `statistics()`: seconds: `roundTrip`, `jitter`, `buffered`, `turnaround` (from the end of a frame that was said to the arrival
 *   of the model's frame for it), and `loss` (a fraction), `gaps` (their number); those it knows,
 * - `setSpeaker(id)`: plays on another device,
 * - `close()`: hangs up; no `end` follows.
 */
export class Call extends EventTarget {
  #over = false;

  /** Tells listeners of `name`. */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, {detail}));
  }

  /** Tells of the end, once. */
  end(ending) {
    if (this.#over) return;
    this.#over = true;
    this.tell("end", ending);
  }

  /** Ends a call that this side cannot go on with. */
  fail(reason) {
    this.close();
    this.end({reason, again: false});
  }
}
