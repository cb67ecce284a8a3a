// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
import {Recorder} from "../audio/recorder.js";
import {clockTime} from "./clock_time.js";
import {action} from "./notices.js";

const button = document.getElementById("record");
const consent = document.getElementById("consent");

/** The button that records, the consent before and the file after it. */
export class Recording {
  #conversation;
  #notices;
  #recorder = null;

  constructor(conversation, notices) {
    this.#conversation = conversation;
    this.#notices = notices;
    button.onclick = () => (this.#recorder === null ? consent.showModal() : this.#end());
    consent.onclose = () => {
      if (consent.returnValue === "record" && !button.disabled) this.#begin();
      consent.returnValue = "";
    };
  }

  /** Whether there is something to record; what is being recorded ends with it. */
  allow(allowed) {
    button.disabled = !allowed || !Recorder.supported();
    if (!allowed && this.#recorder !== null) this.#end();
  }

  #begin() {
    const {context, microphone, voice} = this.#conversation;
    this.#recorder = new Recorder(context, microphone.node, voice);
    this.#notices.remove("recorded");
    this.#showTime();
    button.setAttribute("aria-pressed", true);
  }

  #showTime() {
    const recorder = this.#recorder;
    const paragraph = this.#notices.show("recording", "Recording");
    paragraph.parentElement.setAttribute("aria-live", "off");  // Its button says that it is pressed.
    const timer = setInterval(() => {
      if (this.#recorder === recorder) paragraph.textContent = `Recording: ${clockTime(recorder.seconds())}`;
      else clearInterval(timer);
    }, 1000);
  }

  async #end() {
    const recorder = this.#recorder;
    this.#recorder = null;
    button.setAttribute("aria-pressed", false);
    this.#notices.remove("recording");
    const {blob, name, seconds} = await recorder.stop();
    const address = URL.createObjectURL(blob);
    const save = Object.assign(document.createElement("a"), {href: address, download: name, textContent: "Save"});
    const discard = action("Discard", () => {
      URL.revokeObjectURL(address);
      this.#notices.remove("recorded");
    });
    const size = Math.max(1, Math.round(blob.size / 1024));
    this.#notices.show("recorded", `A recording of ${clockTime(seconds)} (${size} KiB) waits to be saved.`, {actions: [save, discard]});
  }
}
