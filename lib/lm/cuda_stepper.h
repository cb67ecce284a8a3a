// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The language model's step on a CUDA device: our kernels, captured as one graph for each batch size.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cuda/graph.h"
#include "cuda/tokens/choose.h"
#include "lm/cuda_transformer.h"
#include "lm/page_pool.h"
#include "lm/stepper.h"

namespace moshi::lm {

class CudaStepper final : public Stepper {
 public:
  /// Why `config` cannot be stepped by kernels; empty where it can.
  static std::string obstacle(const checkpoint::LmConfig& config);

  /// Takes `model`, on the current CUDA device, over: its matrices become tiles. `graphs`: capture them, else
  /// launch each kernel. `sessions`: see make_stepper().
  CudaStepper(LanguageModel& model, bool graphs, int sessions = 0);
  void grow(int64_t slots) override;
  void set_condition(int64_t slot, const at::Tensor& condition) override;
  void reset(int64_t slot) override;
  void skip(int64_t slot, int steps) override;
  std::vector<StepResult> step(std::span<const StepRow> rows) override;
  [[nodiscard]] StepperFigures figures() const override;

 private:
  /// What one frame sends to the device, in one copy.
  struct Staging;

  void make_tables();
  void make_depth();

  [[nodiscard]] bool has_page(int64_t slot) const;
  void place_page(int64_t slot);
  void prepare_pages(std::span<const StepRow> rows);
  void stage(std::span<const StepRow> rows, int columns);
  void capture();
  void start(int columns) const;
  void read_results(size_t count, std::vector<StepResult>& results) const;
  void launch(int columns) const;
  /// Where kernels count activations cut to what f16 holds.
  [[nodiscard]] int* overflows() const {
    return tokens_.mutable_data_ptr<int>() + static_cast<ptrdiff_t>(1 + model_->generated_) * kMostColumns;
  }
  [[nodiscard]] size_t depth_input_of(int codebook) const;
  [[nodiscard]] cuda::Follow follow(int codebook) const;
  void launch_depth(int columns) const;

  LanguageModel* model_;
  bool use_graphs_;
  cuda::Stream stream_;
  cuda::Element element_;
  CudaParameters parameters_;
  std::optional<PagePool> pool_;
  std::vector<std::vector<int64_t>> pages_;  ///< Of each slot.
  int64_t conversations_ = 0;                ///< Slots that have pages.
  std::vector<int> positions_;               ///< Of each slot.
  at::Tensor page_table_;                    ///< int64 [slots, pages a slot].
  at::Tensor page_mirror_;                   ///< The same, pinned.
  at::Tensor conditions_;                    ///< f32 [slots, dim], or undefined.
  at::Tensor staged_;                        ///< Pinned bytes.
  at::Tensor staging_;                       ///< The same on the device.
  std::vector<at::Tensor> embeddings_;       ///< Tables of text and audio.
  at::Tensor tables_;                        ///< Their addresses.
  std::vector<at::Tensor> depth_tables_;
  std::optional<CudaTransformer> temporal_;
  cuda::Norm out_norm_;
  const float* text_bias_ = nullptr;
  std::optional<CudaTransformer> depth_;
  nn::Linear depth_in_;      ///< What all of a step's codebooks take of the temporal transformer's output.
  at::Tensor depth_inputs_;  ///< f32 [columns, rows of depth_in_].
  std::vector<cuda::Norm> depth_norms_;
  std::vector<const float*> depth_biases_;
  at::Tensor depth_pages_;
  at::Tensor depth_page_table_;
  at::Tensor depth_slots_;      ///< 0, 1, ...: a column's place in depth_pages_.
  at::Tensor depth_positions_;  ///< [generated, columns].
  at::Tensor hidden_;           ///< out_norm's output.
  at::Tensor logits_;           ///< f32 [columns, widest].
  at::Tensor head_input_;
  at::Tensor tokens_;        ///< int [1 + generated, columns], and a row that begins with the overflows.
  at::Tensor heads_;         ///< f32 [extra heads, columns, extra heads dim].
  at::Tensor results_;       ///< Pinned: tokens_.
  at::Tensor head_results_;  ///< Pinned: heads_.
  std::map<int, std::unique_ptr<cuda::Graph>> graphs_;
};

}  // namespace moshi::lm
