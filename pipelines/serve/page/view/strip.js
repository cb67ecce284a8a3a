// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

const kFrame = 80;   // Milliseconds a bar stands for: the model's frame.
const kBar = 3;      // Pixels.
const kPitch = 7;
const kStillPause = 250;  // Milliseconds between two drawings for those who want no motion.

/** A meter that shows the last seconds of a level. */
export class Strip {
  #element;
  #canvas;
  #levels = [];
  #loudest = 0;
  #begun = 0;  // When the newest bar was.
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(element) {
    this.#element = element;
    this.#canvas = element.querySelector("canvas");
    new ResizeObserver(() => this.#draw(0)).observe(this.#canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw(0));
  }

  /** Shows a level from 0 to 1, at a time in milliseconds. */
  show(level, now) {
    this.#loudest = Math.max(this.#loudest, level);
    const pause = this.#still.matches ? kStillPause : kFrame;
    if (now - this.#begun >= pause) {
      this.#begun = now;
      this.#levels.push(this.#loudest);
      if (this.#levels.length > 400) this.#levels.shift();
      this.#element.setAttribute("aria-valuenow", Math.round(100 * this.#loudest));
      this.#loudest = 0;
    } else if (this.#still.matches) {
      return;
    }
    this.#draw((now - this.#begun) / kFrame);
  }

  /** Back to silence. */
  clear() {
    this.#levels = [];
    this.#loudest = 0;
    this.#element.setAttribute("aria-valuenow", 0);
    this.#draw(0);
  }

  #draw(moved) {
    const {clientWidth: width, clientHeight: height} = this.#canvas;
    const context = this.#canvas.getContext("2d");
    this.#canvas.width = width * devicePixelRatio;
    this.#canvas.height = height * devicePixelRatio;
    context.scale(devicePixelRatio, devicePixelRatio);
    const style = getComputedStyle(this.#element);
    const colour = style.getPropertyValue("--colour");
    const quiet = style.getPropertyValue("--line");
    if (this.#still.matches) return this.#drawBar(context, width, height, colour, quiet);
    for (let age = 0, x = width - kPitch * (1 + moved); x > -kBar; ++age, x -= kPitch) {
      const level = this.#levels.at(-1 - age) ?? 0;
      const size = Math.max(kBar, level * level * height);  // Eyes want more contrast than dB give.
      context.fillStyle = level > 0.02 ? colour : quiet;
      context.globalAlpha = Math.min(1, Math.max(0, x / 60));  // The oldest fade.
      context.beginPath();
      context.roundRect(x, (height - size) / 2, kBar, size, kBar / 2);
      context.fill();
    }
  }

  #drawBar(context, width, height, colour, quiet) {
    for (const [length, fill] of [[1, quiet], [this.#levels.at(-1) ?? 0, colour]]) {
      context.fillStyle = fill;
      context.fillRect(0, height / 2 - 4, width * length, 8);
    }
  }
}
