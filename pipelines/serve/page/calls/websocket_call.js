// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A conversation over /api/chat: Ogg Opus in messages, coded by the browser (WebCodecs).
import {OggOpusReader, OggOpusWriter} from "../audio/ogg_opus.js";
import {Call} from "./call.js";
import {endingOf} from "./ending.js";
import {FrameClock} from "./frame_clock.js";
import {refusalOf} from "./refusal.js";

const kHandshake = 0, kAudio = 1, kText = 2, kError = 5;
const kDecodedRate = 48000;
const kPacket = 0.02;       // Seconds.
const kConnectSeconds = 15;
const kNormal = 1000;
const kUpgradeRequired = 426;

export class WebSocketCall extends Call {
  static title = "WebSocket";

  static supported() {
    return "AudioEncoder" in globalThis && "AudioDecoder" in globalThis;
  }

  #context;
  #microphone;
  #socket;
  #capture;
  #playback;
  #encoder;
  #decoder;
  #writer = new OggOpusWriter(Math.floor(Math.random() * 2 ** 32));
  #reader = new OggOpusReader();
  #clock = new FrameClock();
  #samplesSent = 0;
  #samplesDecoded = 0;
  #buffer = {queued: 0, underruns: 0};

  /** See Call. */
  constructor(context, microphone) {
    super();
    this.#context = context;
    this.#microphone = microphone;
  }

  async connect(query) {
    await Promise.all(["capture", "playback"].map(
      (name) => this.#context.audioWorklet.addModule(new URL(`../audio/${name}_worklet.js`, import.meta.url))));
    this.#makeVoice();
    const address = new URL(`api/chat${query}`, document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    this.#socket = new WebSocket(address);
    this.#socket.binaryType = "arraybuffer";
    await this.#handshake().catch(async (error) => {
      throw await whyRefused(query) ?? error;
    });
    this.#socket.onmessage = ({data}) => this.#receive(new Uint8Array(data));
    this.#socket.onclose = ({reason}) => this.#closed(reason);
    this.#send(kAudio, this.#writer.headers());
    this.#startCapture();
  }

  /** Ends when the server is ready; what it says before is told. */
  #handshake() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#socket.close(), kConnectSeconds * 1000);
      this.#socket.onclose = ({reason}) => {
        clearTimeout(timer);
        this.close();
        reject(new Error(reason || "The server did not take the call."));
      };
      this.#socket.onmessage = ({data}) => {
        const message = new Uint8Array(data);
        if (message[0] !== kHandshake) return this.#receive(message);
        clearTimeout(timer);
        return resolve();
      };
    });
  }

  #makeVoice() {
    this.#playback = new AudioWorkletNode(this.#context, "playback", {
      numberOfInputs: 0, outputChannelCount: [1], processorOptions: {rate: kDecodedRate}});
    this.#playback.port.onmessage = ({data}) => { this.#buffer = data; };
    this.#playback.connect(this.#context.destination);
    this.#decoder = new AudioDecoder({
      output: (sound) => this.#play(sound),
      error: (error) => this.fail(`This browser could not decode what came: ${error.message}`)});
    this.#decoder.configure({codec: "opus", sampleRate: kDecodedRate, numberOfChannels: 1});
  }

  get voice() {
    return this.#playback;
  }

  #startCapture() {
    this.#encoder = new AudioEncoder({
      output: (packet) => this.#sendPacket(packet),
      error: (error) => this.fail(`This browser could not encode the microphone: ${error.message}`)});
    this.#encoder.configure({
      codec: "opus", sampleRate: this.#context.sampleRate, numberOfChannels: 1, bitrate: 32000,
      opus: {application: "voip", frameDuration: kPacket * 1e6}});
    this.#capture = new AudioWorkletNode(this.#context, "capture", {
      channelCount: 1, channelCountMode: "explicit", outputChannelCount: [1]});
    this.#capture.port.onmessage = ({data}) => this.#encode(data);
    this.#microphone.node.connect(this.#capture);
    this.#capture.connect(this.#context.destination);  // Silent; without it some browsers do not run it.
  }

  #encode(samples) {
    if (this.#encoder.state !== "configured") return;
    const rate = this.#context.sampleRate;
    const sound = new AudioData({
      format: "f32-planar", sampleRate: rate, numberOfChannels: 1, numberOfFrames: samples.length,
      timestamp: Math.round(this.#samplesSent / rate * 1e6), data: samples});
    this.#encoder.encode(sound);
    sound.close();
    this.#samplesSent += samples.length;
    this.#clock.sent(this.#samplesSent / rate);
  }

  #sendPacket(packet) {
    const bytes = new Uint8Array(packet.byteLength);
    packet.copyTo(bytes);
    this.#send(kAudio, this.#writer.write(bytes, kPacket * 48000));
  }

  #send(kind, payload) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const message = new Uint8Array(payload.length + 1);
    message[0] = kind;
    message.set(payload, 1);
    this.#socket.send(message);
  }

  #receive(message) {
    const payload = message.subarray(1);
    if (message[0] === kAudio) {
      this.#clock.came();
      this.#reader.read(payload).forEach((packet) => this.#decode(packet));
    }
    if (message[0] === kText) this.tell("words", new TextDecoder().decode(payload));
    if (message[0] === kError) this.tell("notice", new TextDecoder().decode(payload));
  }

  #decode(packet) {
    if (this.#decoder.state !== "configured") return;
    this.#decoder.decode(new EncodedAudioChunk({
      type: "key", timestamp: Math.round(this.#samplesDecoded / kDecodedRate * 1e6), data: packet}));
  }

  #play(sound) {
    const samples = new Float32Array(sound.numberOfFrames);
    sound.copyTo(samples, {planeIndex: 0, format: "f32-planar"});
    sound.close();
    this.#samplesDecoded += samples.length;
    this.#playback.port.postMessage(samples, [samples.buffer]);
  }

  #closed(reason) {
    this.close();
    this.end(endingOf(reason));
  }

  async statistics() {
    return {
      jitter: this.#clock.jitter(),
      gaps: this.#buffer.underruns,
      buffered: this.#buffer.queued,
      turnaround: this.#clock.turnaround()};
  }

  async setSpeaker(id) {
    await this.#context.setSinkId?.(id);
  }

  close() {
    if (this.#socket) this.#socket.onclose = null;
    this.#socket?.close(kNormal);
    if (this.#capture) this.#microphone.node.disconnect(this.#capture);
    for (const worklet of [this.#capture, this.#playback]) {
      worklet?.port.postMessage(null);  // It ends.
      worklet?.disconnect();
    }
    this.#capture = null;
    for (const codec of [this.#encoder, this.#decoder]) {
      if (codec && codec.state !== "closed") codec.close();
    }
  }
}

/** Browsers do not say why a WebSocket was refused; a plain request is answered with the reason. */
async function whyRefused(query) {
  const response = await fetch(`api/chat${query}`).catch(() => null);
  return response === null || response.status === kUpgradeRequired ? null : refusalOf(response);
}
