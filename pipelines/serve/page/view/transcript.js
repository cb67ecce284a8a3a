// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
import {clockTime} from "./clock_time.js";

const kPause = 1200;  // Milliseconds without a word after which a line is over.
const kNear = 40;    // Pixels from the end.

/** What the model says, a line for each stretch of speech, with the time it began. */
export class Transcript {
  #list;
  #scroller;
  #words = null;  // The paragraph that goes on.
  #timer = null;
  #follows = true;  // Whoever has scrolled back to read is left there.

  constructor(list, scroller) {
    this.#list = list;
    this.#scroller = scroller;
    scroller.onscroll = () => { this.#follows = this.#isNearEnd(); };
    new ResizeObserver(() => this.#scroll()).observe(scroller);
  }

  /** Another conversation, of which the model knows nothing else. */
  begin(line) {
    this.endLine();
    if (this.#list.childElementCount > 0) this.#add("li", {className: "break", textContent: line});
  }

  /** A piece of a word, `seconds` into the conversation. */
  say(piece, seconds) {
    if (this.#words === null) this.#beginLine(seconds);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.endLine(), kPause);
    this.#words.append(this.#words.textContent === "" ? piece.trimStart() : piece);
    this.#scroll();
  }

  /** No more words come for the line. */
  endLine() {
    clearTimeout(this.#timer);
    this.#words?.parentElement.classList.remove("current");
    this.#words = null;
  }

  #beginLine(seconds) {
    const line = this.#add("li", {className: "current"});
    line.append(Object.assign(document.createElement("time"), {
      textContent: clockTime(seconds), dateTime: `PT${seconds.toFixed(1)}S`}));
    this.#words = document.createElement("p");
    line.append(this.#words);
  }

  #add(tag, properties) {
    const element = Object.assign(document.createElement(tag), properties);
    this.#list.append(element);
    this.#scroll();
    return element;
  }

  #isNearEnd() {
    const {scrollHeight, scrollTop, clientHeight} = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < kNear;
  }

  #scroll() {
    if (this.#follows) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }
}
