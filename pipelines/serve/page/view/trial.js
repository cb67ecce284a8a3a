// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
import {Level} from "../audio/level.js";
import {Microphone} from "../audio/microphone.js";

/** Shows the microphone's level before a conversation, at the press of a button. */
export class Trial {
  #button;
  #settings;
  #strip;
  #notices;
  #context = null;
  #microphone;

  constructor(button, settings, strip, notices) {
    this.#button = button;
    this.#settings = settings;
    this.#strip = strip;
    this.#notices = notices;
    button.onclick = () => (this.#context === null ? this.#begin() : this.end());
    settings.addEventListener("microphone", () => this.#open());
  }

  async #begin() {
    this.#context = new AudioContext();
    this.#microphone = new Microphone(this.#context);
    this.#button.textContent = "End the trial";
    await this.#open();
    if (this.#context !== null) this.#show(new Level(this.#context, this.#microphone.node), this.#context);
  }

  async #open() {
    if (this.#context === null) return;
    try {
      await this.#microphone.open(this.#settings.choices);
    } catch (error) {
      this.#notices.show("failed", error.message, {mood: "error"});
      this.end();
      return;
    }
    this.#settings.showInUse(this.#microphone.track);
    this.#settings.listDevices();
  }

  #show(level, context) {
    requestAnimationFrame((now) => {
      if (this.#context !== context) return;
      this.#strip.show(level.read(), now);
      this.#show(level, context);
    });
  }

  /** Gives the microphone back. */
  end() {
    if (this.#context === null) return;
    this.#microphone.close();
    this.#context.close();
    this.#context = null;
    this.#strip.clear();
    this.#settings.showInUse(null);
    this.#button.textContent = "Try the microphone";
  }
}
