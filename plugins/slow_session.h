// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <moshi/moshi.h>

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace gstmoshi {

/// A session as it would be on a slower device: each step takes some milliseconds more, in its figures, too.
class SlowSession final : public moshi::LmSession {
 public:
  SlowSession(std::unique_ptr<moshi::LmSession> session, unsigned delay)
      : session_(std::move(session)), delay_(delay) {}

  void submit(std::span<const uint16_t> codes) override { session_->submit(codes); }
  void await(moshi::LmFrame& frame, const moshi::Cancellation* cancel) override;
  void reset() override { session_->reset(); }
  [[nodiscard]] uint64_t seed() const override { return session_->seed(); }
  [[nodiscard]] moshi::SessionStats stats() const override;

 private:
  std::unique_ptr<moshi::LmSession> session_;
  unsigned delay_;  // Milliseconds.
};

}  // namespace gstmoshi
