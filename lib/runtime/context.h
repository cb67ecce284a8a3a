// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The execution context: weights, slots and the engine of one model on one device.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/model_files.h"
#include "lm/model.h"
#include "lm/stepper.h"
#include "lm/token_ring.h"
#include "mimi/codec.h"
#include "mimi/streams.h"
#include "moshi/moshi.h"
#include "runtime/engine.h"
#include "runtime/load_once.h"
#include "runtime/slots.h"
#include "text/tokenizer.h"

namespace moshi::runtime {

/// What a session shares with the engine; see Frame.
struct EncoderFrame : Frame {
  EncoderFrame() : Frame(Stage::Encode, false) {}
  int64_t slot = -1;
  int codebooks = 0;
  bool reset = false;
  std::vector<float> pcm;
  std::vector<int64_t> codes;
};

struct DecoderFrame : Frame {
  DecoderFrame() : Frame(Stage::Decode, false) {}
  int64_t slot = -1;
  int codebooks = 0;
  bool reset = false;
  std::vector<int64_t> codes;
  std::vector<float> pcm;
};

struct LmFrameState : Frame {
  LmFrameState(bool live, lm::TokenRing tokens) : Frame(Stage::Step, live), ring(std::move(tokens)) {}
  int64_t slot = -1;
  int64_t null_slot = -1;  ///< Second row of a guided session, else -1.
  Sampling sampling;
  int history = 0;
  bool reset = false;
  lm::TokenRing ring;
  std::vector<int64_t> user_codes;
  LmFrame result;
};

class Context final : public ExecutionContext, public std::enable_shared_from_this<Context> {
 public:
  Context(checkpoint::ModelFiles files, at::Device device, const ContextOptions& options);

  void load_codec(const ProgressHandler& progress, const Cancellation* cancel) override;
  void load_lm(const LmOptions& options, const ProgressHandler& progress,
               const Cancellation* cancel) override;
  [[nodiscard]] const CodecInfo& codec() const override { return codec_info_; }
  [[nodiscard]] const LmInfo& lm() const override { return lm_info_; }
  [[nodiscard]] const std::string& model() const override { return files_.canonical; }
  std::unique_ptr<EncoderSession> open_encoder(int codebooks) override;
  std::unique_ptr<DecoderSession> open_decoder(int codebooks) override;
  std::unique_ptr<LmSession> open_lm(const LmSessionOptions& options) override;
  FrameFigures measure_frame(const Cancellation* cancel) override;
  [[nodiscard]] FrameFigures frame_figures() const override;
  [[nodiscard]] std::shared_ptr<void> hold() override { return engine_.hold(); }
  ForwardResult forward(std::span<const int64_t> codes, int batch, int steps, bool streaming) override;
  [[nodiscard]] std::string token_text(int32_t token) const override;
  [[nodiscard]] ContextStats stats() const override;
  [[nodiscard]] double measure_bandwidth() override;
  void trace(const std::string& path, const std::function<void()>& action) override;

  [[nodiscard]] Engine& engine() { return engine_; }
  [[nodiscard]] int threads() const { return threads_; }
  [[nodiscard]] bool graphs() const { return graphs_; }
  /// Gives a session's slots back; called by the sessions.
  void close(const std::shared_ptr<EncoderFrame>& frame);
  void close(const std::shared_ptr<DecoderFrame>& frame);
  void close(const std::shared_ptr<LmFrameState>& frame);

 private:
  /// The codec with the streams of its slots.
  struct CodecPart {
    CodecPart(mimi::Codec loaded, int codebooks, bool graphs);
    mimi::Codec model;
    mimi::Streams streams;
    int64_t encoder_capacity = 1;
    int64_t decoder_capacity = 1;
    SlotPool encoder_slots;
    SlotPool decoder_slots;
    uint64_t encoder_slot_bytes;
    uint64_t decoder_slot_bytes;
  };
  /// The language model likewise.
  struct LmPart {
    LmPart(lm::LanguageModel loaded, Precision stored, const LmOptions& options, bool graphs);
    lm::LanguageModel model;
    std::unique_ptr<lm::Stepper> stepper;
    Precision precision;
    KvPrecision kv_precision;
    int max_sessions;
    int sessions = 0;
    int64_t capacity = 1;
    SlotPool slots;
  };

  [[nodiscard]] std::shared_ptr<nn::TensorSource> random_source(at::ScalarType dtype,
                                                                nn::MatrixKind matrices) const;
  [[nodiscard]] lm::LanguageModel make_lm(Precision precision, const ProgressHandler& progress,
                                          const Cancellation* cancel) const;
  [[nodiscard]] bool uses_graphs() const;
  void check_memory(const std::string& what, uint64_t needed) const;
  [[nodiscard]] CodecPart& codec_part() const;
  [[nodiscard]] LmPart& lm_part() const;
  [[nodiscard]] int checked_codebooks(int codebooks) const;
  [[nodiscard]] Precision chosen_precision(Precision asked) const;
  void join_lm(const LmOptions& options) const;
  void run(Stage stage, std::span<Frame* const> batch);
  void encode(std::span<Frame* const> batch);
  void decode(std::span<Frame* const> batch);
  void step(std::span<Frame* const> batch);
  /// A slot for the conversation, two where it is guided.
  void take_slots(LmFrameState& frame, const Conditions& conditions);
  /// Back to the start of the conversation.
  void restart(LmFrameState& frame) const;

  checkpoint::ModelFiles files_;
  at::Device device_;
  int threads_;
  bool graphs_;
  bool random_;
  CodecInfo codec_info_;
  LmInfo lm_info_;
  LoadOnce codec_load_;
  LoadOnce lm_load_;
  LoadOnce tokenizer_load_;
  LoadOnce frame_measure_;
  std::unique_ptr<CodecPart> codec_;
  std::unique_ptr<LmPart> lm_;
  std::optional<text::Tokenizer> tokenizer_;
  FrameFigures frame_figures_;  ///< Once frame_measure_ is done.
  Engine engine_;               ///< Last: its thread stops before the parts go.
};

}  // namespace moshi::runtime
