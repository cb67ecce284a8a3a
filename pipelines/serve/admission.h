// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Places for conversations. One is taken when a client asks, before it is answered, and given back when its
// conversation ends, or does not begin.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "serve/http/refusal.h"

namespace serve {

class Admission {
 public:
  /// Gives the place back.
  struct GiveBack {
    void operator()(Admission* admission) const { admission->give_back(); }
  };
  /// A place, as long as it is kept. The Admission outlives it.
  using Place = std::unique_ptr<Admission, GiveBack>;

  /// `places` conversations are held at a time.
  explicit Admission(size_t places) : places_(places) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// A place, or null; refusal() says why then.
  Place take();
  /// For the client that got none.
  [[nodiscard]] Refusal refusal() const;
  /// No place is given from now on.
  void drain() { draining_ = true; }
  /// Calls `on_free` whenever a place is given back.
  void call_when_free(std::function<void()> on_free) { on_free_ = std::move(on_free); }

  [[nodiscard]] size_t places() const { return places_; }
  [[nodiscard]] size_t used() const { return used_; }
  [[nodiscard]] bool draining() const { return draining_; }

 private:
  void give_back();

  size_t places_;
  std::function<void()> on_free_;
  size_t used_ = 0;
  bool draining_ = false;
};

}  // namespace serve
