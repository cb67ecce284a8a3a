// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Streams of the codec a frame at a time, many at once: owns what each has in memory between its frames.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "mimi/codec.h"

namespace moshi::mimi {

/// One frame of one stream to encode.
struct EncodeRow {
  int64_t slot = 0;
  std::span<const float> pcm;  ///< A frame.
  std::span<int64_t> codes;    ///< What comes of it: as many codebooks as there is room for.
};

/// One frame of one stream to decode.
struct DecodeRow {
  int64_t slot = 0;
  std::span<const int64_t> codes;  ///< Each in [0, bins), of the first codebooks.
  std::span<float> pcm;            ///< What comes of it: a frame.
};

/// Encoder streams live in slots, which their owner hands out. Not thread-safe.
class EncoderStreams {
 public:
  virtual ~EncoderStreams() = default;
  /// Makes room for `slots` slots and for frames of up to `codebooks`; what is in the others stays.
  virtual void grow(int64_t slots, int codebooks) = 0;
  /// Back to the start of a stream.
  virtual void reset(int64_t slot) = 0;
  /// One frame of each row, all of different slots.
  virtual void encode(std::span<const EncodeRow> rows) = 0;
  /// Bytes of one slot whose attention history is full.
  [[nodiscard]] virtual uint64_t slot_bytes() const = 0;
};

/// Decoder streams likewise.
class DecoderStreams {
 public:
  virtual ~DecoderStreams() = default;
  virtual void grow(int64_t slots) = 0;
  virtual void reset(int64_t slot) = 0;
  virtual void decode(std::span<const DecodeRow> rows) = 0;
  [[nodiscard]] virtual uint64_t slot_bytes() const = 0;
};

/// Encodes through LibTorch's operators, on any device. `codec` must outlive it.
class EagerEncoder final : public EncoderStreams {
 public:
  explicit EagerEncoder(const Codec& codec);
  void grow(int64_t slots, int codebooks) override;
  void reset(int64_t slot) override { state_.reset(slot); }
  void encode(std::span<const EncodeRow> rows) override;
  [[nodiscard]] uint64_t slot_bytes() const override { return codec_->encoder().slot_bytes(state_); }

 private:
  const Codec* codec_;
  EncoderState state_;
};

/// Decodes likewise.
class EagerDecoder final : public DecoderStreams {
 public:
  explicit EagerDecoder(const Codec& codec);
  void grow(int64_t slots) override;
  void reset(int64_t slot) override { state_.reset(slot); }
  void decode(std::span<const DecodeRow> rows) override;
  [[nodiscard]] uint64_t slot_bytes() const override { return codec_->decoder().slot_bytes(state_); }

 private:
  const Codec* codec_;
  DecoderState state_;
};

/// Both directions of a codec, which may work in the same memory: never at the same time.
struct Streams {
  std::unique_ptr<EncoderStreams> encoder;
  std::unique_ptr<DecoderStreams> decoder;
};

/// The fastest streams for `codec`, which they take over: kernels on a CUDA device, where the codec's sizes
/// suit them (else a warning says why not), through CUDA graphs if `graphs`. `codebooks`: most that are
/// expected of a frame.
Streams make_streams(Codec& codec, int codebooks, bool graphs);

}  // namespace moshi::mimi
