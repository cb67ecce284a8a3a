// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Places for conversations. One is taken when a client asks, before it is answered, and given back when its
// conversation ends, or does not begin.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace serve {

class Admission {
 public:
  /// Gives the place back.
  struct GiveBack {
    void operator()(Admission* admission) const { --admission->used_; }
  };
  /// A place, as long as it is kept. The Admission outlives it.
  using Place = std::unique_ptr<Admission, GiveBack>;

  /// `places` conversations are held at a time.
  explicit Admission(size_t places) : places_(places) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  /// A place, or null; why_refused() says why then.
  Place take();
  /// One line for the client that got none.
  [[nodiscard]] std::string why_refused() const;
  /// No place is given from now on.
  void drain() { draining_ = true; }

  [[nodiscard]] size_t places() const { return places_; }
  [[nodiscard]] size_t used() const { return used_; }
  [[nodiscard]] bool draining() const { return draining_; }

 private:
  size_t places_;
  size_t used_ = 0;
  bool draining_ = false;
};

}  // namespace serve
