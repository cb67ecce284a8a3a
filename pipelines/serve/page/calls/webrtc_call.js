// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A conversation over WebRTC: asked for as WHIP has it, with events of OpenAI's names on a data channel.
import {Call} from "./call.js";
import {endingOf} from "./ending.js";
import {refusalOf} from "./refusal.js";
import {WebrtcFigures} from "./webrtc_figures.js";

const kConnectSeconds = 8;
const kLostSeconds = 5;  // Without a way to the other side; shorter interruptions pass.

export class WebrtcCall extends Call {
  static title = "WebRTC";

  static supported() {
    return "RTCPeerConnection" in globalThis;
  }

  #context;
  #microphone;
  #peer = new RTCPeerConnection();
  #sender;
  #address = null;  // Of the call at the server.
  #tag;
  #player = new Audio();
  #voice;
  #figures = new WebrtcFigures();
  #lost = null;
  #follow = () => this.#sender.replaceTrack(this.#microphone.track);

  /** See Call. */
  constructor(context, microphone) {
    super();
    this.#context = context;
    this.#microphone = microphone;
    this.#voice = new GainNode(context);
  }

  async connect(query) {
    this.#sender = this.#peer.addTrack(this.#microphone.track);
    this.#peer.createDataChannel("oai-events").onmessage = ({data}) => this.#receive(JSON.parse(data));
    this.#peer.ontrack = ({track, streams}) => this.#play(streams[0] ?? new MediaStream([track]));
    this.#peer.onicecandidate = ({candidate}) => this.#sendCandidate(candidate);
    const offer = await this.#peer.createOffer();
    const answer = await this.#ask(offer.sdp, query);
    // Only now does the browser look for ways, by the help of the servers that the answer names.
    await this.#peer.setLocalDescription(offer);
    await this.#peer.setRemoteDescription({type: "answer", sdp: answer});
    await this.#connected();
    this.#microphone.addEventListener("change", this.#follow);
    this.#peer.onconnectionstatechange = () => this.#look();
  }

  async #ask(sdp, query) {
    const request = {method: "POST", headers: {"Content-Type": "application/sdp"}, body: sdp};
    const response = await fetch(`whip${query}`, request).catch(() => {
      this.close();
      throw new Error("The server cannot be reached.");
    });
    if (response.status !== 201) {
      this.close();
      throw await refusalOf(response);
    }
    this.#address = new URL(response.headers.get("Location"), response.url);
    this.#tag = response.headers.get("ETag");
    if (this.#peer.connectionState === "closed") this.#hangUp();  // Meanwhile this call was over.
    this.#peer.setConfiguration({iceServers: iceServers(response.headers.get("Link") ?? "")});
    return response.text();
  }

  /** Ends once speech may go to and fro. */
  #connected() {
    return new Promise((resolve, reject) => {
      const fail = () => {
        clearTimeout(timer);
        this.close();
        reject(Object.assign(new Error("No way for WebRTC was found to the server."), {unreachable: true}));
      };
      const timer = setTimeout(fail, kConnectSeconds * 1000);
      this.#peer.onconnectionstatechange = () => {
        if (this.#peer.connectionState === "failed") fail();
        if (this.#peer.connectionState !== "connected") return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #look() {
    clearTimeout(this.#lost);
    const state = this.#peer.connectionState;
    if (state === "disconnected") this.#lost = setTimeout(() => this.#ended(), kLostSeconds * 1000);
    if (state === "failed" || state === "closed") this.#ended();
  }

  /** For a reason that the server has named, or for none. */
  #ended(name) {
    this.close();
    this.end(endingOf(name));
  }

  /** To the server, one at a time as they are found. */
  async #sendCandidate(candidate) {
    if (candidate === null) return;
    const media = this.#peer.localDescription.sdp;
    const field = (name) => media.match(new RegExp(`^a=${name}:.*$`, "m"))[0];
    const lines = [field("ice-ufrag"), field("ice-pwd"), media.match(/^m=.*$/m)[0], field("mid"), `a=${candidate.candidate}`];
    await fetch(this.#address, {
      method: "PATCH",
      headers: {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": this.#tag},
      body: lines.join("\r\n") + "\r\n"}).catch(() => {});  // It may be reached by another.
  }

  #play(stream) {
    this.#player.srcObject = stream;
    this.#player.play();
    this.#context.createMediaStreamSource(stream).connect(this.#voice);
  }

  get voice() {
    return this.#voice;
  }

  #receive(event) {
    if (event.type === "response.output_audio_transcript.delta") this.tell("words", event.delta);
    if (event.type !== "error") return;
    if (event.error.type === "server_error") this.#ended(event.error.code);
    else this.tell("notice", event.error.message);
  }

  async statistics() {
    return this.#figures.from(await this.#peer.getStats());
  }

  async setSpeaker(id) {
    await this.#player.setSinkId?.(id);
  }

  close() {
    clearTimeout(this.#lost);
    this.#microphone.removeEventListener("change", this.#follow);
    this.#peer.onconnectionstatechange = this.#peer.onicecandidate = null;
    this.#player.srcObject = null;
    this.#hangUp().finally(() => this.#peer.close());
  }

  /** Tells the server, which needs not find out then, even where the page is about to go. */
  async #hangUp() {
    if (this.#address === null) return;
    const address = this.#address;
    this.#address = null;
    await fetch(address, {method: "DELETE", keepalive: true}).catch(() => {});
  }
}

/** The servers of Link headers, `<turn:host>; rel="ice-server"; username="..."; credential="..."`. */
export function iceServers(links) {
  const servers = [];
  for (const [, urls, attributes] of links.matchAll(/<([^>]*)>((?:\s*;\s*[\w-]+="[^"]*")*)/g)) {
    const values = Object.fromEntries([...attributes.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
    if (values.rel !== "ice-server") continue;
    const {username, credential} = values;
    servers.push(username === undefined ? {urls} : {urls, username, credential});
  }
  return servers;
}
