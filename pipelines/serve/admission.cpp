// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/admission.h"

namespace serve {

Admission::Place Admission::take() {
  if (draining_ || used_ >= places_) return nullptr;
  ++used_;
  return Place(this);
}

std::string Admission::why_refused() const {
  if (draining_) return "this server is about to stop: try another";
  return "all " + std::to_string(places_) + " conversations are taken: try again later";
}

}  // namespace serve
