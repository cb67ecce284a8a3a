// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

const kRefusals = {
  NotAllowedError: "The browser does not let this page use the microphone: allow it in the address bar, then try again.",
  NotFoundError: "No microphone was found: connect one, then try again.",
  NotReadableError: "The microphone could not be opened: another program may be using it.",
};

/** The microphone of one's choice. Tells of `change` when another track is in use, and of `lost` when the device is gone. */
export class Microphone extends EventTarget {
  /** What it hears, whichever device that is. */
  node;
  #context;
  #source = null;
  #stream = null;
  #muted = false;

  constructor(context) {
    super();
    this.#context = context;
    this.node = new GainNode(context);
  }

  /** Opens, or opens anew with other `choices`: device ('' is the browser's own choice) and what is done to the sound. */
  async open({device, echoCancellation, noiseSuppression, autoGainControl}) {
    // Some devices cannot be open twice.
    this.close();
    const wanted = {echoCancellation, noiseSuppression, autoGainControl, channelCount: 1};
    if (device) wanted.deviceId = {exact: device};
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({audio: wanted});
    } catch (error) {
      throw new Error(kRefusals[error.name] ?? `The microphone could not be opened: ${error.message}`);
    }
    this.track.enabled = !this.#muted;
    this.track.onended = () => this.dispatchEvent(new Event("lost"));
    this.#source = this.#context.createMediaStreamSource(this.#stream);
    this.#source.connect(this.node);
    this.dispatchEvent(new Event("change"));
  }

  close() {
    if (this.#stream === null) return;
    this.track.onended = null;
    this.track.stop();
    this.#source?.disconnect();
    this.#stream = this.#source = null;
  }

  /** Its MediaStreamTrack, null while it is closed. */
  get track() {
    return this.#stream?.getAudioTracks()[0] ?? null;
  }

  get muted() {
    return this.#muted;
  }

  set muted(muted) {
    this.#muted = muted;
    if (this.track) this.track.enabled = !muted;
  }

  /** Seconds from the air to `node`, as far as the browser says. */
  latency() {
    return this.track?.getSettings().latency ?? 0;
  }
}
