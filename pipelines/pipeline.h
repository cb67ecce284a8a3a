// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A GStreamer pipeline built from elements by name and run to its end.
#pragma once

#include <gst/gst.h>

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "options.h"
#include "report.h"

/// GStreamer's handles as unique_ptr.
struct GstDeleter {
  void operator()(GstElement* element) const { gst_object_unref(element); }
  void operator()(GstPad* pad) const { gst_object_unref(pad); }
  void operator()(GstBus* bus) const { gst_object_unref(bus); }
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
  void operator()(GstMessage* message) const { gst_message_unref(message); }
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
  void operator()(GError* error) const { g_error_free(error); }
  void operator()(gchar* text) const { g_free(text); }
};
template <typename T>
using GstHandle = std::unique_ptr<T, GstDeleter>;
/// Likewise of other objects.
struct ObjectDeleter {
  void operator()(gpointer object) const { g_object_unref(object); }
};
template <typename T>
using ObjectHandle = std::unique_ptr<T, ObjectDeleter>;

class Pipeline {
 public:
  /// Its warnings begin with `who`.
  explicit Pipeline(std::string who = "");
  /// Stops everything first.
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  /// Adds an element; throws Failure when GStreamer has none of that name. The pipeline owns it.
  GstElement* add(const char* factory, const char* name = nullptr);
  /// Adds one of the project's elements with the properties all of them have.
  GstElement* add_model_element(const char* factory, const CommonOptions& options);
  /// Adds the elements of a launch description as one, with a sink and a source pad where ends are open.
  GstElement* add_bin(const std::string& description);
  /// Links the elements one after the other.
  void link(const std::vector<GstElement*>& chain);
  /// Calls `handler` for each buffer that reaches the element's sink pad, on the streaming thread; what
  /// it throws ends run().
  void on_buffer(GstElement* element, std::function<void(GstBuffer*)> handler);
  /// An error posted from inside `element` is about `place`, where `expected` was not found; it ends the tool
  /// with `status`.
  void blame(GstElement* element, const std::string& place, const std::string& expected, Status status);
  /// Errors and warnings of `element` say that the other side of a connection has gone: no failure, its end
  /// of stream follows.
  void other_side_may_leave(GstElement* element) { connected_.push_back(element); }
  /// Ends run() with the exception under way; for callbacks on streaming threads.
  void abort_with_current_exception();

  /// Plays to the end. An interrupt (Ctrl-C) ends a live pipeline as its input's end would, and is a
  /// Failure otherwise. Throws Failure for the first error posted.
  void run(Progress& progress, bool live = false);
  /// As run() of a live pipeline, on any thread: its input ends when `over` says so. It also ends when a
  /// udpsrc with a `timeout` has heard nothing for so long.
  void run_until(Progress& progress, const std::function<bool()>& over);

  /// Stops at once, and waits until nothing runs in it any more.
  void stop() { gst_element_set_state(pipeline_.get(), GST_STATE_NULL); }

  [[nodiscard]] GstElement* get() const { return pipeline_.get(); }

 private:
  struct Blame {
    GstElement* element;
    std::string place;
    std::string expected;
    Status status;
  };
  void play(Progress& progress, bool live, const std::function<bool()>& interrupted);
  [[nodiscard]] bool is_of_connection(GstMessage* message) const;
  /// Ends the input of a live pipeline.
  void send_end();
  [[nodiscard]] Failure failure_of(GstMessage* message) const;
  /// True when the message ends the run.
  bool handle(GstMessage* message, Progress& progress);
  void show_position(Progress& progress) const;

  std::string who_;
  GstHandle<GstElement> pipeline_;
  std::vector<GstElement*> connected_;
  std::vector<Blame> blames_;
  std::mutex mutex_;
  std::exception_ptr exception_;
  bool quiet_ = false;
};

/// Sets a property from its text form; a property the element lacks is a programming error.
void set_property(GstElement* element, const char* name, const std::string& value);

/// Makes the project's elements known where GStreamer does not: the plugin lies beside the tool in a
/// build directory, and under the same prefix where both are installed.
void find_own_plugin();

/// The element's static pad.
GstHandle<GstPad> static_pad(GstElement* element, const char* name);
