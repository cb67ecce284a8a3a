// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "lm/cuda_stepper.h"

#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <utility>

#include "cuda/tokens/embedding.h"
#include "moshi/moshi.h"
#include "nn/memory.h"

namespace moshi::lm {
namespace {

/// Slots there is room for at first; more make the graphs anew.
constexpr int64_t kFirstSlots = 256;
/// Batch sizes that have a graph; smaller batches have empty columns.
constexpr int kBatches[] = {1, 2, 4, 8, 16, 24, 32, 48, 64};

}  // namespace

// ---------------------------------------------------------------------------------------- parameters

struct CudaStepper::Staging {
  int slots[kMostColumns];
  int positions[kMostColumns];
  cuda::Choice text[kMostColumns];
  cuda::Choice audio[kMostColumns];
  int tokens[1];  ///< [columns, n_q + 1].
};

std::string CudaStepper::obstacle(const checkpoint::LmConfig& config) {
  std::string found = CudaTransformer::obstacle("temporal", config.temporal);
  if (found.empty() && config.temporal.context == 0) found = "temporal context 0";
  if (found.empty() && config.dep_q > 0) found = CudaTransformer::obstacle("depth", config.depth);
  if (found.empty() && config.dep_q > cuda::kPagePositions) found = "dep_q " + std::to_string(config.dep_q);
  return found;
}

CudaStepper::CudaStepper(LanguageModel& model, bool graphs, int sessions)
    : model_(&model), use_graphs_(graphs), element_(cuda::Element::F32) {
  const checkpoint::LmConfig& config = model.config_;
  model.temporal_.tile();
  model.text_linear_.tile();
  for (auto* matrices : {&model.extra_heads_, &model.depth_in_, &model.linears_}) {
    for (nn::Linear& matrix : *matrices) matrix.tile();
  }
  element_ = model.text_linear_.matrix().element;

  const at::Device device = model.device();
  tokens_ = at::zeros({2 + model.generated_, kMostColumns}, at::TensorOptions(at::kInt).device(device));
  temporal_.emplace(model.temporal_, element_, overflows(), device);
  pool_.emplace(temporal_->page_bytes(), device);
  pool_->reserve(std::max(1, sessions));
  out_norm_ = parameters_.norm(model.out_norm_);
  text_bias_ = parameters_.floats(model.text_linear_.bias());
  hidden_ = column_buffer(config.temporal.dim, operand_of(element_), device);
  logits_ = column_buffer(std::max(config.text_card_out, config.card), at::kFloat, device);
  heads_ = at::zeros({config.extra_heads, kMostColumns, config.extra_heads_dim},
                     tokens_.options().dtype(at::kFloat));
  if (model.generated_ > 0) make_depth();
  make_tables();

  const auto pinned = [](const at::Tensor& like) {
    return at::zeros(like.sizes(), like.options().device(at::kCPU)).pin_memory();
  };
  results_ = pinned(tokens_);
  head_results_ = pinned(heads_);
  const auto bytes = static_cast<int64_t>(sizeof(Staging) + sizeof(int) * kMostColumns * (config.n_q + 1));
  staging_ = at::zeros({bytes}, tokens_.options().dtype(at::kByte));
  staged_ = pinned(staging_);
  // A guided conversation takes two.
  grow(std::max<int64_t>(kFirstSlots, int64_t{2} * sessions));
}

void CudaStepper::make_depth() {
  const checkpoint::TransformerConfig& config = model_->config_.depth;
  const auto ints = tokens_.options();
  model_->depth_->tile();
  depth_.emplace(*model_->depth_, element_, overflows(), model_->device());
  for (size_t k = 0; k < model_->linears_.size(); ++k) {
    cuda::Norm none;
    none.none = true;
    depth_norms_.push_back(model_->depth_norms_.empty() ? none : parameters_.norm(model_->depth_norms_[k]));
    depth_biases_.push_back(parameters_.floats(model_->linears_[k].bias()));
  }
  size_t inputs = 0;
  for (int k = 0; k < model_->generated_; ++k) inputs = std::max(inputs, depth_input_of(k) + 1);
  depth_in_ = nn::Linear::stacked(std::span(model_->depth_in_).first(inputs));
  nn::release_spare_memory(model_->device());
  depth_inputs_ = column_buffer(depth_in_.outputs(), at::kFloat, model_->device());
  head_input_ = column_buffer(config.dim, operand_of(element_), model_->device());
  // Every frame begins a column's page anew and fills the first positions alone, so that columns share pages.
  depth_slots_ = at::arange(kMostColumns, ints);
  depth_positions_ =
      at::arange(model_->config_.dep_q, ints).unsqueeze(1).expand({-1, kMostColumns}).contiguous();
  const int64_t sharers = cuda::kPagePositions / model_->config_.dep_q;
  depth_pages_ =
      at::zeros({(kMostColumns + sharers - 1) / sharers, depth_->page_bytes()}, ints.dtype(at::kByte));
  const at::Tensor columns = at::arange(kMostColumns, ints.dtype(at::kLong));
  depth_page_table_ = at::floor_divide(columns, sharers) * depth_->page_bytes() +
                      columns.remainder(sharers) * model_->config_.dep_q * depth_->entry_bytes() +
                      reinterpret_cast<int64_t>(depth_pages_.data_ptr());
  // The kernels of a step read what those of the step before wrote.
  depth_->set_pages(depth_page_table_.const_data_ptr<int64_t>(), 1, /*settled=*/false);
}

void CudaStepper::make_tables() {
  std::vector<int64_t> addresses;
  const auto keep = [&](const Embedding& embedding) {
    embeddings_.push_back(embedding.table().contiguous());
    return reinterpret_cast<int64_t>(embeddings_.back().data_ptr());
  };
  addresses.push_back(keep(model_->text_embedding_));
  for (const Embedding& embedding : model_->embeddings_) addresses.push_back(keep(embedding));
  tables_ = at::tensor(addresses, at::kLong).to(model_->device());
  if (model_->depth_text_embedding_)
    depth_tables_.push_back(model_->depth_text_embedding_->table().contiguous());
  for (const Embedding& embedding : model_->depth_embeddings_)
    depth_tables_.push_back(embedding.table().contiguous());
}

// --------------------------------------------------------------------------------------------- slots

void CudaStepper::grow(int64_t slots) {
  const int64_t rooms = page_table_.defined() ? page_table_.size(0) : 0;
  if (slots <= rooms) return;
  const c10::DeviceGuard guard(model_->device());
  graphs_.clear();  // They hold the old places.
  const int64_t wanted = std::max(slots, 2 * rooms);
  const checkpoint::TransformerConfig& config = model_->config_.temporal;
  const int64_t pages = (config.context + cuda::kPagePositions - 1) / cuda::kPagePositions;
  const auto more = [&](const at::Tensor& old, int64_t width, at::ScalarType type) {
    at::Tensor made = at::zeros({wanted, width}, at::TensorOptions(type).device(model_->device()));
    if (old.defined()) made.narrow(0, 0, rooms).copy_(old);
    return made;
  };
  page_table_ = more(page_table_, pages, at::kLong);
  page_mirror_ = page_table_.cpu().pin_memory();
  if (!model_->conditions_.empty()) conditions_ = more(conditions_, config.dim, at::kFloat);
  temporal_->set_pages(page_table_.const_data_ptr<int64_t>(), static_cast<int>(pages), /*settled=*/true);
  pages_.resize(static_cast<size_t>(wanted));
  positions_.resize(static_cast<size_t>(wanted), 0);
  cuda::synchronize();  // What LibTorch computed is there for every stream.
  if (use_graphs_) capture();
}

void CudaStepper::set_condition(int64_t slot, const at::Tensor& condition) {
  if (!condition.defined()) return;
  const c10::DeviceGuard guard(model_->device());
  conditions_[slot].copy_(condition.flatten());
  cuda::synchronize();
}

void CudaStepper::reset(int64_t slot) {
  const auto index = static_cast<size_t>(slot);
  if (!pages_[index].empty()) --conversations_;
  for (const int64_t page : pages_[index]) pool_->give_back(page);
  pages_[index].clear();
  positions_[index] = 0;
}

void CudaStepper::skip(int64_t slot, int steps) {
  const c10::DeviceGuard guard(model_->device());
  int& position = positions_[static_cast<size_t>(slot)];
  const std::vector<int64_t>& pages = pages_[static_cast<size_t>(slot)];
  const int end = position + steps;
  while (position < end) {
    const size_t before = pages.size();
    place_page(slot);
    if (pages.size() > before) pool_->fill_with_noise(pages.back());
    // The first position of the next page.
    position += std::min(cuda::kPagePositions - position % cuda::kPagePositions, end - position);
  }
  cuda::synchronize();  // LibTorch has filled them.
}

/// Whether the slot's next position has a page.
bool CudaStepper::has_page(int64_t slot) const {
  const auto index = static_cast<size_t>(slot);
  const int ring = positions_[index] % model_->config_.temporal.context;
  return static_cast<size_t>(ring / cuda::kPagePositions) < pages_[index].size();
}

/// Makes sure of it.
void CudaStepper::place_page(int64_t slot) {
  if (has_page(slot)) return;
  const auto index = static_cast<size_t>(slot);
  const size_t page = pages_[index].size();
  if (page == 0) ++conversations_;
  pages_[index].push_back(pool_->take());
  const int64_t place = slot * page_table_.size(1) + static_cast<int64_t>(page);
  int64_t* mirrored = page_mirror_.mutable_data_ptr<int64_t>() + place;
  *mirrored = pages_[index].back();
  stream_.copy(page_table_.mutable_data_ptr<int64_t>() + place, mirrored, sizeof(int64_t));
}

/// While the device computes: memory for pages that the next step needs, and for those that conversations may
/// need soon, which can be all at once.
void CudaStepper::prepare_pages(std::span<const StepRow> rows) {
  int64_t due = 0;
  for (const StepRow& row : rows) {
    if (!has_page(row.slot)) ++due;
    if (row.null_slot >= 0 && !has_page(row.null_slot)) ++due;
  }
  pool_->reserve(due);
  pool_->keep_ready(conversations_);
}

// ------------------------------------------------------------------------------------------ the step

/// Sends the rows to the device, and nobody in the columns that are left.
void CudaStepper::stage(std::span<const StepRow> rows, int columns) {
  auto* staging = static_cast<Staging*>(staged_.data_ptr());
  cuda::Choice none;
  none.wanted = false;
  std::fill_n(staging->text, kMostColumns, none);
  std::fill_n(staging->audio, kMostColumns, none);
  const size_t streams = static_cast<size_t>(model_->config_.n_q) + 1;
  int column = 0;
  const auto place = [&](int64_t slot, const StepRow& row) {
    place_page(slot);
    staging->slots[column] = static_cast<int>(slot);
    staging->positions[column] = positions_[static_cast<size_t>(slot)]++;
    int* tokens = staging->tokens + static_cast<size_t>(column) * streams;
    std::transform(row.tokens.begin(), row.tokens.end(), tokens,
                   [](int64_t token) { return static_cast<int>(token); });
    return column++;
  };
  const auto choice = [](const SamplingRow& row, const StepRow& of, int null_column) {
    return cuda::Choice{true,        row.temperature, static_cast<int>(row.top_k), row.seed, row.step,
                        null_column, of.guidance};
  };
  for (const StepRow& row : rows) place(row.slot, row);
  for (size_t i = 0; i < rows.size(); ++i) {
    const int null_column = rows[i].null_slot >= 0 ? place(rows[i].null_slot, rows[i]) : -1;
    staging->text[i] = choice(rows[i].text, rows[i], null_column);
    staging->audio[i] = choice(rows[i].audio, rows[i], null_column);
  }
  for (; column < columns; ++column) {
    staging->slots[column] = -1;
    std::fill_n(staging->tokens + static_cast<size_t>(column) * streams, streams, -1);
  }
  stream_.copy(staging_.data_ptr(), staged_.data_ptr(), staged_.nbytes());
}

std::vector<StepResult> CudaStepper::step(std::span<const StepRow> rows) {
  const c10::DeviceGuard guard(model_->device());
  std::vector<StepResult> results;
  const std::span<const StepRow> all = rows;
  while (!rows.empty()) {
    // As many conversations as find a column, guided ones two.
    size_t count = 0;
    int columns = 0;
    while (count < rows.size()) {
      const int more = rows[count].null_slot >= 0 ? 2 : 1;
      if (columns + more > kMostColumns) break;
      columns += more;
      ++count;
    }
    columns = *std::lower_bound(std::begin(kBatches), std::end(kBatches), columns);
    stage(rows.first(count), columns);
    start(columns);
    prepare_pages(all);
    stream_.copy(results_.data_ptr(), tokens_.data_ptr(), tokens_.nbytes());
    stream_.copy(head_results_.data_ptr(), heads_.data_ptr(), heads_.nbytes());
    stream_.wait();
    read_results(count, results);
    rows = rows.subspan(count);
  }
  return results;
}

void CudaStepper::read_results(size_t count, std::vector<StepResult>& results) const {
  const size_t streams = static_cast<size_t>(model_->generated_) + 1;
  const size_t extra_heads = model_->extra_heads_.size();
  const int* tokens = results_.const_data_ptr<int>();
  const at::Tensor first_class =
      extra_heads > 0 ? at::softmax(head_results_, -1).select(-1, 0).contiguous() : at::Tensor();
  for (size_t column = 0; column < count; ++column) {
    StepResult& result = results.emplace_back();
    for (size_t i = 0; i < streams; ++i) result.tokens.push_back(tokens[i * kMostColumns + column]);
    for (size_t i = 0; i < extra_heads; ++i) {
      result.extra_heads.push_back(first_class.const_data_ptr<float>()[i * kMostColumns + column]);
    }
  }
}

/// Makes the graphs of all batch sizes.
void CudaStepper::capture() {
  for (const int columns : kBatches) {
    // Launched first, with nobody in it: kernels load their code, which a capture may not do.
    stage({}, columns);
    launch(columns);
    stream_.wait();
    graphs_[columns] = std::make_unique<cuda::Graph>(stream_, [&] { launch(columns); });
  }
}

void CudaStepper::start(int columns) const {
  if (use_graphs_) {
    graphs_.at(columns)->start(stream_);
  } else {
    launch(columns);
  }
}

StepperFigures CudaStepper::figures() const {
  const int64_t overflows =
      results_.const_data_ptr<int>()[static_cast<ptrdiff_t>(1 + model_->generated_) * kMostColumns];
  return {use_graphs_, static_cast<uint64_t>(overflows), pool_->taken_bytes()};
}

/// Which of the depth transformer's input matrices a codebook has.
size_t CudaStepper::depth_input_of(int codebook) const {
  if (model_->depth_in_.size() == 1) return 0;
  return model_->config_.depth.schedule.empty() ? static_cast<size_t>(codebook)
                                                : depth_->model().set_of(codebook);
}

/// What becomes of the token before `codebook`: the depth transformer's input.
cuda::Follow CudaStepper::follow(int codebook) const {
  cuda::Follow follow;
  if (codebook >= model_->generated_) return follow;
  const at::Tensor& table = depth_tables_[static_cast<size_t>(codebook)];
  follow.x = depth_->residual();
  follow.dim = model_->config_.depth.dim;
  follow.base =
      depth_inputs_.const_data_ptr<float>() + depth_input_of(codebook) * static_cast<size_t>(follow.dim);
  follow.base_stride = static_cast<int>(depth_in_.outputs());
  follow.table = table.const_data_ptr();
  follow.table_bf16 = table.scalar_type() == at::kBFloat16;
  return follow;
}

void CudaStepper::launch_depth(int columns) const {
  const checkpoint::LmConfig& config = model_->config_;
  const bool overlap = stream_.can_overlap();
  const auto* staging = static_cast<const Staging*>(staging_.const_data_ptr());
  int* tokens = tokens_.mutable_data_ptr<int>();
  const auto run = [](int status) { cuda::check(status, "the depth transformer's step"); };
  for (int k = 0; k < model_->generated_; ++k) {
    const auto index = static_cast<size_t>(k);
    depth_->launch(depth_slots_.const_data_ptr<int>(),
                   depth_positions_.const_data_ptr<int>() + static_cast<ptrdiff_t>(k) * kMostColumns, k,
                   model_->generated_, columns, stream_);
    cuda::Output logits;
    logits.values = logits_.mutable_data_ptr<float>();
    logits.stride = config.card;
    logits.bias = depth_biases_[index];
    logits.overflows = overflows();
    run(cuda::multiply_normed(model_->linears_[index].matrix(), depth_->residual(), depth_norms_[index],
                              as_activations(head_input_, config.depth.dim, columns), logits, overlap,
                              stream_.get()));
    run(cuda::choose(logits.values, logits.stride, config.card, staging->audio, static_cast<uint32_t>(k) + 1,
                     columns, tokens + static_cast<ptrdiff_t>(k + 1) * kMostColumns, follow(k + 1), overlap,
                     stream_.get()));
  }
}

void CudaStepper::launch(int columns) const {
  const checkpoint::LmConfig& config = model_->config_;
  const bool overlap = stream_.can_overlap();
  const auto* staging = static_cast<const Staging*>(staging_.const_data_ptr());
  const auto run = [](int status) { cuda::check(status, "the language model's step"); };
  auto* input = temporal_->residual();
  const cuda::EmbeddingSum sum{static_cast<const void* const*>(tables_.const_data_ptr()),
                               model_->dtype() == at::kBFloat16, config.n_q + 1, config.temporal.dim,
                               conditions_.defined() ? conditions_.const_data_ptr<float>() : nullptr};
  run(cuda::embed(sum, staging->tokens, staging->slots, columns, input, overlap, stream_.get()));
  temporal_->launch(staging->slots, staging->positions, 0, config.temporal.context, columns, stream_);
  const cuda::Activations hidden = as_activations(hidden_, config.temporal.dim, columns);
  run(cuda::normalize(input, out_norm_, hidden, element_, overflows(), overlap, stream_.get()));
  if (model_->generated_ > 0) {
    cuda::Output inputs;
    inputs.values = depth_inputs_.mutable_data_ptr<float>();
    inputs.stride = static_cast<int>(depth_in_.outputs());
    run(cuda::multiply(depth_in_.matrix(), hidden, inputs, overlap, stream_.get()));
  }
  cuda::Output logits;
  logits.values = logits_.mutable_data_ptr<float>();
  logits.stride = config.text_card_out;
  logits.bias = text_bias_;
  run(cuda::multiply(model_->text_linear_.matrix(), hidden, logits, overlap, stream_.get()));
  run(cuda::choose(logits.values, logits.stride, config.text_card_out, staging->text, 0, columns,
                   tokens_.mutable_data_ptr<int>(), follow(0), overlap, stream_.get()));
  for (size_t i = 0; i < model_->extra_heads_.size(); ++i) {
    cuda::Output head;
    head.stride = config.extra_heads_dim;
    head.values = heads_.mutable_data_ptr<float>() + static_cast<ptrdiff_t>(i) * kMostColumns * head.stride;
    run(cuda::multiply(model_->extra_heads_[i].matrix(), hidden, head, overlap, stream_.get()));
  }
  if (model_->generated_ > 0) launch_depth(columns);
}

}  // namespace moshi::lm
