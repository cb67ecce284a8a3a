// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

/** Lines above the transcript, at most one of each name. */
export class Notices {
  #place;

  constructor(place) {
    this.#place = place;
  }

  /**
   * Shows `line` in place of what has the same name. `mood`: '', 'warning' or 'error'; `actions`: buttons and links. Gives the
   * paragraph, for lines that change.
   */
  show(name, line, {mood = "", actions = []} = {}) {
    this.remove(name);
    const notice = Object.assign(document.createElement("div"), {className: `notice ${mood}`});
    notice.dataset.name = name;
    notice.setAttribute("role", mood === "error" ? "alert" : "status");
    const paragraph = Object.assign(document.createElement("p"), {textContent: line});
    notice.append(paragraph, ...actions);
    this.#place.append(notice);
    return paragraph;
  }

  remove(name) {
    this.#place.querySelector(`[data-name="${name}"]`)?.remove();
  }
}

/** A button for a notice. */
export function action(label, onclick) {
  return Object.assign(document.createElement("button"), {type: "button", textContent: label, onclick});
}
