// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "call_log.h"

#include <cerrno>
#include <cstring>
#include <iomanip>

#include "../conversation.h"

std::string call_prefix(int number) { return "call " + std::to_string(number) + ": "; }

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

void CallLog::begin(const CallName& call) {
  const std::lock_guard lock(mutex_);
  if (options_.json || options_.quiet) return;
  std::cout << call_prefix(call.number) << call.peer << ", " << call.kind
            << (call.id.empty() ? "" : ", " + call.id) << std::endl;
}

void CallLog::word(const CallName& call, const moshi::Word& word) {
  const std::lock_guard lock(mutex_);
  if (transcript_.is_open()) {
    nlohmann::ordered_json line = to_json(word);
    line["call"] = call.number;
    line["id"] = call.id;
    transcript_ << line.dump() << std::endl;
  }
  if (!options_.json && !options_.quiet) {
    std::cout << call_prefix(call.number) << to_text(word) << std::endl;
  }
}

void CallLog::end(const CallName& call, const nlohmann::ordered_json& result) {
  const std::lock_guard lock(mutex_);
  if (options_.json) {
    nlohmann::ordered_json line = {
        {"call", call.number}, {"peer", call.peer}, {"kind", call.kind}, {"id", call.id}};
    line.update(result);
    print_result(line);
  } else if (!options_.quiet) {
    std::cout << call_prefix(call.number) << "ended after " << std::fixed << std::setprecision(1)
              << result["seconds"].get<double>() << " s\n";
  }
  std::cout.flush();
}

void CallLog::failed(int number, const std::string& peer, const std::string& what) {
  const std::lock_guard lock(mutex_);
  print_message((number > 0 ? call_prefix(number) : "") + peer + ": " + what);
}
