# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""What happens to the user's voice on its way: other vocal tracts, rooms, lines and noises. Runs on batches on the GPU."""

import numpy as np
import torch

from speech import PHONES, SAMPLE_RATE

FFT, HOP = 1024, 256
BINS = FFT // 2 + 1
SMOOTH = 56             # samples of the cepstrum that make the envelope: fine enough to tell two formants apart
FORMANTS = (500.0, 1500.0, 2700.0, 5000.0)  # hertz: where speakers differ, each place in its own way
FORMANTS_APART = 0.10  # how far speakers are apart there, beside their size: standard deviation of the factor's logarithm
PHONES_APART = 0.07    # the same, of a single phone of theirs
LOUDNESS_APART = 0.25  # and of a phone's loudness


def _uniform(rows, low, high, device):
    return torch.empty(rows, 1, device=device).uniform_(low, high)


def _chosen(rows, probability, device):
    return torch.rand(rows, 1, device=device) < probability


def frame_times(samples):
    """Seconds at which `augment` wants to know the phone that is spoken."""
    return np.arange(samples // HOP + 1) * HOP / SAMPLE_RATE


def _envelope(magnitude):
    """Logarithm of the smooth spectral envelope of [B, BINS, T]: the cepstrum's first 2.3 ms, shorter than a pitch period."""
    cepstrum = torch.fft.irfft(magnitude.clamp(min=1e-5).log(), n=FFT, dim=1)
    cepstrum[:, SMOOTH:FFT - SMOOTH + 1] = 0
    return torch.fft.rfft(cepstrum, dim=1).real


def _draw_mouths(phones, strength):
    """Formant shifts of one speaker a row: [B, BINS, T] logarithms of factors, and [B, 1, T] of each phone's loudness."""
    rows, device = len(phones), phones.device
    whole = (1 + _uniform(rows, -0.2, 0.22, device) * strength * _chosen(rows, 0.7, device)).log()
    bent = torch.randn(rows, len(FORMANTS), device=device) * FORMANTS_APART * strength * _chosen(rows, 0.7, device)
    own = torch.randn(rows, len(FORMANTS) + 1, len(PHONES), device=device) * strength
    own[..., 0] = 0  # silence
    own = own.gather(2, phones[:, None].expand(-1, len(FORMANTS) + 1, -1))
    own = torch.nn.functional.avg_pool1d(own, 5, 1, 2)  # as fast as a mouth moves
    shifts = (whole + bent)[..., None] + own[:, :-1] * PHONES_APART
    hertz = torch.linspace(0, SAMPLE_RATE / 2, BINS, device=device)
    at = torch.tensor(FORMANTS, device=device)
    place = (torch.searchsorted(at, hertz).clamp(1, len(FORMANTS) - 1))
    part = ((hertz - at[place - 1]) / (at[place] - at[place - 1])).clamp(0, 1)[:, None]
    return torch.lerp(shifts[:, place - 1], shifts[:, place], part), own[:, -1:] * LOUDNESS_APART


def _change_speakers(spectrum, phones, strength):
    """Move the envelope along frequency; the harmonics stay where they are. phones: int64 [B, T], 0 for silence."""
    shifts, loudness = _draw_mouths(phones, strength)
    envelope = _envelope(spectrum.abs())
    source = (torch.arange(BINS, device=spectrum.device)[:, None] * (-shifts).exp()).clamp(max=BINS - 1)
    low = source.long().clamp(max=BINS - 2)
    moved = torch.lerp(envelope.gather(1, low), envelope.gather(1, low + 1), source - low)
    sharpness = 1 + _uniform(len(phones), -0.2, 0.25, spectrum.device)[..., None] * strength
    middle = moved.mean(1, keepdim=True)
    moved = middle + (moved - middle) * sharpness + loudness
    return spectrum * (moved - envelope).clamp(max=3.4).exp()


def _response(rows, strength, device):
    """Amplitude [B, BINS] of a line or microphone: a gentle random curve, at times a telephone or a low-pass."""
    hertz = torch.linspace(0, SAMPLE_RATE / 2, BINS, device=device)
    knots = torch.randn(rows, 1, 9, device=device) * 4 * strength
    curve = torch.nn.functional.interpolate(knots, BINS, mode="linear", align_corners=True)[:, 0]
    gain = 10 ** (curve / 20)
    telephone = _chosen(rows, 0.35 * strength, device)
    band = (hertz > _uniform(rows, 200, 400, device)) & (hertz < _uniform(rows, 3000, 3800, device))
    gain = torch.where(telephone & ~band, 0.003, gain)
    low_pass = _chosen(rows, 0.2 * strength, device)
    return torch.where(low_pass & (hertz > _uniform(rows, 3500, 9000, device)), 0.003, gain)


def _coloured_noise(rows, frames, device):
    """Spectrum [B, BINS, frames] of noise with a random slope and a random, changing level; half are white."""
    coloured = ~_chosen(rows, 0.5, device)
    slope = _uniform(rows, -1.2, 0.3, device) * coloured
    shape = (torch.arange(BINS, device=device) + 8.0) ** slope
    bumps = torch.randn(rows, 1, 12, device=device) * 6 * coloured[..., None]
    shape = shape * 10 ** (torch.nn.functional.interpolate(bumps, BINS, mode="linear", align_corners=True)[:, 0] / 20)
    swing = torch.nn.functional.interpolate(torch.randn(rows, 1, max(2, frames // 40), device=device) * 2, frames,
                                            mode="linear", align_corners=True)
    noise = torch.randn(rows, BINS, frames, 2, device=device)
    return torch.view_as_complex(noise) * shape[..., None] * 10 ** (swing / 20)


def _music(rows, samples, device):
    """Three sustained harmonic tones that change every half second. [B, samples]"""
    steps = samples // (SAMPLE_RATE // 2) + 1
    pitch = 110 * 2 ** (torch.randint(0, 30, (rows, 3, steps), device=device) / 12)
    pitch = pitch.repeat_interleave(SAMPLE_RATE // 2, dim=2)[..., :samples]
    phase = torch.cumsum(pitch / SAMPLE_RATE, dim=2) * 2 * torch.pi
    return sum(torch.sin(phase * h) / h for h in (1, 2, 3)).sum(1)


def _echo(wave):
    """A few decaying reflections, up to 120 ms."""
    rows, samples = wave.shape
    out = wave.clone()
    for tap in range(4):
        delay = torch.randint(60, 2900, (rows, 1), device=wave.device)
        index = torch.arange(samples, device=wave.device) - delay
        gain = _uniform(rows, -0.35, 0.35, wave.device) * 0.85 ** tap
        out += torch.where(index >= 0, wave.gather(1, index.clamp(min=0)), 0.0) * gain
    return out


@torch.no_grad()
def augment(wave, phones, strength, noise_only=None):
    """wave [B, samples] -> the same shape. phones: int64 [B, L], those spoken at frame_times(samples), 0 for silence;
    strength 0 (nothing) to 1; rows in `noise_only` (bool [B, 1]) may hold music."""
    rows, samples = wave.shape
    device = wave.device
    window = torch.hann_window(FFT, device=device)
    spectrum = torch.stft(wave, FFT, HOP, window=window, return_complex=True)
    spectrum = _change_speakers(spectrum, phones, strength) * _response(rows, strength, device)[..., None]
    noise = torch.istft(_coloured_noise(rows, spectrum.shape[2], device), FFT, HOP, window=window, length=samples)
    clean = torch.istft(spectrum, FFT, HOP, window=window, length=samples)
    clean = torch.where(_chosen(rows, 0.3 * strength, device), _echo(clean), clean)
    if noise_only is not None:
        music = _music(rows, samples, device)
        noise = torch.where(noise_only & _chosen(rows, 0.4, device), music / 2 * noise.std(), noise)
    power = lambda x: x.square().mean(1, keepdim=True).clamp(min=1e-10)
    reference = torch.maximum(power(clean) * samples / (clean.abs() > 1e-4).sum(1, keepdim=True).clamp(min=samples // 8),
                              torch.full_like(clean[:, :1], 1e-6))
    if noise_only is not None:
        reference = torch.where(noise_only, 10 ** (_uniform(rows, -4.0, -1.0, device)), reference)
    decibels = torch.where(_chosen(rows, 0.6, device), _uniform(rows, 5, 15, device), _uniform(rows, 6, 42, device))
    decibels = decibels + (1 - strength) * 30
    noise *= (reference / power(noise)).sqrt() * 10 ** (-decibels / 20)
    noise *= _chosen(rows, 0.8, device)
    babble = clean.roll(1, 0) * 10 ** (-_uniform(rows, 14, 30, device) / 20) * _chosen(rows, 0.15 * strength, device)
    return (clean + noise + babble).clamp(-1, 1)
