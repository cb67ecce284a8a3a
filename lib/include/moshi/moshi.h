// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The library's public interface: models, execution contexts and sessions. It includes nothing of
// LibTorch or CUDA. Every function may throw moshi::Error; nothing else leaves the library.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace moshi {

// ---------------------------------------------------------------------------------------- errors

/// Why a call failed. Elements map these to GStreamer error domains, the tool to exit statuses.
enum class ErrorCode {
  NotFound,    ///< A file, model or device name that does not exist.
  WrongType,   ///< A file whose content is not what was expected (format, shape, value).
  NoDevice,    ///< No usable device, or this build has no code for it.
  NoSpace,     ///< Not enough device memory.
  Busy,        ///< No free slot.
  Settings,    ///< Settings that contradict the model or each other.
  Cancelled,   ///< The wait was cancelled by the caller; never shown to users.
  OutOfRange,  ///< An input value outside its range, a code beyond the cardinality for example.
  Failed,      ///< Anything else.
};

/// The only exception the library throws. `what()` is one line: expected, found, what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// Receives warnings (an unknown key in config.json, for example), one line each, on any thread.
using WarningHandler = std::function<void(const std::string& line)>;
/// Replaces the process-wide warning handler; the default writes to stderr.
void set_warning_handler(WarningHandler handler);

// --------------------------------------------------------------------------------------- settings

/// Numeric precision of the language model (the codec is always f32).
enum class Precision { Auto, F32, BF16, Int8 };

/// "auto", "f32", "bf16" or "int8"; anything else throws Settings.
Precision parse_precision(const std::string& name);
/// The inverse of parse_precision.
std::string to_string(Precision precision);

/// What the language model's keys and values are kept as. Auto: as they are computed.
enum class KvPrecision { Auto, Int8 };

/// "auto" or "int8"; anything else throws Settings.
KvPrecision parse_kv_precision(const std::string& name);
/// The inverse of parse_kv_precision.
std::string to_string(KvPrecision precision);

/// What identifies a context. Equal model (after canonicalisation), device and context_id give the
/// same context within a process.
struct ContextOptions {
  std::string model;            ///< Directory, Hugging Face id[@revision]; empty: the embedded model.
  std::string device = "auto";  ///< auto, cpu, cuda, cuda:N.
  std::string context_id;       ///< Keeps contexts apart on purpose.
  int threads = 1;              ///< Computing threads of the engine on the CPU.
  /// Kernels of a CUDA device start as CUDA graphs; false, or MOSHI_CUDA_GRAPHS=0 in the environment: one by
  /// one, to look for a fault.
  bool graphs = true;
  /// "7b", "personaplex" or a config.json path: published shapes with seeded random weights and no
  /// files (for measuring); `model` must be empty then.
  std::string random_weights;
};

/// Load-time settings of the language model.
struct LmOptions {
  Precision precision = Precision::Auto;
  int max_sessions = 0;  ///< Most sessions at a time; 0: what memory allows.
  bool text = true;      ///< Text of tokens is wanted: the tokenizer must be there.
  KvPrecision kv_precision = KvPrecision::Auto;
};

/// Cancels waits of other threads. One object may serve several waits; thread-safe.
class Cancellation {
 public:
  Cancellation();
  ~Cancellation();
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;
  /// Every wait given this object, now and later, throws Error(Cancelled) until reset().
  void cancel() noexcept;
  /// Makes the object usable again.
  void reset() noexcept;
  [[nodiscard]] bool cancelled() const noexcept;

  struct Impl;
  [[nodiscard]] Impl& impl() const noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// Called while loading with the fraction done in [0, 1], on the loading thread.
using ProgressHandler = std::function<void(double fraction)>;

// ----------------------------------------------------------------------------------------- models

/// What the codec (Mimi) of a model is. All from its checkpoint.
struct CodecInfo {
  int sample_rate = 0;    ///< Hz, 24000 for Mimi.
  int frame_size = 0;     ///< Samples a frame, 1920 for Mimi.
  int64_t frame_ns = 0;   ///< Duration of a frame in nanoseconds, 80,000,000 for Mimi.
  int codebooks = 0;      ///< Codebooks in use by the published rule (max(dep_q, n_q - dep_q)).
  int codebooks_max = 0;  ///< Codebooks the codec has.
  int cardinality = 0;    ///< Codes are in [0, cardinality).
  std::string codec_id;   ///< "mimi-" + 8 hex digits of the sha256 of the quantizer's tensors.
};

/// Sampling settings; the LM's defaults come from lm_gen_config in the checkpoint.
struct Sampling {
  bool greedy = false;
  float text_temperature = 0.7F;
  int text_top_k = 25;
  float audio_temperature = 0.8F;
  int audio_top_k = 250;
  uint64_t seed = 0;      ///< 0: a random seed, chosen when the session opens.
  float cfg_coef = 1.0F;  ///< Classifier-free guidance; 1: off.
};

/// One named condition a model takes and the values it knows.
struct ConditionInfo {
  std::string name;
  std::vector<std::string> values;
};

/// What the language model is. All from its checkpoint.
struct LmInfo {
  std::string model_type;    ///< "moshi", "hibiki", "stt", "tts", "personaplex".
  int n_q = 0;               ///< Audio streams the model reads.
  int dep_q = 0;             ///< Audio streams it generates (0: text only).
  int user_codebooks = 0;    ///< n_q - dep_q (n_q where dep_q is 0): codes needed a frame.
  int output_codebooks = 0;  ///< Codebooks of the output to decode: dep_q, 8 for PersonaPlex.
  int card = 0;              ///< Audio cardinality.
  int text_card = 0;         ///< Text input cardinality.
  int text_card_out = 0;     ///< Text output cardinality.
  int max_delay = 0;         ///< Largest delay D; call D is the first with output.
  int context = 0;           ///< Steps of history attended to.
  int text_padding_id = 3;
  int text_end_padding_id = 0;
  int extra_heads = 0;                      ///< Number of extra heads (STT pause prediction).
  double audio_delay_seconds = 0;           ///< STT: text lags the audio by this.
  double audio_silence_prefix_seconds = 0;  ///< STT: silence to feed before the input.
  Sampling sampling;                        ///< Defaults.
  std::vector<ConditionInfo> conditions;
};

/// Conditions by name, e.g. {"description", "very_good"}.
using Conditions = std::vector<std::pair<std::string, std::string>>;

// --------------------------------------------------------------------------------------- sessions

/// Figures of a session since it opened; milliseconds are host submit to host result.
struct SessionStats {
  uint64_t frames = 0;
  double step_ms_p50 = 0;
  double step_ms_p99 = 0;
  double step_ms_max = 0;
  double batch_mean = 0;  ///< Mean number of sessions that shared a batch with this one's frames.
};

/// One streaming encoder state: PCM frames in, codes out. Holds an encoder slot of its context; one
/// frame at a time may be under way. submit/await/reset belong to one thread at a time.
class EncoderSession {
 public:
  virtual ~EncoderSession() = default;
  /// Hands over one frame of `frame_size` samples in [-1, 1]. Returns at once.
  virtual void submit(std::span<const float> pcm) = 0;
  /// Waits for the submitted frame; `codes` takes `codebooks` values.
  /// After Error(Cancelled) the frame still counts as executed; call reset() to go on.
  virtual void await(std::span<uint16_t> codes, const Cancellation* cancel = nullptr) = 0;
  /// Back to the start of a stream, before the next submitted frame.
  virtual void reset() = 0;
  [[nodiscard]] virtual SessionStats stats() const = 0;
};

/// One streaming decoder state: codes in, PCM out. As EncoderSession.
class DecoderSession {
 public:
  virtual ~DecoderSession() = default;
  /// Hands over one frame of codes, all in [0, cardinality) (else OutOfRange).
  virtual void submit(std::span<const uint16_t> codes) = 0;
  /// Waits for the frame; `pcm` takes `frame_size` samples (not clamped).
  virtual void await(std::span<float> pcm, const Cancellation* cancel = nullptr) = 0;
  virtual void reset() = 0;
  [[nodiscard]] virtual SessionStats stats() const = 0;
};

/// What a session of the language model is opened with.
struct LmSessionOptions {
  Sampling sampling;
  Conditions conditions;
  bool live = false;  ///< Live sessions may wait `batch-window` for each other; offline ones yield.
  /// Positions the conversation has behind it when it begins, of noise: for measuring at a length.
  int history = 0;
};

/// Result of one step. Undelayed: the tokens of one output frame.
struct LmFrame {
  bool ready = false;              ///< False in the first max_delay calls; tokens are -2 then.
  int32_t text = -2;               ///< Text token.
  std::vector<int32_t> audio;      ///< output_codebooks codes.
  std::vector<float> extra_heads;  ///< Probability of class 0 of each extra head.
};

/// One conversation: user codes in, the model's codes and text out. As EncoderSession.
class LmSession {
 public:
  virtual ~LmSession() = default;
  /// Hands over `user_codebooks` codes, each in [0, card]; `card` itself is the end-of-input mark.
  virtual void submit(std::span<const uint16_t> codes) = 0;
  virtual void await(LmFrame& frame, const Cancellation* cancel = nullptr) = 0;
  virtual void reset() = 0;
  /// The seed in use (chosen at opening where the options had 0).
  [[nodiscard]] virtual uint64_t seed() const = 0;
  [[nodiscard]] virtual SessionStats stats() const = 0;
};

// ---------------------------------------------------------------------------------------- context

/// Teacher-forced logits, as the reference's LMModel.forward; row-major.
struct ForwardResult {
  std::vector<float> logits;       ///< [B, dep_q, T, card]; NaN where delays leave no value.
  std::vector<float> text_logits;  ///< [B, 1, T, text_card_out].
  std::vector<uint8_t> mask;       ///< [B, dep_q, T].
  std::vector<uint8_t> text_mask;  ///< [B, 1, T].
};

/// What measure_frame() has found; all 0 before. Milliseconds of one caller's frame (encode, LM step, decode)
/// and of its parts.
struct FrameFigures {
  double frame_ms_p50 = 0;
  double frame_ms_p99 = 0;
  double encode_ms_p99 = 0;
  double step_ms_p99 = 0;
  double decode_ms_p99 = 0;
  int callers =
      0;  ///< Whose frames are ready within a frame's time (p99), of the numbers tried; more may be.
};

/// Bytes and counts of a context, for `bench` and `doctor`.
struct ContextStats : FrameFigures {
  std::string device;        ///< "cpu", "cuda:0".
  std::string device_name;   ///< "NVIDIA H200", or the CPU's name.
  std::string precision;     ///< Of the LM, "" before it is loaded.
  std::string kv_precision;  ///< Likewise.
  bool graphs = false;       ///< CUDA graphs in use.
  uint64_t overflows = 0;    ///< Activations cut to the largest f16, by int8 products on CUDA devices.
  uint64_t codec_weight_bytes = 0;
  uint64_t lm_weight_bytes = 0;
  uint64_t lm_step_bytes = 0;  ///< Weight bytes one LM step reads.
  uint64_t encoder_slot_bytes = 0;
  uint64_t decoder_slot_bytes = 0;
  uint64_t kv_page_bytes = 0;       ///< One position of the temporal KV of one session.
  uint64_t kv_bytes = 0;            ///< Temporal KV that conversations hold now.
  uint64_t memory_used_bytes = 0;   ///< Of the device, by whomever; of the CPU's memory, by this process.
  uint64_t spare_bytes = 0;         ///< Taken from the device, and not in use.
  uint64_t device_allocations = 0;  ///< Device memory segments taken since the context was created.
  uint64_t graph_captures = 0;      ///< CUDA graphs this process has made.
};

/// One model on one device: owns weights, slots and the engine thread. Shared by all elements that
/// name the same model; see acquire().
class ExecutionContext {
 public:
  virtual ~ExecutionContext() = default;

  /// The context for these options: an existing one, or a new one with nothing loaded yet.
  /// Throws NotFound/WrongType (model), NoDevice, Settings (differs from the existing one's threads).
  static std::shared_ptr<ExecutionContext> acquire(const ContextOptions& options);

  /// Loads the codec on first need; later callers wait for the first. Sessions need it loaded.
  virtual void load_codec(const ProgressHandler& progress = {}, const Cancellation* cancel = nullptr) = 0;
  /// Loads the language model likewise. A precision, kv_precision or max_sessions that contradicts what is
  /// loaded throws Settings naming both values; Auto joins what is there.
  virtual void load_lm(const LmOptions& options, const ProgressHandler& progress = {},
                       const Cancellation* cancel = nullptr) = 0;

  /// Known once acquired (from the configuration alone), but for codec_id: after load_codec.
  [[nodiscard]] virtual const CodecInfo& codec() const = 0;
  [[nodiscard]] virtual const LmInfo& lm() const = 0;
  /// The canonical name of the model: an absolute directory or "random:7b".
  [[nodiscard]] virtual const std::string& model() const = 0;

  /// Opens sessions; Busy when no slot is free, Settings for codebooks or conditions out of range.
  /// `codebooks` 0: the published rule.
  virtual std::unique_ptr<EncoderSession> open_encoder(int codebooks = 0) = 0;
  virtual std::unique_ptr<DecoderSession> open_decoder(int codebooks = 0) = 0;
  virtual std::unique_ptr<LmSession> open_lm(const LmSessionOptions& options) = 0;

  /// Times whole frames of a conversation that begins, through throw-away sessions like those callers use,
  /// once; later callers get the same figures, which stats() has, too. Needs codec and language model loaded.
  /// Takes 10 frames or half a second, up to two seconds where the figures lie about a frame's time. On CUDA
  /// devices also frames of 2, 4 and 8 callers at a time, while this time lasts and `max_sessions` allows.
  virtual FrameFigures measure_frame(const Cancellation* cancel = nullptr) = 0;
  /// What it has found, at once.
  [[nodiscard]] virtual FrameFigures frame_figures() const = 0;

  /// While the returned object lives the engine starts nothing: frames submitted by the caller
  /// meanwhile run as one batch afterwards.
  [[nodiscard]] virtual std::shared_ptr<void> hold() = 0;

  /// Teacher forcing over `codes` [batch, n_q + 1, steps] (row 0 text), each in [-1, card];
  /// `streaming` computes the same one step at a time through the KV ring.
  virtual ForwardResult forward(std::span<const int64_t> codes, int batch, int steps, bool streaming) = 0;

  /// Text of a token as printed: U+2581 becomes a space; "" for padding ids and tokens not printed.
  [[nodiscard]] virtual std::string token_text(int32_t token) const = 0;

  [[nodiscard]] virtual ContextStats stats() const = 0;
  /// Bytes a second the device reads from its memory, measured now on the engine's thread (a second or two).
  [[nodiscard]] virtual double measure_bandwidth() = 0;
  /// Runs `action`, and writes what the engine's thread and the device did meanwhile to `path`, as a Chrome
  /// trace (chrome://tracing, Perfetto). One at a time in a process.
  virtual void trace(const std::string& path, const std::function<void()>& action) = 0;
};

/// A word of the text stream with its place on the output's time line, in nanoseconds.
struct Word {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  std::string text;
};

/// Joins text pieces to words: a word begins at a leading space or after a padding id; it starts
/// with its first piece's frame and ends one frame after its last piece's start.
class WordAssembler {
 public:
  /// `frame_ns`: duration of one frame.
  explicit WordAssembler(int64_t frame_ns) : frame_ns_(frame_ns) {}
  /// One text piece ("" for padding) of the frame that starts at `pts_ns`; the word it completes, if any.
  std::optional<Word> push(int64_t pts_ns, const std::string& piece);
  /// The last word at the end of the stream, if any.
  std::optional<Word> finish();

 private:
  int64_t frame_ns_;
  std::optional<Word> word_;
};

// ---------------------------------------------------------------------------------------- devices

/// A device as `doctor` reports it.
struct DeviceInfo {
  std::string name;           ///< "cpu" or "cuda:N".
  std::string description;    ///< Model name.
  std::string architecture;   ///< "sm_90" for CUDA, the instruction set for the CPU.
  uint64_t memory_bytes = 0;  ///< Total.
  uint64_t free_bytes = 0;
  bool usable = true;
  std::string problem;  ///< Why it is not usable, and what to do.
};

/// What the files of a model hold, as `doctor` reports it.
struct ModelReport {
  std::string directory;  ///< Canonical.
  std::string model_type;
  uint64_t lm_tensors = 0;
  uint64_t lm_parameters = 0;
  uint64_t codec_tensors = 0;
  uint64_t codec_parameters = 0;
  int text_pieces = 0;
  std::vector<std::string> problems;  ///< One line each; empty: the model can be loaded.
};

/// Checks a model's configuration and the names and shapes of all its tensors without loading them.
/// Throws only where `model` names nothing.
ModelReport check_model(const std::string& model);

/// All devices this machine has; the CPU is last.
std::vector<DeviceInfo> list_devices();

/// What this library was built with.
struct BuildInfo {
  std::string version;                     ///< gst-moshi's.
  std::string libtorch;                    ///< LibTorch's version.
  bool cuda = false;                       ///< CUDA code compiled in.
  std::vector<std::string> architectures;  ///< CUDA architectures compiled in: "sm_90", ..., "compute_120".
  std::string libtorch_cuda;               ///< CUDA version LibTorch was built with, "13.0"; "" without CUDA.
  std::string cuda_runtime;                ///< That of the CUDA runtime in use, "" where no driver runs.
  /// CUDA architectures LibTorch was built for; empty where no driver runs, without which it does not tell.
  std::vector<std::string> libtorch_architectures;
};
BuildInfo build_info();

/// Why the CUDA runtime finds no device, in its own words; "" where it finds one and in a build without CUDA.
std::string cuda_problem();

/// How compiled CUDA code can run on a device: not at all, compiled by the driver at first use, as it is.
enum class CodeKind { None, Ptx, Native };
/// The best of `compiled` ("sm_90", "compute_120") for a device of `architecture` ("sm_120").
CodeKind code_for(const std::string& architecture, const std::vector<std::string>& compiled);

/// Why a build with CUDA has no code for a device, and what exactly to install: one line, "" where it has.
std::string architecture_problem(const std::string& device, const std::string& architecture,
                                 const BuildInfo& build);

}  // namespace moshi
