// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels.h"

namespace moshi::cuda {
namespace {

/// Conversations in one pool, and the same in double precision on the host.
class Conversations {
 public:
  Conversations(int heads, int kv_heads, int head_dim, int context, Rotation rotation, int slots,
                Stored stored)
      : attention_{heads, context, rotation, 10000},
        kv_heads_(kv_heads),
        head_dim_(head_dim),
        stored_(stored),
        pages_((context + kPagePositions - 1) / kPagePositions),
        // Two layers of bytes that are no number.
        pool_(at::full({slots * pages_, int64_t{2} * 2 * kv_heads * bytes_of_head(stored, head_dim)}, 0xFF,
                       at::TensorOptions(at::kByte).device(kGpu))),
        // Pages in no order.
        table_((at::randperm(slots * pages_, at::kLong) * static_cast<int64_t>(pool_[0].nbytes()) +
                reinterpret_cast<int64_t>(pool_.data_ptr()))
                   .to(kGpu)),
        keys_(static_cast<size_t>(slots)),
        values_(static_cast<size_t>(slots)) {}

  /// One position of the conversations in `slots` (-1: an empty column): [columns, heads * head dim].
  at::Tensor step(const std::vector<int>& slots) {
    const at::Tensor qkv = next(slots);
    last_ = attended(qkv, slots, positions(slots));
    at::Tensor expected = at::zeros_like(last_);
    for (size_t c = 0; c < slots.size(); ++c) {
      if (slots[c] >= 0)
        expected[static_cast<int64_t>(c)] =
            follow(qkv[static_cast<int64_t>(c)], static_cast<size_t>(slots[c]));
    }
    return expected;
  }
  [[nodiscard]] at::Tensor next(const std::vector<int>& slots) const {
    return at::randn({static_cast<int64_t>(slots.size()), attention_.heads + 2 * kv_heads_, head_dim_});
  }
  /// Of the position each would have next.
  [[nodiscard]] std::vector<int> positions(const std::vector<int>& slots) const {
    std::vector<int> found;
    for (const int slot : slots) {
      found.push_back(slot < 0 ? 0 : static_cast<int>(keys_[static_cast<size_t>(slot)].size()));
    }
    return found;
  }
  /// What the kernel makes of it.
  [[nodiscard]] at::Tensor attended(const at::Tensor& qkv, const std::vector<int>& slots,
                                    const std::vector<int>& positions, bool settled = true) const {
    const auto columns = static_cast<int64_t>(slots.size());
    const auto ints = [](const std::vector<int>& v) { return at::tensor(v, at::kInt).to(kGpu); };
    const at::Tensor on_gpu[] = {qkv.to(kGpu), ints(slots), ints(positions)};
    const int longest =
        std::min(*std::max_element(positions.begin(), positions.end()) + 1, attention_.context);
    const auto floats = at::TensorOptions(at::kFloat).device(kGpu);
    const at::Tensor partial = at::empty(
        {attention_scratch(static_cast<int>(columns), attention_.heads, head_dim_, attention_.context)},
        floats);
    const at::Tensor arrivals = at::zeros({columns * attention_.heads}, floats.dtype(at::kInt));
    const auto out = DeviceActivations::empty(columns, attention_.heads * head_dim_, Element::F32);
    const Pages pages{table_.const_data_ptr<int64_t>(), pages_, stored_, kv_heads_, head_dim_, settled};
    EXPECT_EQ(attend(on_gpu[0].const_data_ptr<float>(), attention_, pages, 1, on_gpu[1].const_data_ptr<int>(),
                     on_gpu[2].const_data_ptr<int>(), longest,
                     {partial.mutable_data_ptr<float>(), arrivals.mutable_data_ptr<int>()}, out.get(),
                     Element::F32, nullptr, false, nullptr),
              0);
    EXPECT_EQ(arrivals.sum().item<int>(), 0);
    return out.values();
  }
  [[nodiscard]] const at::Tensor& last() const { return last_; }

 private:
  [[nodiscard]] at::Tensor rotate(const at::Tensor& x, int64_t position) const {
    if (attention_.rotation == Rotation::None) return x;
    const int64_t half = head_dim_ / 2;
    const at::Tensor angles = (at::arange(half, at::kFloat) * (-std::log(10000.0) * 2 / head_dim_)).exp() *
                              static_cast<double>(position);
    const bool interleaved = attention_.rotation == Rotation::Interleaved;
    const at::Tensor real = interleaved ? x.unflatten(-1, {half, 2}).select(-1, 0) : x.narrow(-1, 0, half);
    const at::Tensor imag = interleaved ? x.unflatten(-1, {half, 2}).select(-1, 1) : x.narrow(-1, half, half);
    const at::Tensor parts[] = {real * angles.cos() - imag * angles.sin(),
                                real * angles.sin() + imag * angles.cos()};
    return interleaved ? at::stack({parts[0], parts[1]}, -1).flatten(-2) : at::cat({parts[0], parts[1]}, -1);
  }
  at::Tensor follow(const at::Tensor& qkv, size_t slot) {
    const auto position = static_cast<int64_t>(keys_[slot].size());
    const auto as_stored = [&](const at::Tensor& x) {
      if (stored_ != Stored::Int8) return (stored_ == Stored::BF16 ? x.to(at::kBFloat16) : x).to(at::kDouble);
      const at::Tensor largest = std::get<0>(x.abs().max(-1, true));
      return at::round(x * (127.0F / largest)).to(at::kDouble) * (largest / 127.0F);
    };
    keys_[slot].push_back(as_stored(rotate(qkv.narrow(0, attention_.heads, kv_heads_), position)));
    values_[slot].push_back(as_stored(qkv.narrow(0, attention_.heads + kv_heads_, kv_heads_)));
    const int64_t first = std::max<int64_t>(0, position + 1 - attention_.context);
    const auto seen = [&](const std::vector<at::Tensor>& all) {
      return at::stack(at::ArrayRef<at::Tensor>(all).slice(static_cast<size_t>(first)))
          .repeat_interleave(attention_.heads / kv_heads_, 1);
    };
    const at::Tensor q = rotate(qkv.narrow(0, 0, attention_.heads), position).to(at::kDouble);
    const at::Tensor scores = (seen(keys_[slot]) * q).sum(-1) / std::sqrt(static_cast<double>(head_dim_));
    return (at::softmax(scores, 0).unsqueeze(-1) * seen(values_[slot])).sum(0).flatten();
  }

  Attention attention_;
  int kv_heads_;
  int head_dim_;
  Stored stored_;
  int pages_;
  at::Tensor pool_;
  at::Tensor table_;
  std::vector<std::vector<at::Tensor>> keys_;
  std::vector<std::vector<at::Tensor>> values_;
  at::Tensor last_;
};

using AttentionKernel = KernelTest;

TEST_F(AttentionKernel, SeesItsPastThroughPagesSplitsAndTheRing) {
  struct Case {
    int heads, kv_heads, head_dim, context;
    Rotation rotation;
    Stored stored;
  };
  for (const Case& c : {Case{2, 2, 64, 20, Rotation::Interleaved, Stored::F32},
                        {4, 2, 32, 300, Rotation::Halves, Stored::F32},
                        {2, 1, 128, 290, Rotation::Interleaved, Stored::BF16},
                        {3, 3, 32, 150, Rotation::None, Stored::BF16},
                        {2, 1, 128, 290, Rotation::Interleaved, Stored::Int8},
                        {4, 2, 128, 290, Rotation::None, Stored::Int8},
                        {3, 3, 64, 150, Rotation::None, Stored::Int8},
                        {2, 2, 32, 150, Rotation::None, Stored::Int8}}) {
    Conversations all(c.heads, c.kv_heads, c.head_dim, c.context, c.rotation, 3, c.stored);
    double worst = 0;
    for (int step = 0; step < c.context + 40; ++step) {
      // Slot 0 always, slot 2 from later on, an empty column between them at times.
      const std::vector<int> slots =
          step < 17 ? std::vector<int>{0} : std::vector<int>{2, step % 3 == 0 ? -1 : 1, 0};
      const at::Tensor expected = all.step(slots);
      worst = std::max(worst, (all.last() - expected).abs().max().item<double>());
    }
    // A turned key next to the middle of two values is rounded to either.
    const bool turned = c.rotation != Rotation::None;
    const double allowed = turned && c.stored == Stored::BF16   ? 1e-3
                           : turned && c.stored == Stored::Int8 ? 2e-2
                                                                : 2e-5;
    EXPECT_LT(worst, allowed) << c.head_dim << ", " << c.context << ", " << static_cast<int>(c.stored);
  }
}

TEST_F(AttentionKernel, ColumnsDoNotDependOnTheirNeighbours) {
  for (const Stored stored : {Stored::F32, Stored::BF16, Stored::Int8}) {
    Conversations all(4, 2, 128, 600, Rotation::Interleaved, 3, stored);
    for (int step = 0; step < 500; ++step) {
      all.step(step < 10 ? std::vector<int>{0} : step < 300 ? std::vector<int>{0, 1} : std::vector<int>{1});
    }
    const std::vector<int> slots{2, 1, -1, 0};
    const std::vector<int> positions = all.positions(slots);
    const at::Tensor qkv = all.next(slots);
    const at::Tensor together = all.attended(qkv, slots, positions);
    for (size_t c = 0; c < slots.size(); ++c) {
      const auto column = static_cast<int64_t>(c);
      for (const bool settled : {false, true}) {
        const at::Tensor alone = all.attended(qkv.narrow(0, column, 1), {slots[c]}, {positions[c]}, settled);
        EXPECT_TRUE(at::equal(alone[0], together[column])) << slots[c];
      }
    }
  }
}

}  // namespace
}  // namespace moshi::cuda
