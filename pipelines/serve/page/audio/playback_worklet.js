// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
import {JitterBuffer} from "./jitter_buffer.js";
import {Resampler} from "./resampler.js";

const kReportEvery = 0.5;  // Seconds.

/** Plays what its port receives, samples at `processorOptions.rate`, until that is null; posts the jitter buffer's statistics. */
class Playback extends AudioWorkletProcessor {
  #buffer = new JitterBuffer(sampleRate);
  #reported = 0;
  #goesOn = true;

  constructor({processorOptions}) {
    super();
    const resampler = new Resampler(processorOptions.rate, sampleRate);
    this.port.onmessage = ({data}) => {
      if (data === null) this.#goesOn = false;
      else this.#buffer.push(resampler.resample(data));
    };
  }

  process(inputs, [[output]]) {
    this.#buffer.pull(output);
    if (currentTime - this.#reported >= kReportEvery) {
      this.#reported = currentTime;
      this.port.postMessage(this.#buffer.statistics());
    }
    return this.#goesOn;
  }
}

registerProcessor("playback", Playback);
