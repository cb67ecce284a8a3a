// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/admission.h"

namespace serve {
namespace {

constexpr unsigned kUnavailable = 503;
/// Seconds after which it is worth asking again.
constexpr int kRetryAfter = 5;

}  // namespace

Admission::Place Admission::take() {
  if (draining_ || used_ >= places_) return nullptr;
  ++used_;
  return Place(this);
}

Refusal Admission::refusal() const {
  if (draining_)
    return {Reason::Draining, kUnavailable, "this server is about to stop: try another", kRetryAfter};
  return {Reason::Full, kUnavailable,
          "all " + std::to_string(places_) + " conversations are taken: try again later", kRetryAfter};
}

void Admission::give_back() {
  --used_;
  if (on_free_) on_free_();
}

}  // namespace serve
