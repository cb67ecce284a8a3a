// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "call_log.h"

#include <cerrno>
#include <cstring>
#include <iomanip>

#include "../conversation.h"

std::string call_name(int call) { return "call " + std::to_string(call) + ": "; }

CallLog::CallLog(const PhoneOptions& options) : options_(options) {
  if (options.transcript.empty()) return;
  transcript_.open(options.transcript);
  if (!transcript_) {
    throw Failure(Status::Other, options.transcript + ": expected a place to write, found: " +
                                     std::strerror(errno) + "; name another file");
  }
}

void CallLog::listening(const std::string& rtp, const std::string& audiosocket) {
  const std::lock_guard lock(mutex_);
  if (options_.json) {
    print_result(nlohmann::ordered_json{{"rtp", rtp}, {"audiosocket", audiosocket}});
  } else if (!options_.quiet) {
    if (!rtp.empty()) std::cout << "RTP at " << rtp << '\n';
    if (!audiosocket.empty()) std::cout << "AudioSocket at " << audiosocket << '\n';
  }
  std::cout.flush();
}

void CallLog::begin(int call, const std::string& peer, const std::string& kind) {
  const std::lock_guard lock(mutex_);
  if (options_.json || options_.quiet) return;
  std::cout << call_name(call) << peer << ", " << kind << std::endl;
}

void CallLog::word(int call, const moshi::Word& word) {
  const std::lock_guard lock(mutex_);
  if (transcript_.is_open()) {
    nlohmann::ordered_json line = to_json(word);
    line["call"] = call;
    transcript_ << line.dump() << std::endl;
  }
  if (!options_.json && !options_.quiet) std::cout << call_name(call) << to_text(word) << std::endl;
}

void CallLog::end(int call, const nlohmann::ordered_json& result) {
  const std::lock_guard lock(mutex_);
  if (options_.json) {
    print_result(result);
  } else if (!options_.quiet) {
    std::cout << call_name(call) << "ended after " << std::fixed << std::setprecision(1)
              << result["seconds"].get<double>() << " s\n";
  }
  std::cout.flush();
}

void CallLog::failed(int call, const std::string& peer, const std::string& what) {
  const std::lock_guard lock(mutex_);
  print_message((call > 0 ? call_name(call) : "") + peer + ": " + what);
}
