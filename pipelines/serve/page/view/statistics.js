// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

const milliseconds = (seconds) => `${Math.round(1000 * seconds)} ms`;
const kRows = {
  roundTrip: ["Round trip", milliseconds],
  jitter: ["Jitter", milliseconds],
  loss: ["Packets lost", (fraction) => `${(100 * fraction).toFixed(1)} %`],
  gaps: ["Gaps heard", String],
  buffered: ["Buffered", milliseconds],
  mouthToEar: ["Mouth to ear, about", milliseconds],
};

/** What is known of the connection, in numbers. */
export class Statistics {
  #values = {};

  constructor(list) {
    for (const [name, [title]] of Object.entries(kRows)) {
      const row = document.createElement("div");
      const term = Object.assign(document.createElement("dt"), {textContent: title});
      this.#values[name] = document.createElement("dd");
      this.#values[name].id = name;
      row.append(term, this.#values[name]);
      list.append(row);
    }
    this.show({});
  }

  /** Figures as a Conversation gives them; those missing are dashes. */
  show(figures) {
    for (const [name, [, written]] of Object.entries(kRows)) {
      this.#values[name].textContent = figures[name] === undefined ? "–" : written(figures[name]);
    }
  }
}
