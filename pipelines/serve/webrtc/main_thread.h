// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <glib.h>

#include <functional>
#include <memory>
#include <utility>

namespace serve {

/// Does in the main thread what other threads ask for, until it is destroyed there.
class MainThread {
 public:
  /// Runs `call` in the default main context, soon.
  void post(std::function<void()> call) const {
    struct Errand {
      std::weak_ptr<const bool> open;
      std::function<void()> call;
    };
    g_idle_add_full(
        G_PRIORITY_DEFAULT,
        [](gpointer data) -> gboolean {
          const auto* errand = static_cast<Errand*>(data);
          if (!errand->open.expired()) errand->call();
          return G_SOURCE_REMOVE;
        },
        new Errand{open_, std::move(call)}, [](gpointer data) { delete static_cast<Errand*>(data); });
  }

 private:
  std::shared_ptr<const bool> open_ = std::make_shared<const bool>(true);
};

}  // namespace serve
