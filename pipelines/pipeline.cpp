// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "pipeline.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>

namespace {

std::atomic<int> interrupts = 0;  // NOLINT: a signal handler can reach nothing else

/// Counts Ctrl-C while it lives; the second one kills as usual.
class InterruptGuard {
 public:
  InterruptGuard() {
    struct sigaction action = {};
    action.sa_handler = [](int) { ++interrupts; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    interrupts = 0;
    sigaction(SIGINT, &action, &previous_[0]);
    sigaction(SIGTERM, &action, &previous_[1]);
  }
  ~InterruptGuard() {
    sigaction(SIGINT, &previous_[0], nullptr);
    sigaction(SIGTERM, &previous_[1], nullptr);
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct sigaction previous_[2] = {};
};

Status status_of(const GError& error) {
  if (error.domain == GST_LIBRARY_ERROR) {
    return error.code == GST_LIBRARY_ERROR_INIT ? Status::NoDevice : Status::Usage;
  }
  if (error.domain == GST_RESOURCE_ERROR) {
    switch (error.code) {
      case GST_RESOURCE_ERROR_NOT_FOUND:
      case GST_RESOURCE_ERROR_OPEN_READ:
      case GST_RESOURCE_ERROR_READ:
        return Status::BadFile;
      case GST_RESOURCE_ERROR_SETTINGS:
        return Status::Usage;
      default:
        return Status::Other;
    }
  }
  if (error.domain == GST_STREAM_ERROR && error.code != GST_STREAM_ERROR_FAILED) return Status::BadFile;
  return Status::Other;
}

}  // namespace

Pipeline::Pipeline(std::string who) : who_(std::move(who)) {
  gst_init(nullptr, nullptr);
  pipeline_.reset(gst_pipeline_new(nullptr));
}

Pipeline::~Pipeline() { stop(); }

GstElement* Pipeline::add(const char* factory, const char* name) {
  GstElement* element = gst_element_factory_make(factory, name);
  if (element == nullptr) {
    throw Failure(Status::Other, std::string("expected the GStreamer element ") + factory +
                                     ", found none of that name; install the plugin that has it "
                                     "(scripts/setup does) or set GST_PLUGIN_PATH");
  }
  gst_bin_add(GST_BIN(pipeline_.get()), element);
  return element;
}

GstElement* Pipeline::add_model_element(const char* factory, const CommonOptions& options) {
  find_own_plugin();
  GstElement* element = add(factory, factory);
  set_property(element, "model", options.model);
  set_property(element, "device", options.device);
  set_property(element, "threads", std::to_string(options.threads));
  quiet_ = options.quiet;
  return element;
}

GstElement* Pipeline::add_bin(const std::string& description) {
  GError* raw_error = nullptr;
  GstElement* bin = gst_parse_bin_from_description(description.c_str(), TRUE, &raw_error);
  const GstHandle<GError> error(raw_error);
  if (error) throw Failure(Status::Other, error->message);
  gst_bin_add(GST_BIN(pipeline_.get()), bin);
  return bin;
}

void Pipeline::link(const std::vector<GstElement*>& chain) {
  for (size_t i = 1; i < chain.size(); ++i) {
    if (gst_element_link(chain[i - 1], chain[i]) == 0) {
      throw Failure(Status::Other, std::string("expected ") + GST_OBJECT_NAME(chain[i - 1]) + " to fit " +
                                       GST_OBJECT_NAME(chain[i]) + ", found that their formats differ");
    }
  }
}

void Pipeline::on_buffer(GstElement* element, std::function<void(GstBuffer*)> handler) {
  struct Context {
    Pipeline* pipeline;
    std::function<void(GstBuffer*)> handler;
  };
  const auto probe = [](GstPad*, GstPadProbeInfo* info, gpointer data) {
    auto* context = static_cast<Context*>(data);
    try {
      context->handler(GST_PAD_PROBE_INFO_BUFFER(info));
      return GST_PAD_PROBE_OK;
    } catch (...) {
      context->pipeline->abort_with_current_exception();
      return GST_PAD_PROBE_DROP;
    }
  };
  gst_pad_add_probe(static_pad(element, "sink").get(), GST_PAD_PROBE_TYPE_BUFFER, probe,
                    new Context{this, std::move(handler)},
                    [](gpointer data) { delete static_cast<Context*>(data); });
}

void Pipeline::blame(GstElement* element, const std::string& place, const std::string& expected,
                     Status status) {
  blames_.push_back({element, place, expected, status});
}

void Pipeline::abort_with_current_exception() {
  {
    const std::lock_guard lock(mutex_);
    if (!exception_) exception_ = std::current_exception();
  }
  gst_element_post_message(pipeline_.get(), gst_message_new_application(GST_OBJECT(pipeline_.get()),
                                                                        gst_structure_new_empty("abort")));
}

Failure Pipeline::failure_of(GstMessage* message) const {
  GError* raw_error = nullptr;
  gst_message_parse_error(message, &raw_error, nullptr);
  const GstHandle<GError> error(raw_error);
  for (const Blame& blame : blames_) {
    if (GST_MESSAGE_SRC(message) != GST_OBJECT(blame.element) &&
        gst_object_has_as_ancestor(GST_MESSAGE_SRC(message), GST_OBJECT(blame.element)) == 0) {
      continue;
    }
    return {blame.status, blame.place + ": expected " + blame.expected + ", found: " + error->message};
  }
  return {status_of(*error), error->message};
}

bool Pipeline::is_of_connection(GstMessage* message) const {
  return std::any_of(connected_.begin(), connected_.end(), [message](const GstElement* element) {
    return GST_MESSAGE_SRC(message) == GST_OBJECT_CAST(element);
  });
}

bool Pipeline::handle(GstMessage* message, Progress& progress) {
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR:
      if (is_of_connection(message)) return false;
      throw failure_of(message);
    case GST_MESSAGE_ELEMENT:
      if (gst_message_has_name(message, "GstUDPSrcTimeout") != 0) send_end();
      return false;
    case GST_MESSAGE_APPLICATION: {
      const std::lock_guard lock(mutex_);
      std::rethrow_exception(exception_);
    }
    case GST_MESSAGE_ASYNC_DONE:  // Loaded, and on its way.
      progress.clear();
      print_warnings();
      return false;
    case GST_MESSAGE_LATENCY:
      gst_bin_recalculate_latency(GST_BIN(pipeline_.get()));
      return false;
    case GST_MESSAGE_WARNING: {
      GError* raw_error = nullptr;
      gst_message_parse_warning(message, &raw_error, nullptr);
      const GstHandle<GError> error(raw_error);
      progress.clear();
      if (!quiet_ && !is_of_connection(message)) print_message(who_ + "warning: " + error->message);
      return false;
    }
    case GST_MESSAGE_PROGRESS: {
      gchar* text = nullptr;
      gst_message_parse_progress(message, nullptr, nullptr, &text);
      progress.show(GstHandle<gchar>(text).get());
      return false;
    }
    default:
      return true;  // end of stream
  }
}

void Pipeline::show_position(Progress& progress) const {
  gint64 position = 0;
  gint64 duration = 0;
  if (gst_element_query_position(pipeline_.get(), GST_FORMAT_TIME, &position) != 0 &&
      gst_element_query_duration(pipeline_.get(), GST_FORMAT_TIME, &duration) != 0 && duration > 0) {
    progress.show("working", static_cast<double>(position) / static_cast<double>(duration));
  }
}

void Pipeline::run(Progress& progress, bool live) {
  const InterruptGuard guard;
  play(progress, live, [] { return interrupts > 0; });
}

void Pipeline::run_until(Progress& progress, const std::function<bool()>& over) {
  play(progress, true, over);
}

void Pipeline::play(Progress& progress, bool live, const std::function<bool()>& interrupted) {
  const GstHandle<GstBus> bus(gst_element_get_bus(pipeline_.get()));
  const auto types = static_cast<GstMessageType>(
      GST_MESSAGE_ERROR | GST_MESSAGE_WARNING | GST_MESSAGE_EOS | GST_MESSAGE_PROGRESS |
      GST_MESSAGE_ASYNC_DONE | GST_MESSAGE_APPLICATION | GST_MESSAGE_LATENCY | GST_MESSAGE_ELEMENT);
  gst_element_set_state(pipeline_.get(), GST_STATE_PLAYING);
  bool ending = false;
  for (;;) {
    const GstHandle<GstMessage> message(gst_bus_timed_pop_filtered(bus.get(), 100 * GST_MSECOND, types));
    if (message && handle(message.get(), progress)) break;
    if (!live && interrupted()) throw Failure(Status::Other, "interrupted; nothing was written");
    if (!ending && interrupted()) {
      send_end();
      ending = true;
    }
    if (!message && !live) show_position(progress);
  }
  progress.clear();
}

void Pipeline::send_end() { gst_element_send_event(pipeline_.get(), gst_event_new_eos()); }

void set_property(GstElement* element, const char* name, const std::string& value) {
  if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), name) == nullptr) {
    throw Failure(Status::Other, std::string(GST_OBJECT_NAME(element)) + " has no property '" + name +
                                     "': tool and plugin are of different versions");
  }
  gst_util_set_object_arg(G_OBJECT(element), name, value.c_str());
}

void find_own_plugin() {
  if (GstElementFactory* known = gst_element_factory_find("moshilm")) {
    gst_object_unref(known);
    return;
  }
  std::error_code ignored;
  const auto tool = std::filesystem::read_symlink("/proc/self/exe", ignored);
  for (const char* place : {"../plugins", PLUGINS_FROM_TOOL}) {
    const auto plugins = tool.parent_path() / place;
    if (std::filesystem::is_directory(plugins, ignored))
      gst_registry_scan_path(gst_registry_get(), plugins.c_str());
  }
}

GstHandle<GstPad> static_pad(GstElement* element, const char* name) {
  return GstHandle<GstPad>(gst_element_get_static_pad(element, name));
}
