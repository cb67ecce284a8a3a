// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// What a precision changes: how often the likeliest token is another.
#pragma once

#include <moshi/moshi.h>

#include <nlohmann/json.hpp>

/// Teacher-forced over `steps` frames of random codes: the share of positions where `exact` and `other`, two
/// contexts of one model, have the same likeliest token, and by how much `exact` prefers its own to the
/// second (in logits): everywhere, and at most where `other` chose another.
nlohmann::ordered_json compare_choices(moshi::ExecutionContext& exact, moshi::ExecutionContext& other,
                                       int steps);
