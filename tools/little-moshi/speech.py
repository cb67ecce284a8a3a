# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Utterances: speech at 24 kHz with the times of its words and phones; other sample rates, other speakers."""

from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 24000
LABEL_RATE = 100  # phone labels per second
PHONES = ("pau aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z "
          "zh").split()


@dataclass
class Utterance:
    pcm: np.ndarray     # int16 at SAMPLE_RATE
    words: list         # (word, start, end) in seconds
    labels: np.ndarray  # uint8 index into PHONES, LABEL_RATE a second


def resample(pcm, rate):
    """int16 at `rate` to int16 at SAMPLE_RATE, by way of the spectrum."""
    if rate == SAMPLE_RATE:
        return pcm
    padded = np.zeros(len(pcm) + rate // 5, np.float32)
    padded[:len(pcm)] = pcm
    count = round(len(padded) * SAMPLE_RATE / rate)
    spectrum = np.fft.rfft(padded)
    out = np.zeros(count // 2 + 1, spectrum.dtype)
    common = min(len(out), len(spectrum))
    out[:common] = spectrum[:common]
    wave = np.fft.irfft(out, count) * (count / len(padded))
    return np.clip(wave[:round(len(pcm) * SAMPLE_RATE / rate)], -32768, 32767).astype(np.int16)


def change_speaker(pcm, pitch, formants, fft=1024, hop=256):
    """Multiply pitch and formants by two factors of their own; the speech gets `pitch` times as fast.

    Resampling moves both; the spectral envelope (the cepstrum's first 1.2 ms) is then moved to where it should be.
    """
    wave = resample(pcm, round(SAMPLE_RATE * pitch)).astype(np.float32)
    padded = np.pad(wave, (fft, fft + hop))
    window = np.hanning(fft + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, fft)[::hop] * window
    spectrum = np.fft.rfft(frames)
    cepstrum = np.fft.irfft(np.log(np.abs(spectrum) + 1.0))
    cepstrum[:, 29:fft - 28] = 0
    envelope = np.fft.rfft(cepstrum).real
    bins = np.arange(fft // 2 + 1)
    source = np.minimum(bins * (pitch / formants), fft // 2)
    low = np.minimum(source.astype(int), fft // 2 - 1)
    moved = envelope[:, low] + (envelope[:, low + 1] - envelope[:, low]) * (source - low)
    frames = np.fft.irfft(spectrum * np.exp(np.minimum(moved - envelope, 3.4))) * window
    out, weight = np.zeros(len(padded)), np.full(len(padded), 1e-3)
    for index, frame in enumerate(frames):
        out[index * hop:index * hop + fft] += frame
        weight[index * hop:index * hop + fft] += window**2
    return np.clip((out / weight)[fft:fft + len(wave)], -32768, 32767).astype(np.int16)


def trim(pcm, timed, lexicon):
    """Cut the silence around the words and write the labels. `timed`: (word, [boundary times of its phonemes])."""
    level = np.abs(pcm.astype(np.int32))
    loud = np.flatnonzero(level > 200)
    if not len(loud) or not timed:
        return None
    begin = max(0, loud[0] - SAMPLE_RATE // 50)
    end = min(len(pcm), loud[-1] + SAMPLE_RATE // 50)
    pcm = pcm[begin:end]
    length = len(pcm) / SAMPLE_RATE
    shift = begin / SAMPLE_RATE
    labels = np.zeros(int(length * LABEL_RATE) + 1, np.uint8)
    out = []
    for word, bounds in timed:
        bounds = np.clip(np.asarray(bounds) - shift, 0, length)
        phones = lexicon[word]
        edges = np.interp(np.linspace(0, len(bounds) - 1, len(phones) + 1), np.arange(len(bounds)), bounds)
        marks = np.round(edges * LABEL_RATE).astype(int)
        for phone, a, b in zip(phones, marks[:-1], marks[1:]):
            labels[a:b] = phone
        out.append((word, float(bounds[0]), float(bounds[-1])))
    return Utterance(pcm, out, labels)


def as_speaker(pcm, timed, raised, formants):
    """Speech that was made `raised` times too slow, as the other speaker's at the right speed."""
    if raised == 1.0:
        return pcm, timed
    return change_speaker(pcm, raised, formants), [(word, np.asarray(bounds) / raised) for word, bounds in timed]
