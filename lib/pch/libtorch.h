// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Precompiled for every file that uses LibTorch, whose headers cost about 15 s a file.
#include <ATen/ATen.h>
