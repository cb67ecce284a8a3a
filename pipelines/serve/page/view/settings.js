// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

const kStore = "gst-moshi";
const kSwitches = ["echoCancellation", "noiseSuppression", "autoGainControl"];
const kNames = {echoCancellation: "echo cancellation", noiseSuppression: "noise suppression", autoGainControl: "gain control"};
const kSpeakers = "setSinkId" in HTMLMediaElement.prototype && "setSinkId" in (globalThis.AudioContext?.prototype ?? {});

const byId = (id) => document.getElementById(id);

/** What the user chose, kept for the next visit. Tells of `microphone`, `speaker` and `announce` when that changes. */
export class Settings extends EventTarget {
  /** device, speaker, transport; echoCancellation, noiseSuppression, autoGainControl, announce; and the key, for this visit only. */
  choices = {
    device: "", speaker: "", transport: "auto", key: "",
    echoCancellation: true, noiseSuppression: true, autoGainControl: true, announce: false};

  /** `transports`: [value, label] of each way to choose. */
  constructor(transports) {
    super();
    Object.assign(this.choices, stored());
    fill(byId("transport"), transports, this.choices.transport);
    for (const name of [...kSwitches, "announce"]) byId(name).checked = this.choices[name];
    for (const name of kSwitches) this.#follow(name, "microphone");
    this.#follow("announce", "announce");
    this.#follow("device", "microphone");
    this.#follow("speaker", "speaker");
    this.#follow("transport", "transport");
    byId("speaker").disabled = !kSpeakers;
    navigator.mediaDevices?.addEventListener("devicechange", () => this.listDevices());
    this.listDevices();
  }

  /** Devices have names once the page was given the microphone. */
  async listDevices() {
    const devices = await navigator.mediaDevices?.enumerateDevices() ?? [];
    const named = (kind) => devices
      .filter((device) => device.kind === kind && !["", "default"].includes(device.deviceId))
      .map((device) => [device.deviceId, device.label || "Unnamed"]);
    fill(byId("device"), [["", "The browser's choice"], ...named("audioinput")], this.choices.device);
    const speakers = kSpeakers ? [["", "The system's choice"], ...named("audiooutput")] : [["", "Chosen by the browser"]];
    fill(byId("speaker"), speakers, this.choices.speaker);
  }

  /** Says what a MediaStreamTrack really does. */
  showInUse(track) {
    if (track === null) {
      byId("in-use").textContent = "";
      return;
    }
    const used = track.getSettings();
    const parts = kSwitches.filter((name) => name in used).map((name) => `${kNames[name]} ${used[name] ? "on" : "off"}`);
    if (used.sampleRate) parts.push(`${used.sampleRate / 1000} kHz`);
    byId("in-use").textContent = `In use: ${parts.join(", ")}.`;
  }

  #follow(id, event) {
    const control = byId(id);
    control.addEventListener("change", () => {
      this.choices[id] = control.type === "checkbox" ? control.checked : control.value;
      store({...this.choices, key: ""});
      this.dispatchEvent(new Event(event));
    });
  }
}

/** Browsers may forbid storage. */
function stored() {
  try {
    return JSON.parse(localStorage.getItem(kStore)) ?? {};
  } catch {
    return {};
  }
}

function store(choices) {
  try {
    localStorage.setItem(kStore, JSON.stringify(choices));
  } catch {
    // It is chosen for this visit only.
  }
}

/** A device that is not there any more is shown as the first choice, but stays chosen. */
function fill(select, options, chosen) {
  select.replaceChildren(...options.map(([value, label]) => new Option(label, value)));
  select.value = options.some(([value]) => value === chosen) ? chosen : options[0][0];
}
