// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "runtime/cancellation.h"

namespace moshi {

Cancellation::Cancellation() : impl_(std::make_unique<Impl>()) {}
Cancellation::~Cancellation() = default;

void Cancellation::cancel() noexcept {
  std::stop_source source;
  {
    const std::lock_guard lock(impl_->mutex);
    source = impl_->source;
  }
  // Outside the lock: this runs the waiters' wake-up.
  source.request_stop();
}

void Cancellation::reset() noexcept {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->source.stop_requested()) {
    impl_->source = std::stop_source();
  }
}

bool Cancellation::cancelled() const noexcept { return impl_->token().stop_requested(); }

}  // namespace moshi
