// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "latency/chirp.h"

#include <gst/fft/gstfftf32.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <numeric>

namespace latency {
namespace {

constexpr double kSeconds = 0.12;
// From a low voice to a high one, in harmonics up to what a telephone carries.
constexpr double kLowPitch = 120;
constexpr double kHighPitch = 240;
constexpr int kHarmonics = 16;
/// Silence on both sides that belongs to the pattern.
constexpr double kPadding = 0.08;

constexpr int kMomentsPerSecond = 500;
constexpr int kWindowsPerSecond = 50;
// A window of 20 ms has a value each 50 Hz.
constexpr int kFirstValue = 6;
constexpr int kValuesPerBand = 3;
constexpr int kBands = 20;
/// What is this much weaker than the loudest band counts as silence.
constexpr float kFloor = 1e-3F;
/// How alike chirp and recording are, at least. Decoded chirps reach 0.6, anything else 0.3.
constexpr float kAlike = 0.45F;
/// How much the delay of a chirp may differ from that of most.
constexpr double kSpread = 0.4;

size_t moments(double seconds) { return static_cast<size_t>(seconds * kMomentsPerSecond); }

/// Logarithms of the bands' energies at each moment, one moment after the other.
std::vector<float> spectrogram(std::span<const float> sound, int rate) {
  const int window = rate / kWindowsPerSecond;
  const auto hop = static_cast<size_t>(rate / kMomentsPerSecond);
  const std::unique_ptr<GstFFTF32, void (*)(GstFFTF32*)> fft(gst_fft_f32_new(window, FALSE),
                                                             gst_fft_f32_free);
  std::vector<GstFFTF32Complex> values(static_cast<size_t>(window) / 2 + 1);
  std::vector<float> energies;
  for (size_t begin = 0; begin + static_cast<size_t>(window) <= sound.size(); begin += hop) {
    std::vector<float> piece(sound.begin() + static_cast<std::ptrdiff_t>(begin),
                             sound.begin() + static_cast<std::ptrdiff_t>(begin) + window);
    gst_fft_f32_window(fft.get(), piece.data(), GST_FFT_WINDOW_HANN);
    gst_fft_f32_fft(fft.get(), piece.data(), values.data());
    auto value = values.begin() + kFirstValue;
    for (int band = 0; band < kBands; ++band) {
      float energy = 0;
      for (int i = 0; i < kValuesPerBand; ++i, ++value) energy += value->r * value->r + value->i * value->i;
      energies.push_back(energy);
    }
  }
  const float loudest = energies.empty() ? 0 : *std::max_element(energies.begin(), energies.end());
  const float floor = std::max(kFloor * loudest, 1e-12F);
  for (float& energy : energies) energy = std::log(energy + floor);
  return energies;
}

float mean(std::span<const float> values) {
  return std::accumulate(values.begin(), values.end(), 0.0F) / static_cast<float>(values.size());
}

/// How alike a pattern and a piece of a spectrogram are, in [-1, 1]; 0 for silence.
float likeness(std::span<const float> piece, std::span<const float> pattern) {
  const float middle = mean(piece);
  float product = 0;
  float length = 0;
  for (size_t i = 0; i < piece.size(); ++i) {
    const float value = piece[i] - middle;
    product += value * pattern[i];
    length += value * value;
  }
  return length > 0 ? product / std::sqrt(length) : 0;
}

/// The lag from `said` at which all chirps together are most alike to what is heard; all in moments.
size_t common_lag(std::span<const float> alike, std::span<const size_t> said, size_t most) {
  size_t best = 0;
  float highest = -1;
  for (size_t lag = 0; lag <= most; ++lag) {
    float sum = 0;
    for (const size_t moment : said) {
      if (moment + lag < alike.size()) sum += std::max(0.0F, alike[moment + lag]);
    }
    if (sum > highest) {
      highest = sum;
      best = lag;
    }
  }
  return best;
}

}  // namespace

std::vector<float> make_chirp(int rate) {
  std::vector<float> chirp(static_cast<size_t>(kSeconds * rate));
  float loudest = 0;
  for (size_t i = 0; i < chirp.size(); ++i) {
    const double time = static_cast<double>(i) / rate;
    const double phase =
        2 * std::numbers::pi * (kLowPitch + (kHighPitch - kLowPitch) * time / kSeconds / 2) * time;
    double value = 0;
    for (int harmonic = 1; harmonic <= kHarmonics; ++harmonic) {
      value += std::sin(harmonic * phase) * std::pow(harmonic, -0.7);
    }
    chirp[i] = static_cast<float>(value * std::sqrt(std::sin(std::numbers::pi * time / kSeconds)));
    loudest = std::max(loudest, std::abs(chirp[i]));
  }
  for (float& sample : chirp) sample *= 0.5F / loudest;
  return chirp;
}

ChirpFinder::ChirpFinder(int rate) : rate_(rate) {
  const auto chirp = make_chirp(rate);
  const auto padding = static_cast<size_t>(kPadding * rate);
  std::vector<float> padded(chirp.size() + 2 * padding);
  std::copy(chirp.begin(), chirp.end(), padded.begin() + static_cast<std::ptrdiff_t>(padding));
  pattern_ = spectrogram(padded, rate);
  const float middle = mean(pattern_);
  float length = 0;
  for (float& value : pattern_) {
    value -= middle;
    length += value * value;
  }
  for (float& value : pattern_) value /= std::sqrt(length);
}

std::vector<std::optional<size_t>> ChirpFinder::find(std::span<const float> heard,
                                                     std::span<const size_t> said, size_t most) const {
  const auto hop = static_cast<size_t>(rate_ / kMomentsPerSecond);
  // In front of the recording is silence, in which a pattern may begin.
  std::vector<float> padded(moments(kPadding) * hop);
  padded.insert(padded.end(), heard.begin(), heard.end());
  const std::vector<float> picture = spectrogram(padded, rate_);
  std::vector<float> alike;
  for (size_t at = 0; at + pattern_.size() <= picture.size(); at += kBands) {
    alike.push_back(likeness({picture.data() + at, pattern_.size()}, pattern_));
  }
  std::vector<size_t> moments_said;
  for (const size_t sample : said) moments_said.push_back(sample / hop);
  const size_t lag = common_lag(alike, moments_said, most / hop);

  std::vector<std::optional<size_t>> found;
  for (const size_t moment : moments_said) {
    const size_t middle = moment + lag;
    const size_t first = middle - std::min(middle, moments(kSpread));
    const size_t end = std::min(alike.size(), middle + moments(kSpread));
    const auto best = std::max_element(alike.begin() + static_cast<std::ptrdiff_t>(std::min(first, end)),
                                       alike.begin() + static_cast<std::ptrdiff_t>(end));
    const bool heard_it = first < end && *best >= kAlike;
    found.push_back(heard_it ? std::optional(static_cast<size_t>(best - alike.begin()) * hop) : std::nullopt);
  }
  return found;
}

}  // namespace latency
