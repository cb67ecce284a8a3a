// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <moshi/moshi.h>

#include <string>

#include "serve/chat/chat_settings.h"

namespace serve {

/// What the Rust backend says of a conversation before it begins, with all the names that the web client
/// looks for; those of things there are not here have empty values.
std::string metadata_of(const ChatSettings& settings, const moshi::ExecutionContext& context);

}  // namespace serve
