// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/session.h"

#include <iomanip>
#include <random>
#include <sstream>
#include <utility>

namespace serve {
namespace {

std::string random_id() {
  std::random_device entropy;
  std::ostringstream id;
  id << std::hex << std::setfill('0');
  for (int word = 0; word < 4; ++word) id << std::setw(8) << (entropy() & 0xffffffffU);
  return id.str();
}

}  // namespace

const char* name_of(Ending ending) {
  switch (ending) {
    case Ending::Client:
      return "client";
    case Ending::Gone:
      return "gone";
    case Ending::Stopping:
      return "stopping";
    case Ending::Steps:
      return "steps";
    case Ending::TooLong:
      return "too_long";
    case Ending::Idle:
      return "idle";
    case Ending::TooMuch:
      return "too_much";
    case Ending::NotReading:
      return "not_reading";
    case Ending::BadInput:
      return "bad_input";
    case Ending::Failed:
      return "failed";
  }
  return "";
}

Session::Session(const char* transport, Caller caller)
    : id_(random_id()), transport_(transport), caller_(std::move(caller)) {}

void Session::ends_because(Ending ending, const std::string& detail) {
  if (ending_ != Ending::Client) return;
  ending_ = ending;
  detail_ = detail;
}

void Session::end() {
  if (const auto on_end = std::exchange(on_end_, nullptr)) on_end();
}

}  // namespace serve
