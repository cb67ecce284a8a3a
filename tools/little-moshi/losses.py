# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""How far decoded speech is from the speech it should be: spectra, and discriminators."""

import torch
from torch import nn
from torch.nn import functional as F

from speech import SAMPLE_RATE


def mel_filters(fft, bands):
    """Triangular filters [bands, fft / 2 + 1] on the mel scale of O'Shaughnessy, 2595 log10(1 + f / 700)."""
    to_mel = lambda f: 2595 * torch.log10(1 + f / 700)
    edges = 700 * (10 ** (torch.linspace(0, float(to_mel(torch.tensor(SAMPLE_RATE / 2))), bands + 2) / 2595) - 1)
    hertz = torch.linspace(0, SAMPLE_RATE / 2, fft // 2 + 1)
    rising = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


class SpectralLoss(nn.Module):
    """L1 of log-mel spectra and of log and linear magnitudes, at several resolutions."""

    def __init__(self, resolutions=((512, 128, 40), (1024, 256, 80), (2048, 512, 80))):
        super().__init__()
        self.resolutions = resolutions
        for fft, _, bands in resolutions:
            self.register_buffer(f"mel_{fft}", mel_filters(fft, bands), persistent=False)
            self.register_buffer(f"window_{fft}", torch.hann_window(fft), persistent=False)

    def _magnitudes(self, wave, fft, hop):
        spectrum = torch.stft(wave, fft, hop, window=getattr(self, f"window_{fft}"), return_complex=True)
        return (spectrum.real.square() + spectrum.imag.square() + 1e-9).sqrt()

    def forward(self, wave, target):
        """wave, target [B, samples] -> scalar"""
        loss = 0.0
        for fft, hop, _ in self.resolutions:
            mel = getattr(self, f"mel_{fft}")
            made, wanted = self._magnitudes(wave, fft, hop), self._magnitudes(target, fft, hop)
            loss = loss + F.l1_loss((mel @ made + 1e-3).log(), (mel @ wanted + 1e-3).log())
            loss = loss + 0.4 * F.l1_loss((made + 1e-2).log(), (wanted + 1e-2).log())
            loss = loss + 2.0 * (made - wanted).abs().mean() / (wanted.mean() + 1e-3) * 0.2
        return loss / len(self.resolutions)


class PeriodDiscriminator(nn.Module):
    """HiFi-GAN's view of the wave as rows of one period (https://arxiv.org/abs/2010.05646), with fewer channels."""

    def __init__(self, period, width=24):
        super().__init__()
        self.period = period
        sizes = [1, width, 3 * width, 6 * width, 8 * width]
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0)))
            for a, b in zip(sizes[:-1], sizes[1:]))
        self.last = nn.utils.parametrizations.weight_norm(nn.Conv2d(sizes[-1], 1, (3, 1), 1, (1, 0)))

    def forward(self, wave):
        wave = wave[:, :wave.shape[1] // self.period * self.period]
        x, features = wave.view(len(wave), 1, -1, self.period), []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.last(x), features


class SpectrumDiscriminator(nn.Module):
    """A judge of the complex spectrum at one resolution, after EnCodec's (https://arxiv.org/abs/2210.13438)."""

    def __init__(self, fft, width=24):
        super().__init__()
        self.fft = fft
        self.register_buffer("window", torch.hann_window(fft), persistent=False)
        norm = nn.utils.parametrizations.weight_norm
        self.layers = nn.ModuleList(
            [norm(nn.Conv2d(2, width, (7, 5), (2, 1), (3, 2)))] +
            [norm(nn.Conv2d(width, width, (5, 3), (2, 1), (2, d), (1, d))) for d in (1, 2, 4)])
        self.last = norm(nn.Conv2d(width, 1, 3, 1, 1))

    def forward(self, wave):
        with torch.autocast(wave.device.type, enabled=False):
            spectrum = torch.stft(wave.float(), self.fft, self.fft // 4, window=self.window, return_complex=True)
            scale = spectrum.abs().clamp(min=1e-4) ** -0.6  # compress the range
            x = torch.stack([spectrum.real * scale, spectrum.imag * scale], 1)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.last(x), features


class Discriminators(nn.Module):
    def __init__(self):
        super().__init__()
        self.judges = nn.ModuleList([PeriodDiscriminator(p) for p in (2, 3, 5, 7, 11)] +
                                    [SpectrumDiscriminator(f) for f in (512, 1024, 2048)])

    def judge_loss(self, real, made):
        """Least squares: real to 1, made to 0."""
        loss = 0.0
        for judge in self.judges:
            loss = loss + (judge(real)[0].float() - 1).square().mean() + judge(made)[0].float().square().mean()
        return loss / len(self.judges)

    def maker_losses(self, real, made):
        """-> (adversarial loss, feature distance)"""
        adversarial = distance = 0.0
        for judge in self.judges:
            with torch.no_grad():
                wanted = judge(real)[1]
            verdict, features = judge(made)
            adversarial = adversarial + (verdict.float() - 1).square().mean()
            for a, b in zip(features, wanted):
                distance = distance + (a.float() - b.float()).abs().mean() / b.float().abs().mean().clamp(min=1e-3)
        return adversarial / len(self.judges), distance / len(self.judges)
