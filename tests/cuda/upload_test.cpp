// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/upload.h"

#include "kernels.h"

namespace moshi::cuda {
namespace {

class UploadTest : public KernelTest {};

TEST_F(UploadTest, BytesArriveWhateverTheirNumberAndPlace) {
  // Less than a slice, several slices, one buffer and a bit, more than both buffers; none of them aligned.
  constexpr int64_t kMega = int64_t{1} << 20;
  const at::Tensor source = at::randint(256, {75 * kMega}, at::kByte);
  Upload upload;
  int64_t first = 1;
  for (const int64_t bytes : {int64_t{1}, int64_t{4099}, 3 * kMega + 7, 32 * kMega + 1, 71 * kMega + 5}) {
    const at::Tensor part = source.narrow(0, first, bytes);
    const at::Tensor there = at::zeros({bytes + 1}, at::TensorOptions(at::kByte).device(kGpu));
    upload.copy(there.data_ptr(), part.const_data_ptr(), static_cast<size_t>(bytes));
    EXPECT_TRUE(at::equal(there.narrow(0, 0, bytes).cpu(), part)) << bytes;
    EXPECT_EQ(there[bytes].item<int>(), 0) << bytes;
    first += 13;
  }
}

}  // namespace
}  // namespace moshi::cuda
