// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string>

namespace moshi::runtime {

/// Makes ready to record the host, and CUDA devices where `cuda`. Best on the process's first thread.
void prepare_trace(bool cuda);

/// Begins to record what this thread and the devices do.
void start_trace(bool cuda);

/// Ends it, on the same thread, and writes it to `path` as a Chrome trace.
void stop_trace(const std::string& path);

}  // namespace moshi::runtime
