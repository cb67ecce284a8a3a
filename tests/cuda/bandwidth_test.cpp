// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/bandwidth.h"

#include "kernels.h"

namespace moshi::cuda {
namespace {

using BandwidthKernel = KernelTest;

TEST_F(BandwidthKernel, ReadsAnySizeAndChangesNothing) {
  for (const int64_t values : {4, 4 * 33, 1 << 20, (1 << 22) + 4}) {
    const at::Tensor data = at::randn({values}, at::TensorOptions(kGpu));
    const at::Tensor before = data.clone();
    const at::Tensor sink = at::zeros({}, data.options());
    ASSERT_EQ(read_all(data.const_data_ptr(), data.nbytes(), sink.mutable_data_ptr<float>(), nullptr), 0);
    EXPECT_EQ(sink.item<float>(), 0);
    EXPECT_TRUE(data.equal(before));
  }
}

}  // namespace
}  // namespace moshi::cuda
