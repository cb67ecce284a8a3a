// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "rig.h"

namespace {

class GstEnvironment : public ::testing::Environment {
 public:
  void SetUp() override { gst_init(nullptr, nullptr); }
  void TearDown() override { gst_deinit(); }
};

const auto* const environment = ::testing::AddGlobalTestEnvironment(new GstEnvironment);

template <typename T>
BufferPtr buffer_of(const std::vector<T>& values, GstClockTime pts, GstClockTime duration) {
  GstBuffer* buffer = gst_buffer_new_memdup(values.data(), values.size() * sizeof(T));
  GST_BUFFER_PTS(buffer) = pts;
  GST_BUFFER_DURATION(buffer) = duration;
  return BufferPtr(buffer);
}

template <typename T>
std::vector<T> values_of(GstBuffer* buffer) {
  std::vector<T> values(gst_buffer_get_size(buffer) / sizeof(T));
  gst_buffer_extract(buffer, 0, values.data(), values.size() * sizeof(T));
  return values;
}

}  // namespace

std::string code_caps(int codebooks, int rate, int cardinality) {
  return "audio/x-mimi, rate=" + std::to_string(rate) +
         ", channels=1, framed=true, frame-duration-us=80000, codebooks=" + std::to_string(codebooks) +
         ", cardinality=" + std::to_string(cardinality) + ", format=u16le";
}

BufferPtr pcm(size_t samples, GstClockTime pts, float value) {
  return buffer_of(std::vector<float>(samples, value), pts,
                   gst_util_uint64_scale(samples, GST_SECOND, 24000));
}

BufferPtr codes(size_t codebooks, GstClockTime pts, uint16_t code) {
  return buffer_of(std::vector<uint16_t>(codebooks, code), pts, frame_time);
}

std::vector<uint16_t> codes_of(GstBuffer* buffer) { return values_of<uint16_t>(buffer); }
std::vector<float> samples_of(GstBuffer* buffer) { return values_of<float>(buffer); }

Rig::Rig(const char* factory, const std::string& caps, const Configure& configure) : bus_(gst_bus_new()) {
  const ElementPtr element(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make(factory, nullptr))));
  gst_element_set_bus(element.get(), bus_.get());
  if (configure) configure(element.get());
  harness_ = gst_harness_new_with_element(element.get(), "sink", "src");
  gst_harness_set_live(harness_, FALSE);
  if (!caps.empty()) gst_harness_set_src_caps_str(harness_, caps.c_str());
}

Rig::~Rig() {
  gst_element_set_bus(harness_->element, nullptr);
  gst_harness_teardown(harness_);
}

void Rig::go_live(GstClockTime latency) {
  gst_harness_set_live(harness_, TRUE);
  gst_harness_set_upstream_latency(harness_, latency);
  gst_harness_use_testclock(harness_);
  gst_harness_query_latency(harness_);
}

EventPtr Rig::pull_event(GstEventType type) {
  for (;;) {
    EventPtr event(gst_harness_pull_event(harness_));
    if (!event || GST_EVENT_TYPE(event.get()) == type) return event;
  }
}

MessagePtr Rig::message(GstMessageType type, GstClockTime timeout) {
  return MessagePtr(gst_bus_timed_pop_filtered(bus_.get(), timeout, type));
}

bool Rig::has_message(GstMessageType type) {
  return MessagePtr(gst_bus_pop_filtered(bus_.get(), type)) != nullptr;
}

guint64 Rig::stat(const char* name) {
  GstStructure* raw = nullptr;
  g_object_get(element(), "stats", &raw, nullptr);
  const StructurePtr stats(raw);
  guint64 value = 0;
  EXPECT_TRUE(gst_structure_get_uint64(stats.get(), name, &value)) << name;
  return value;
}

gdouble Rig::number(const char* name) {
  GstStructure* raw = nullptr;
  g_object_get(element(), "stats", &raw, nullptr);
  const StructurePtr stats(raw);
  gdouble value = 0;
  EXPECT_TRUE(gst_structure_get_double(stats.get(), name, &value)) << name;
  return value;
}

guint Rig::declared_ms() {
  GstStructure* raw = nullptr;
  g_object_get(element(), "stats", &raw, nullptr);
  const StructurePtr stats(raw);
  guint value = 0;
  EXPECT_TRUE(gst_structure_get_uint(stats.get(), "latency-ms", &value));
  return value;
}

void Rig::seek_flush() {
  push_event(gst_event_new_flush_start());
  push_event(gst_event_new_flush_stop(TRUE));
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  push_event(gst_event_new_segment(&segment));
}

std::string error_text(GstMessage* message) {
  if (message == nullptr) return "no message";
  GError* error = nullptr;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error(message, &error, nullptr);
  } else {
    gst_message_parse_warning(message, &error, nullptr);
  }
  std::string text = std::string(g_quark_to_string(error->domain)) + " " + std::to_string(error->code) +
                     ": " + error->message;
  g_error_free(error);
  return text;
}
