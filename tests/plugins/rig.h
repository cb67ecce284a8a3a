// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/audio/audio.h>
#include <gst/check/gstharness.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fake_engine.h"

/// Frees what the C functions hand out.
struct Free {
  void operator()(GstBuffer* buffer) const { gst_buffer_unref(buffer); }
  void operator()(GstEvent* event) const { gst_event_unref(event); }
  void operator()(GstMessage* message) const { gst_message_unref(message); }
  void operator()(GstStructure* structure) const { gst_structure_free(structure); }
  void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
  void operator()(GstElement* element) const { gst_object_unref(element); }
  void operator()(GstBus* bus) const { gst_object_unref(bus); }
};
using BufferPtr = std::unique_ptr<GstBuffer, Free>;
using EventPtr = std::unique_ptr<GstEvent, Free>;
using MessagePtr = std::unique_ptr<GstMessage, Free>;
using StructurePtr = std::unique_ptr<GstStructure, Free>;
using CapsPtr = std::unique_ptr<GstCaps, Free>;
using ElementPtr = std::unique_ptr<GstElement, Free>;
using BusPtr = std::unique_ptr<GstBus, Free>;

inline constexpr GstClockTime frame_time = 80 * GST_MSECOND;
inline constexpr const char* raw_caps =
    "audio/x-raw, format=F32LE, layout=interleaved, rate=24000, channels=1";

/// Caps of codes; the fields given replace the usual ones.
std::string code_caps(int codebooks = 8, int rate = 24000, int cardinality = 2048);

/// Samples of one value.
BufferPtr pcm(size_t samples, GstClockTime pts, float value = 0.25F);
/// A frame of codes, all `code`.
BufferPtr codes(size_t codebooks, GstClockTime pts, uint16_t code = 5);
std::vector<uint16_t> codes_of(GstBuffer* buffer);
std::vector<float> samples_of(GstBuffer* buffer);

/// One element in a GstHarness, with a bus.
class Rig {
 public:
  using Configure = std::function<void(GstElement*)>;
  explicit Rig(const char* factory, const std::string& caps = "", const Configure& configure = {});
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  [[nodiscard]] GstHarness* harness() const { return harness_; }
  [[nodiscard]] GstElement* element() const { return harness_->element; }

  GstFlowReturn push(BufferPtr buffer) { return gst_harness_push(harness_, buffer.release()); }
  bool push_event(GstEvent* event) { return gst_harness_push_event(harness_, event) != FALSE; }
  /// From now on upstream is live, with this latency, and the element has a clock that stands still.
  void go_live(GstClockTime latency);
  void set_time(GstClockTime time) { gst_harness_set_time(harness_, time); }
  /// The next output; waits for it.
  BufferPtr pull() { return BufferPtr(gst_harness_pull(harness_)); }
  [[nodiscard]] guint outputs() const { return gst_harness_buffers_received(harness_); }
  /// The next event of a type, skipping others; waits for it.
  EventPtr pull_event(GstEventType type);
  /// The next message of a type; waits for it.
  MessagePtr message(GstMessageType type, GstClockTime timeout = 20 * GST_SECOND);
  /// Whether such a message has been posted.
  bool has_message(GstMessageType type);
  guint64 stat(const char* name);
  gdouble number(const char* name);
  /// The latency it declares, in milliseconds.
  guint declared_ms();
  void seek_flush();

 private:
  BusPtr bus_;
  GstHarness* harness_ = nullptr;
};

/// The error in a message: "domain code: text".
std::string error_text(GstMessage* message);

/// Every test begins with a fresh engine.
class PluginTest : public ::testing::Test {
 protected:
  void SetUp() override { fake::reset(); }
  void TearDown() override {
    EXPECT_EQ(fake::log().sessions, 0) << "a session was left open";
    fake::reset();
  }
};
