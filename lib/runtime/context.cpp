// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "runtime/context.h"

#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <string_view>
#include <utility>

#include "checkpoint/codec_id.h"
#include "lm/load.h"
#include "nn/memory.h"
#include "runtime/cancellation.h"
#include "runtime/device.h"
#include "runtime/frame_times.h"
#include "runtime/trace.h"

namespace moshi::runtime {
namespace {

/// How long a live frame waits for the other active sessions at most.
constexpr std::chrono::milliseconds kBatchWindow{4};
/// More callers at a time would take memory that conversations may need.
constexpr int kMostCallersMeasured = 8;
/// Seed of `random_weights`.
constexpr uint64_t kRandomWeightsSeed = 20240918;

CodecInfo codec_info(const checkpoint::ModelConfig& config) {
  CodecInfo info;
  info.sample_rate = config.mimi.sample_rate;
  info.frame_size = config.mimi.frame_size();
  info.frame_ns = static_cast<int64_t>(1e9 * info.frame_size / info.sample_rate);
  info.codebooks = std::min(config.codec_codebooks(), config.mimi.n_q);
  info.codebooks_max = config.mimi.n_q;
  info.cardinality = config.mimi.bins;
  return info;
}

Sampling default_sampling(const std::map<std::string, double>& settings) {
  Sampling sampling;
  const auto value = [&](const char* key, double fallback) {
    const auto found = settings.find(key);
    return found == settings.end() ? fallback : found->second;
  };
  sampling.audio_temperature = static_cast<float>(value("temp", sampling.audio_temperature));
  sampling.text_temperature = static_cast<float>(value("temp_text", sampling.text_temperature));
  sampling.audio_top_k = static_cast<int>(value("top_k", sampling.audio_top_k));
  sampling.text_top_k = static_cast<int>(value("top_k_text", sampling.text_top_k));
  sampling.cfg_coef = static_cast<float>(value("cfg_coef", sampling.cfg_coef));
  sampling.greedy = value("use_sampling", 1) == 0;
  return sampling;
}

LmInfo lm_info(const checkpoint::ModelConfig& config) {
  const checkpoint::LmConfig& lm = config.lm;
  LmInfo info;
  info.model_type = config.model_type;
  info.n_q = lm.n_q;
  info.dep_q = lm.dep_q;
  info.output_codebooks = config.output_codebooks();
  info.user_codebooks = lm.n_q - info.output_codebooks;
  info.card = lm.card;
  info.text_card = lm.text_card;
  info.text_card_out = lm.text_card_out;
  info.max_delay = lm.max_delay();
  info.context = lm.temporal.context;
  info.text_padding_id = lm.text_padding_id;
  info.text_end_padding_id = lm.text_end_padding_id;
  info.extra_heads = lm.extra_heads;
  info.audio_delay_seconds = config.stt_audio_delay_seconds;
  info.audio_silence_prefix_seconds = config.stt_audio_silence_prefix_seconds;
  info.sampling = default_sampling(config.lm_gen_config);
  for (const auto& conditioner : lm.conditioners) {
    info.conditions.push_back({conditioner.name, conditioner.possible_values});
  }
  return info;
}

/// Reports progress and stops a cancelled load between two tensors.
nn::LoadMonitor monitor(const ProgressHandler& progress, const Cancellation* cancel) {
  return [progress, cancel](uint64_t done, uint64_t total) {
    if (cancel != nullptr && cancel->cancelled()) {
      throw_cancelled();
    }
    if (progress) {
      progress(total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total));
    }
  };
}

/// Bytes of a file's tensors once they are stored at `element` bytes a value.
uint64_t bytes_at(const checkpoint::TensorFiles& files, size_t element) {
  uint64_t bytes = 0;
  for (const std::string& name : files.names()) {
    const checkpoint::TensorView* view = files.find(name);
    bytes += view->data.size() / checkpoint::size_of(view->dtype) * element;
  }
  return bytes;
}

}  // namespace

Context::CodecPart::CodecPart(mimi::Codec loaded, int codebooks, bool graphs)
    : model(std::move(loaded)),
      streams(mimi::make_streams(model, codebooks, graphs)),
      encoder_slot_bytes(streams.encoder->slot_bytes()),
      decoder_slot_bytes(streams.decoder->slot_bytes()) {}

Context::LmPart::LmPart(lm::LanguageModel loaded, Precision stored, const LmOptions& options, bool graphs)
    : model(std::move(loaded)),
      precision(stored),
      kv_precision(options.kv_precision),
      max_sessions(options.max_sessions) {
  if (kv_precision == KvPrecision::Int8) model.quantize_kv();
  stepper = lm::make_stepper(model, graphs, max_sessions);
}

Context::Context(checkpoint::ModelFiles files, at::Device device, const ContextOptions& options)
    : files_(std::move(files)),
      device_(device),
      threads_(options.threads),
      graphs_(options.graphs),
      random_(!options.random_weights.empty()),
      codec_info_(codec_info(files_.config)),
      lm_info_(lm_info(files_.config)),
      engine_([this](Stage stage, std::span<Frame* const> batch) { run(stage, batch); }, options.threads,
              std::chrono::nanoseconds(2 * codec_info_.frame_ns), kBatchWindow) {
  // The codec is specified in true f32.
  at::globalContext().setAllowTF32CuDNN(false);
}

std::shared_ptr<nn::TensorSource> Context::random_source(at::ScalarType dtype,
                                                         nn::MatrixKind matrices) const {
  return std::make_shared<nn::RandomSource>(at::TensorOptions(dtype).device(device_), matrices,
                                            kRandomWeightsSeed);
}

bool Context::uses_graphs() const {
  const char* setting = std::getenv("MOSHI_CUDA_GRAPHS");
  return graphs_ && (setting == nullptr || std::string_view(setting) != "0");
}

void Context::check_memory(const std::string& what, uint64_t needed) const {
  const uint64_t free = free_memory(device_);
  if (free > 0 && needed > free) {
    throw Error(ErrorCode::NoSpace, what + ": expected " + std::to_string(needed >> 20) + " MiB free on " +
                                        device_.str() + ", found " + std::to_string(free >> 20) +
                                        " MiB: close other programs or use a smaller model");
  }
}

void Context::load_codec(const ProgressHandler& progress, const Cancellation* cancel) {
  const auto load = [&] {
    const c10::InferenceMode inference;
    if (random_) {
      codec_ = std::make_unique<CodecPart>(
          mimi::Codec(files_.config.mimi, random_source(at::kFloat, nn::MatrixKind::Plain)),
          codec_info_.codebooks, uses_graphs());
      nn::release_spare_memory(device_);
      return;
    }
    const auto files = checkpoint::TensorFiles::open(files_.mimi);
    check_memory("loading " + files_.mimi.string(), bytes_at(files, sizeof(float)));
    codec_ = std::make_unique<CodecPart>(
        mimi::Codec::load(files_.config.mimi, files, device_, monitor(progress, cancel)),
        codec_info_.codebooks, uses_graphs());
    codec_info_.codec_id = checkpoint::codec_id(files);
    nn::release_spare_memory(device_);  // What conversions took.
  };
  codec_load_.run([&] { with_errors("loading the codec", load); }, cancel);
}

Precision Context::chosen_precision(Precision asked) const {
  if (asked != Precision::Auto) return asked;
  if (files_.config.lm.quantize) return Precision::Int8;
  return device_.is_cpu() ? Precision::F32 : Precision::BF16;
}

void Context::join_lm(const LmOptions& options) const {
  const auto contradict = [](const std::string& name, const std::string& loaded, const std::string& asked) {
    throw Error(ErrorCode::Settings, name + ": expected " + loaded + " as the model is loaded, found " +
                                         asked + ": use the same value or another context-id");
  };
  if (options.precision != Precision::Auto && options.precision != lm_->precision) {
    contradict("precision", to_string(lm_->precision), to_string(options.precision));
  }
  if (options.kv_precision != KvPrecision::Auto && options.kv_precision != lm_->kv_precision) {
    contradict("kv-precision", to_string(lm_->kv_precision), to_string(options.kv_precision));
  }
  if (options.max_sessions != 0 && options.max_sessions != lm_->max_sessions) {
    contradict("max-sessions", std::to_string(lm_->max_sessions), std::to_string(options.max_sessions));
  }
}

lm::LanguageModel Context::make_lm(Precision precision, const ProgressHandler& progress,
                                   const Cancellation* cancel) const {
  const checkpoint::ModelConfig& config = files_.config;
  const bool integers = precision == Precision::Int8;
  const nn::MatrixKind matrices = integers ? nn::MatrixKind::Int8 : nn::MatrixKind::Plain;
  // Integer matrices leave everything else in the precision the device computes best in.
  const bool f32 = precision == Precision::F32 || (integers && device_.is_cpu());
  const at::ScalarType dtype = f32 ? at::kFloat : at::kBFloat16;
  if (random_) {
    return {config.lm, config.output_codebooks(), nn::Weights(random_source(dtype, matrices))};
  }
  const auto files = checkpoint::TensorFiles::open(files_.lm);
  check_memory("loading " + files_.lm.string(), bytes_at(files, integers ? 1 : at::elementSize(dtype)));
  return lm::load_language_model(config, files, at::TensorOptions(dtype).device(device_), matrices,
                                 monitor(progress, cancel));
}

void Context::load_lm(const LmOptions& options, const ProgressHandler& progress, const Cancellation* cancel) {
  if (options.text && !random_) {
    tokenizer_load_.run([&] { tokenizer_.emplace(files_.tokenizer); }, cancel);
  }
  const auto load = [&] {
    const c10::InferenceMode inference;
    const Precision precision = chosen_precision(options.precision);
    lm_ = std::make_unique<LmPart>(make_lm(precision, progress, cancel), precision, options, uses_graphs());
    nn::release_spare_memory(device_);
  };
  bool first = false;
  lm_load_.run(
      [&] {
        with_errors("loading the language model", load);
        first = true;
      },
      cancel);
  if (!first) {
    join_lm(options);
  }
}

Context::CodecPart& Context::codec_part() const {
  if (!codec_load_.done()) {
    throw Error(ErrorCode::Failed, "expected a loaded codec, found none: call load_codec first");
  }
  return *codec_;
}

Context::LmPart& Context::lm_part() const {
  if (!lm_load_.done()) {
    throw Error(ErrorCode::Failed, "expected a loaded language model, found none: call load_lm first");
  }
  return *lm_;
}

ForwardResult Context::forward(std::span<const int64_t> codes, int batch, int steps, bool streaming) {
  const lm::LanguageModel& model = lm_part().model;
  const checkpoint::LmConfig& config = model.config();
  const int rows = config.n_q + 1;
  if (batch <= 0 || steps <= 0 || codes.size() != static_cast<size_t>(batch) * rows * steps) {
    throw Error(ErrorCode::Settings, "codes: expected batch * " + std::to_string(rows) +
                                         " * steps values, found " + std::to_string(codes.size()));
  }
  for (size_t i = 0; i < codes.size(); ++i) {
    const int64_t row = static_cast<int64_t>(i) / steps % rows;
    const int64_t largest = row == 0 ? config.text_card : config.card;
    if (codes[i] < -1 || codes[i] > largest) {
      throw Error(ErrorCode::OutOfRange, "codes: expected values from -1 to " + std::to_string(largest) +
                                             " in row " + std::to_string(row) + ", found " +
                                             std::to_string(codes[i]));
    }
  }
  if (streaming && config.temporal.context == 0) {
    throw Error(ErrorCode::Settings,
                "expected a model with a context to stream, found none in config.json:"
                " leave out --streaming");
  }
  ForwardResult result;
  engine_.call([&] {
    with_errors("forward", [&] {
      const at::Tensor input =
          at::from_blob(const_cast<int64_t*>(codes.data()), {batch, rows, steps}, at::kLong);
      const at::Tensor condition = model.conditions()({});
      const lm::Logits logits =
          model.forward(input.to(device_, /*non_blocking=*/false, /*copy=*/true), condition, streaming);
      const auto floats = [](const at::Tensor& tensor) {
        const at::Tensor host = tensor.cpu().contiguous();
        return std::vector<float>(host.const_data_ptr<float>(), host.const_data_ptr<float>() + host.numel());
      };
      const auto bytes = [](const at::Tensor& tensor) {
        const at::Tensor host = tensor.to(at::kByte).cpu().contiguous();
        return std::vector<uint8_t>(host.const_data_ptr<uint8_t>(),
                                    host.const_data_ptr<uint8_t>() + host.numel());
      };
      result = {floats(logits.audio), floats(logits.text), bytes(logits.mask), bytes(logits.text_mask)};
    });
  });
  return result;
}

FrameFigures Context::measure_frame(const Cancellation* cancel) {
  const int most = device_.is_cpu() ? 1 : kMostCallersMeasured;
  frame_measure_.run([&] { frame_figures_ = time_frames(*this, most, cancel); }, cancel);
  return frame_figures_;
}

FrameFigures Context::frame_figures() const {
  return frame_measure_.done() ? frame_figures_ : FrameFigures{};
}

std::string Context::token_text(int32_t token) const {
  if (!tokenizer_load_.done() || token == lm_info_.text_padding_id || token == lm_info_.text_end_padding_id) {
    return "";
  }
  return tokenizer_->piece(token);
}

ContextStats Context::stats() const {
  ContextStats stats;
  stats.device = device_.str();
  stats.device_name = device_name(device_);
  if (codec_load_.done()) {
    stats.codec_weight_bytes = codec_->model.weight_bytes();
    stats.encoder_slot_bytes = codec_->encoder_slot_bytes;
    stats.decoder_slot_bytes = codec_->decoder_slot_bytes;
  }
  if (lm_load_.done()) {
    stats.precision = to_string(lm_->precision);
    stats.kv_precision = to_string(lm_->kv_precision);
    stats.lm_weight_bytes = lm_->model.weight_bytes();
    stats.lm_step_bytes = lm_->model.weight_bytes() - lm_->model.embedding_bytes();
    stats.kv_page_bytes = lm_->model.position_bytes();
    const lm::StepperFigures figures = lm_->stepper->figures();
    stats.graphs = figures.graphs;
    stats.overflows = figures.overflows;
    stats.kv_bytes = figures.kv_bytes;
  }
  static_cast<FrameFigures&>(stats) = frame_figures();
  stats.memory_used_bytes = used_memory(device_);
  stats.graph_captures = graph_captures();
  if (device_.is_cuda()) {
    const auto allocator = at::getDeviceAllocator(at::kCUDA)->getDeviceStats(device_.index());
    stats.device_allocations = static_cast<uint64_t>(allocator.num_device_alloc);
    stats.spare_bytes =
        static_cast<uint64_t>(allocator.reserved_bytes[0].current - allocator.allocated_bytes[0].current);
  }
  return stats;
}

double Context::measure_bandwidth() {
  double bandwidth = 0;
  engine_.call([&] { with_errors("measuring memory", [&] { bandwidth = read_bandwidth(device_); }); });
  return bandwidth;
}

void Context::trace(const std::string& path, const std::function<void()>& action) {
  with_errors("tracing", [&] { prepare_trace(device_.is_cuda()); });
  engine_.call([&] { with_errors("tracing", [&] { start_trace(device_.is_cuda()); }); });
  std::exception_ptr error;
  try {
    action();
  } catch (...) {
    error = std::current_exception();
  }
  engine_.call([&] { with_errors("writing " + path, [&] { stop_trace(path); }); });
  if (error) std::rethrow_exception(error);
}

}  // namespace moshi::runtime
