// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

const kTypes = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];
const kEndings = {"audio/webm": "webm", "audio/ogg": "ogg", "audio/mp4": "m4a"};
const kPiece = 1000;  // Milliseconds that are lost at most where a browser breaks down.

/** Keeps both sides as stereo: the user on the left, the model on the right. */
export class Recorder {
  #nodes;
  #recorder;
  #merger;
  #pieces = [];
  #began;

  static supported() {
    return "MediaRecorder" in globalThis && kTypes.some((type) => MediaRecorder.isTypeSupported(type));
  }

  /** Begins with two AudioNodes. */
  constructor(context, left, right) {
    this.#nodes = [left, right];
    this.#merger = new ChannelMergerNode(context, {numberOfInputs: 2});
    this.#nodes.forEach((node, channel) => node.connect(this.#merger, 0, channel));
    const sound = new MediaStreamAudioDestinationNode(context, {channelCount: 2});
    this.#merger.connect(sound);
    const mimeType = kTypes.find((type) => MediaRecorder.isTypeSupported(type));
    this.#recorder = new MediaRecorder(sound.stream, {mimeType, audioBitsPerSecond: 96000});
    this.#recorder.ondataavailable = ({data}) => this.#pieces.push(data);
    this.#recorder.start(kPiece);
    this.#began = performance.now();
  }

  /** Seconds so far. */
  seconds() {
    return (performance.now() - this.#began) / 1000;
  }

  /** Ends; gives {blob, name, seconds}. */
  async stop() {
    const seconds = this.seconds();
    await new Promise((resolve) => {
      this.#recorder.onstop = resolve;
      this.#recorder.stop();
    });
    this.#nodes.forEach((node) => node.disconnect(this.#merger));
    const type = this.#recorder.mimeType.split(";")[0];
    const time = new Date().toISOString().slice(0, 16).replace(/[T:]/g, "-");
    return {blob: new Blob(this.#pieces, {type}), name: `moshi-${time}.${kEndings[type]}`, seconds};
  }
}
