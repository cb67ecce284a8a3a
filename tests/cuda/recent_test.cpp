// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/attention/recent.h"

#include <vector>

#include "kernels.h"

namespace moshi::cuda {
namespace {

using RecentKernel = KernelTest;

/// Conversations of random pasts, a page each, that lie on the device.
struct Pasts {
  Pasts(int heads, int kv_heads, int head_dim, int64_t columns)
      : attention{heads, 0, Rotation::None, 10000},
        qkv(at::randn({columns, (heads + 2 * kv_heads) * head_dim}).to(kGpu)),
        memory(
            at::randn({columns, kLayers, 2, kv_heads, kPagePositions, head_dim}).to(at::kBFloat16).to(kGpu)) {
    const int64_t page_bytes = static_cast<int64_t>(memory.nbytes()) / columns;
    table =
        (at::arange(columns, at::kLong) * page_bytes + reinterpret_cast<int64_t>(memory.data_ptr())).to(kGpu);
    slots = at::arange(columns, at::kInt).flip(0);
    if (columns > 2) slots[1] = -1;
    slots = slots.to(kGpu);
    positions = (at::arange(columns, at::kInt) * 5 % kRecentPositions).to(kGpu);
    pages = {table.const_data_ptr<int64_t>(), 1, Stored::BF16, kv_heads, head_dim};
  }
  [[nodiscard]] Recent recent() const {
    return {qkv.const_data_ptr<float>(),    attention, pages, 1, slots.const_data_ptr<int>(),
            positions.const_data_ptr<int>()};
  }
  /// As the general kernel has it.
  void attend_to(const DeviceActivations& out, Element element) const {
    const Recent r = recent();
    EXPECT_EQ(attend(r.qkv, attention, pages, r.layer, r.slots, r.positions, kRecentPositions, {}, out.get(),
                     element, nullptr, false, nullptr),
              0);
  }
  static constexpr int64_t kLayers = 2;
  Attention attention;
  at::Tensor qkv;
  at::Tensor memory;
  at::Tensor table;
  at::Tensor slots;
  at::Tensor positions;
  Pages pages;
};

TEST_F(RecentKernel, IsAttentionAndItsProductHasTheSameBits) {
  constexpr int kHeads = 4;
  for (const Element element : {Element::F32, Element::BF16, Element::Int8}) {
    for (const int head_dim : {32, 64, 128}) {
      for (const int kv_heads : {4, 2}) {
        const DeviceMatrix w(80, kHeads * head_dim, element);
        for (const int64_t columns : {1, 2, 3, 4, 5, 8, 9, 33, 64}) {
          SCOPED_TRACE(testing::Message() << static_cast<int>(element) << ", " << kHeads << " / " << kv_heads
                                          << " x " << head_dim << ", " << columns);
          const Pasts pasts(kHeads, kv_heads, head_dim, columns);
          const at::Tensor before = pasts.memory.clone();
          const auto attended = DeviceActivations::empty(columns, kHeads * head_dim, element);
          pasts.attend_to(attended, element);
          const at::Tensor after = pasts.memory.clone();
          EXPECT_FALSE(at::equal(before, after));

          ASSERT_TRUE(recent_takes(pasts.attention, pasts.pages, kRecentPositions));
          pasts.memory.copy_(before);
          const auto found = DeviceActivations::empty(columns, kHeads * head_dim, element);
          ASSERT_EQ(attend_recent(pasts.recent(), found.get(), element, nullptr, false, nullptr), 0);
          // Sums in another order, and a bf16 or f16 at the end.
          EXPECT_LT((found.values() - attended.values()).abs().max().item<double>(), 0.03);
          EXPECT_TRUE(at::equal(pasts.memory, after));

          pasts.memory.copy_(before);
          const at::Tensor sums[] = {at::ones({columns, 80}).to(kGpu), at::ones({columns, 80}).to(kGpu)};
          Output output;
          output.kind = Output::Kind::Add;
          output.stride = 80;
          output.values = sums[0].mutable_data_ptr<float>();
          ASSERT_EQ(multiply(w.get(), found.get(), output, false, nullptr), 0);
          output.values = sums[1].mutable_data_ptr<float>();
          ASSERT_EQ(multiply_attended(w.get(), pasts.recent(), attended.get(), output, false, nullptr), 0);
          EXPECT_TRUE(at::equal(sums[1], sums[0]));
          EXPECT_TRUE(at::equal(pasts.memory, after));
        }
      }
    }
  }
}

TEST_F(RecentKernel, LeavesToOthersWhatItCannotDo) {
  const Attention attention{4, 0, Rotation::None, 10000};
  const Pages pages{nullptr, 1, Stored::BF16, 4, 64};
  EXPECT_TRUE(recent_takes(attention, pages, 8));
  EXPECT_FALSE(recent_takes(attention, pages, kRecentPositions + 1));
  EXPECT_FALSE(recent_takes({4, 0, Rotation::Halves, 10000}, pages, 8));
  EXPECT_FALSE(recent_takes({4, 8, Rotation::None, 10000}, pages, 8));
  EXPECT_FALSE(recent_takes(attention, {nullptr, 1, Stored::F32, 4, 64}, 8));
}

}  // namespace
}  // namespace moshi::cuda
