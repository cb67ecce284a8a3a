// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

const kPacket = 0.02;        // Seconds of speech in a packet.
const kServersBuffer = 0.04;
const kModel = 0.04;         // Taken for a frame's time in the model, which nothing here measures.

/** What RTCStatsReports say of a call, as Call's statistics. */
export class WebrtcFigures {
  #delay = 0;    // Of the browser's jitter buffer, in all, by the last report.
  #emitted = 0;  // Samples it gave out.
  #buffered = 0;
  #firstGaps = null;  // Before anything was to be heard.

  /** Of a report, which has come after those before. */
  from(report) {
    const all = [...report.values()];
    const pair = all.find(({type, nominated, state}) => type === "candidate-pair" && nominated && state === "succeeded");
    const heard = all.find(({type, kind}) => type === "inbound-rtp" && kind === "audio");
    const figures = {};
    if (heard !== undefined) this.#addHeard(figures, heard);
    if (pair?.currentRoundTripTime !== undefined) {
      figures.roundTrip = pair.currentRoundTripTime;
      figures.turnaround = kPacket + kServersBuffer + kModel + figures.roundTrip;
    }
    return figures;
  }

  #addHeard(figures, {jitter, packetsLost, packetsReceived, concealmentEvents, jitterBufferDelay, jitterBufferEmittedCount}) {
    const emitted = jitterBufferEmittedCount - this.#emitted;
    if (emitted > 0) this.#buffered = (jitterBufferDelay - this.#delay) / emitted;
    this.#delay = jitterBufferDelay;
    this.#emitted = jitterBufferEmittedCount;
    figures.jitter = jitter;
    figures.loss = Math.max(0, packetsLost) / Math.max(1, packetsLost + packetsReceived);
    this.#firstGaps ??= concealmentEvents;
    figures.gaps = concealmentEvents - this.#firstGaps;
    figures.buffered = this.#buffered;
  }
}
