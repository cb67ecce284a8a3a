// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// One context per model, device and context-id within a process.
#include <map>
#include <mutex>
#include <tuple>

#include "runtime/context.h"
#include "runtime/device.h"

namespace moshi {
namespace {

using Key = std::tuple<std::string, std::string, std::string>;

struct Registry {
  std::mutex mutex;
  std::map<Key, std::weak_ptr<runtime::Context>> contexts;
};

/// Never destroyed: no destructor may run after the CUDA driver is gone.
Registry& registry() {
  static auto* instance = new Registry;
  return *instance;
}

checkpoint::ModelFiles files_of(const ContextOptions& options) {
  if (options.random_weights.empty()) {
    return checkpoint::resolve_model(options.model);
  }
  if (!options.model.empty()) {
    throw Error(ErrorCode::Settings, "expected either a model or random weights, found both (" +
                                         options.model + " and " + options.random_weights +
                                         "): leave one out");
  }
  const std::string& name = options.random_weights;
  checkpoint::ModelFiles files;
  files.canonical = "random:" + name;
  files.config = name == "7b" || name == "personaplex" ? checkpoint::builtin_config(name)
                                                       : checkpoint::load_config(name);
  return files;
}

}  // namespace

std::shared_ptr<ExecutionContext> ExecutionContext::acquire(const ContextOptions& options) {
  if (options.threads < 1) {
    throw Error(ErrorCode::Settings, "threads: expected 1 or more, found " + std::to_string(options.threads));
  }
  checkpoint::ModelFiles files = files_of(options);
  const at::Device device = runtime::select_device(options.device);
  const Key key{files.canonical, device.str(), options.context_id};

  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  if (auto context = all.contexts[key].lock()) {
    if (context->threads() != options.threads) {
      throw Error(ErrorCode::Settings, "threads: expected " + std::to_string(context->threads()) +
                                           " as the context has, found " + std::to_string(options.threads) +
                                           ": use the same value or another context-id");
    }
    if (context->graphs() != options.graphs) {
      const auto name = [](bool graphs) { return std::string(graphs ? "true" : "false"); };
      throw Error(ErrorCode::Settings, "graphs: expected " + name(context->graphs()) +
                                           " as the context has, found " + name(options.graphs) +
                                           ": use the same value or another context-id");
    }
    return context;
  }
  std::erase_if(all.contexts, [](const auto& entry) { return entry.second.expired(); });
  auto context = std::make_shared<runtime::Context>(std::move(files), device, options);
  all.contexts[key] = context;
  return context;
}

}  // namespace moshi
