// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <moshi/moshi.h>

#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "options.h"

/// What is printed of calls, and written to the transcript. Any thread may use it.
class CallLog {
 public:
  /// Throws Failure where the transcript cannot be written.
  explicit CallLog(const PhoneOptions& options);
  /// Where calls are taken now.
  void listening(const std::string& rtp, const std::string& audiosocket);
  /// A call begins: with whom, and how its speech comes.
  void begin(int call, const std::string& peer, const std::string& kind);
  void word(int call, const moshi::Word& word);
  /// A call has ended in good order.
  void end(int call, const nlohmann::ordered_json& result);
  /// Something went wrong in a call (0: before there was one); the others go on.
  void failed(int call, const std::string& peer, const std::string& what);

 private:
  const PhoneOptions& options_;
  std::mutex mutex_;
  std::ofstream transcript_;
};

/// "call 3: ", how lines about a call begin.
std::string call_name(int call);
