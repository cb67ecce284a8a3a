// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <moshi/moshi.h>

#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "options.h"

/// What a call is known by.
struct CallName {
  int number = 0;
  std::string peer;
  std::string kind;  ///< How its speech comes.
  std::string id;    ///< The other side's name for it, if it gave one.
};

/// "call 3: ", how lines about a call begin.
std::string call_prefix(int number);

/// What is printed of calls, and written to the transcript. Any thread may use it.
class CallLog {
 public:
  /// Throws Failure where the transcript cannot be written.
  explicit CallLog(const PhoneOptions& options);
  /// Where calls are taken now.
  void listening(const std::string& rtp, const std::string& audiosocket);
  void begin(const CallName& call);
  void word(const CallName& call, const moshi::Word& word);
  /// A call has ended in good order; `result` is what the conversation was.
  void end(const CallName& call, const nlohmann::ordered_json& result);
  /// Something went wrong in a call (0: before there was one); the others go on.
  void failed(int number, const std::string& peer, const std::string& what);

 private:
  const PhoneOptions& options_;
  std::mutex mutex_;
  std::ofstream transcript_;
};
