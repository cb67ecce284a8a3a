// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Every error an element reports: its domain, its code and its one line.
#include "rig.h"

namespace {

using fake::Call;
using moshi::ErrorCode;

std::string kind(GQuark domain, gint code) {
  return std::string(g_quark_to_string(domain)) + " " + std::to_string(code) + ": ";
}

struct Case {
  ErrorCode code;
  GQuark (*domain)();
  gint expected;
  const char* name;
};

class ErrorTable : public PluginTest, public ::testing::WithParamInterface<Case> {};

TEST_P(ErrorTable, OfALoad) {
  fake::fail(Call::LoadCodec, GetParam().code, "expected this, found that");
  Rig rig("mimienc", raw_caps);
  EXPECT_EQ(rig.push(pcm(1920, 0)), GST_FLOW_ERROR);
  EXPECT_EQ(error_text(rig.message(GST_MESSAGE_ERROR).get()),
            kind(GetParam().domain(), GetParam().expected) + "expected this, found that");
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_ERROR)) << "said twice";
}

INSTANTIATE_TEST_SUITE_P(
    Codes, ErrorTable,
    ::testing::Values(
        Case{ErrorCode::NotFound, gst_resource_error_quark, GST_RESOURCE_ERROR_NOT_FOUND, "NotFound"},
        Case{ErrorCode::WrongType, gst_stream_error_quark, GST_STREAM_ERROR_WRONG_TYPE, "WrongType"},
        Case{ErrorCode::NoDevice, gst_library_error_quark, GST_LIBRARY_ERROR_INIT, "NoDevice"},
        Case{ErrorCode::NoSpace, gst_resource_error_quark, GST_RESOURCE_ERROR_NO_SPACE_LEFT, "NoSpace"},
        Case{ErrorCode::Busy, gst_resource_error_quark, GST_RESOURCE_ERROR_BUSY, "Busy"},
        Case{ErrorCode::Settings, gst_library_error_quark, GST_LIBRARY_ERROR_SETTINGS, "Settings"},
        Case{ErrorCode::OutOfRange, gst_stream_error_quark, GST_STREAM_ERROR_FORMAT, "OutOfRange"},
        Case{ErrorCode::Failed, gst_stream_error_quark, GST_STREAM_ERROR_FAILED, "Failed"}),
    [](const auto& info) { return std::string(info.param.name); });

struct Place {
  const char* factory;
  Call call;
  const char* name;
};

class ErrorPlace : public PluginTest, public ::testing::WithParamInterface<Place> {
 protected:
  static std::string caps() { return std::string(GetParam().factory) == "mimienc" ? raw_caps : code_caps(); }
  static BufferPtr frame(guint64 index) {
    const GstClockTime pts = index * frame_time;
    return std::string(GetParam().factory) == "mimienc" ? pcm(1920, pts) : codes(8, pts);
  }
};

TEST_P(ErrorPlace, IsReportedOnceWithItsText) {
  fake::fail(GetParam().call, ErrorCode::Failed, "expected this, found that", 3);
  fake::fail(GetParam().call, ErrorCode::Failed, "expected this, found that",
             GetParam().call == Call::Step ? 3 : 0);
  Rig rig(GetParam().factory, caps());
  GstFlowReturn flow = GST_FLOW_OK;
  for (guint64 i = 0; i < 1000 && flow == GST_FLOW_OK; ++i) flow = rig.push(frame(i));
  EXPECT_NE(flow, GST_FLOW_OK);
  EXPECT_EQ(error_text(rig.message(GST_MESSAGE_ERROR).get()),
            kind(GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED) + "expected this, found that");
  EXPECT_FALSE(rig.has_message(GST_MESSAGE_ERROR)) << "said twice";
}

TEST_P(ErrorPlace, RawExceptionTextStaysHidden) {
  fake::fail_badly(GetParam().call);
  Rig rig(GetParam().factory, caps());
  GstFlowReturn flow = GST_FLOW_OK;
  for (guint64 i = 0; i < 1000 && flow == GST_FLOW_OK; ++i) flow = rig.push(frame(i));
  EXPECT_EQ(error_text(rig.message(GST_MESSAGE_ERROR).get()),
            kind(GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED) + "internal error, please report it");
}

INSTANTIATE_TEST_SUITE_P(Places, ErrorPlace,
                         ::testing::Values(Place{"mimienc", Call::OpenEncoder, "MimiencOpen"},
                                           Place{"mimienc", Call::Step, "MimiencStep"},
                                           Place{"moshilm", Call::LoadLm, "MoshilmLoad"},
                                           Place{"moshilm", Call::OpenLm, "MoshilmOpen"},
                                           Place{"moshilm", Call::Step, "MoshilmStep"},
                                           Place{"mimidec", Call::LoadCodec, "MimidecLoad"},
                                           Place{"mimidec", Call::OpenDecoder, "MimidecOpen"},
                                           Place{"mimidec", Call::Step, "MimidecStep"}),
                         [](const auto& info) { return std::string(info.param.name); });

class Errors : public PluginTest {
 protected:
  static std::string error_of(Rig& rig) { return error_text(rig.message(GST_MESSAGE_ERROR).get()); }
  static std::string format_error(const std::string& text) {
    return kind(GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT) + text;
  }
};

TEST_F(Errors, MissingModelFailsTheStateChange) {
  fake::fail(Call::Acquire, ErrorCode::NotFound, "no model 'x'");
  for (const char* factory : {"mimienc", "moshilm", "mimidec"}) {
    const ElementPtr element(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make(factory, nullptr))));
    const BusPtr bus(gst_bus_new());
    gst_element_set_bus(element.get(), bus.get());
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
    const MessagePtr message(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
    EXPECT_EQ(error_text(message.get()),
              kind(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND) + "no model 'x'");
    EXPECT_EQ(MessagePtr(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR)), nullptr) << "said twice";
    gst_element_set_state(element.get(), GST_STATE_NULL);
    gst_element_set_bus(element.get(), nullptr);
  }
}

TEST_F(Errors, NoFreeSlot) {
  fake::settings().slots = 1;
  Rig first("mimidec", code_caps());
  EXPECT_EQ(first.push(codes(8, 0)), GST_FLOW_OK);
  Rig second("mimidec", code_caps());
  EXPECT_EQ(second.push(codes(8, 0)), GST_FLOW_ERROR);
  EXPECT_EQ(error_of(second), kind(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY) +
                                  "no free slot: expected fewer than 1 sessions");
}

TEST_F(Errors, OutOfMemory) {
  fake::fail_without_memory(Call::OpenDecoder);
  Rig rig("mimidec", code_caps());
  EXPECT_EQ(rig.push(codes(8, 0)), GST_FLOW_ERROR);
  EXPECT_EQ(error_of(rig), kind(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT) +
                               "out of memory: close other programs or use a smaller model");
}

TEST_F(Errors, CodesWithoutCaps) {
  Rig rig("moshilm");
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  rig.push_event(gst_event_new_stream_start("stream"));
  rig.push_event(gst_event_new_segment(&segment));
  EXPECT_EQ(rig.push(codes(8, 0)), GST_FLOW_ERROR);
  EXPECT_EQ(error_of(rig),
            format_error("codes without caps: expected audio/x-mimi caps first, found none; put a caps "
                         "filter before"));
}

TEST_F(Errors, BufferOfWrongSize) {
  for (const char* factory : {"moshilm", "mimidec"}) {
    Rig rig(factory, code_caps());
    EXPECT_EQ(rig.push(codes(7, 0)), GST_FLOW_ERROR);
    EXPECT_EQ(error_of(rig),
              format_error("buffer of wrong size: expected 16 bytes (one frame of 8 codebooks), found 14; "
                           "with filesrc set blocksize=16"));
  }
}

TEST_F(Errors, CodeOutOfRange) {
  for (const char* factory : {"moshilm", "mimidec"}) {
    Rig rig(factory, code_caps());
    EXPECT_EQ(rig.push(codes(8, 0, 2048)), GST_FLOW_ERROR);
    EXPECT_EQ(error_of(rig),
              format_error("code out of range: expected less than the cardinality 2048, found 2048; "
                           "the stream is damaged or of another model"));
    EXPECT_TRUE(fake::log().lm_codes.empty());
    EXPECT_TRUE(fake::log().decoder_codes.empty());
  }
}

TEST_F(Errors, CapsOfAnotherCodec) {
  const auto text = [](const char* field, int expected, int found) {
    return std::string("audio/x-mimi ") + field + " does not fit this model's codec: expected " +
           std::to_string(expected) + ", found " + std::to_string(found) +
           "; use the model that made the codes";
  };
  for (const char* factory : {"moshilm", "mimidec"}) {
    Rig rate(factory, code_caps(8, 16000));
    EXPECT_EQ(error_of(rate), format_error(text("rate", 24000, 16000)));
    EXPECT_NE(rate.push(codes(8, 0)), GST_FLOW_OK);
    Rig cardinality(factory, code_caps(8, 24000, 1024));
    EXPECT_EQ(error_of(cardinality), format_error(text("cardinality", 2048, 1024)));
    Rig duration(factory,
                 "audio/x-mimi, rate=24000, channels=1, framed=true, frame-duration-us=40000, codebooks=8, "
                 "cardinality=2048, format=u16le");
    EXPECT_EQ(error_of(duration), format_error(text("frame-duration-us", 80000, 40000)));
  }
}

TEST_F(Errors, RenegotiationToWrongCaps) {
  for (const char* factory : {"moshilm", "mimidec"}) {
    Rig rig(factory, code_caps());
    EXPECT_EQ(rig.push(codes(8, 0)), GST_FLOW_OK);
    rig.pull();
    gst_harness_set_src_caps_str(rig.harness(), code_caps(8, 16000).c_str());
    EXPECT_NE(error_of(rig).find("expected 24000, found 16000"), std::string::npos);
  }
  Rig rig("mimienc", raw_caps);
  rig.push(pcm(1920, 0));
  gst_harness_set_src_caps_str(rig.harness(),
                               "audio/x-raw, format=F32LE, layout=interleaved, rate=48000, channels=1");
  EXPECT_NE(rig.push(pcm(1920, frame_time)), GST_FLOW_OK);
  EXPECT_EQ(error_of(rig),
            format_error("wrong input format: expected 24000 Hz mono, found 48000 Hz with 1 channels; "
                         "put audioconvert ! audioresample before mimienc"));
}

TEST_F(Errors, RenegotiationToOtherCodebooks) {
  Rig rig("mimidec", code_caps());
  EXPECT_EQ(rig.push(codes(8, 0)), GST_FLOW_OK);
  gst_harness_set_src_caps_str(rig.harness(), code_caps(4).c_str());
  EXPECT_EQ(rig.push(codes(4, frame_time)), GST_FLOW_OK);
  EXPECT_EQ(rig.outputs(), 2U);
}

TEST_F(Errors, OnlyTheCodebooksMustBeGiven) {
  for (const char* factory : {"moshilm", "mimidec"}) {
    Rig short_caps(factory, "audio/x-mimi, codebooks=8");
    EXPECT_EQ(short_caps.push(codes(8, 0)), GST_FLOW_OK);
    short_caps.pull();
    Rig none(factory, "audio/x-mimi, rate=24000");
    EXPECT_EQ(error_of(none),
              format_error("audio/x-mimi caps without codebooks: give them in the caps filter, for "
                           "example \"audio/x-mimi, codebooks=8\""));
  }
}

TEST_F(Errors, CodesOfOtherWeights) {
  Rig rig("mimidec", code_caps() + ", codec-id=mimi-ffffffff");
  EXPECT_EQ(rig.push(codes(8, 0)), GST_FLOW_ERROR);
  EXPECT_EQ(error_of(rig),
            format_error("codes of another codec: expected codec-id mimi-0000fa4e, found mimi-ffffffff; "
                         "decode them with the model that made them"));
}

TEST_F(Errors, TooFewOrTooManyCodebooks) {
  Rig few("moshilm", code_caps(4));
  EXPECT_EQ(error_of(few),
            format_error("too few codebooks: expected at least 8, found 4; set mimienc codebooks=8"));
  fake::settings().codec.codebooks_max = 8;
  Rig many("mimidec", code_caps(16));
  EXPECT_EQ(error_of(many),
            format_error("too many codebooks: expected at most 8, found 16; set mimidec codebooks"));
  Rig encoder("mimienc", raw_caps,
              [](GstElement* element) { g_object_set(element, "codebooks", 16, nullptr); });
  EXPECT_NE(encoder.push(pcm(1920, 0)), GST_FLOW_OK);
  EXPECT_EQ(error_of(encoder), kind(GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS) +
                                   "codebooks=16 is more than the codec has: expected 1 to 8");
}

TEST_F(Errors, DownstreamTakesNothingOfThisCodec) {
  Rig rig("mimienc", "", [](GstElement* element) { g_object_set(element, "codebooks", 8, nullptr); });
  gst_harness_set_sink_caps_str(rig.harness(), code_caps(4).c_str());
  gst_harness_set_src_caps_str(rig.harness(), raw_caps);
  EXPECT_NE(rig.push(pcm(1920, 0)), GST_FLOW_OK);
  EXPECT_EQ(error_of(rig), format_error("downstream does not take codes of this codec (mimi-0000fa4e): check "
                                        "`codebooks` and that all elements name the same model"));
}

TEST_F(Errors, ConditionThatIsNoString) {
  const ElementPtr element(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make("moshilm", nullptr))));
  const BusPtr bus(gst_bus_new());
  gst_element_set_bus(element.get(), bus.get());
  const StructurePtr conditions(gst_structure_new("conditions", "speed", G_TYPE_INT, 3, nullptr));
  g_object_set(element.get(), "conditions", conditions.get(), nullptr);
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  const MessagePtr message(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_ERROR));
  EXPECT_EQ(error_text(message.get()),
            kind(GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS) +
                "condition speed: expected a string, found another type; write speed=(string)VALUE");
  gst_element_set_state(element.get(), GST_STATE_NULL);
  gst_element_set_bus(element.get(), nullptr);
}

TEST_F(Errors, ShortTailOfAFile) {
  Rig rig("mimidec", code_caps());
  rig.push(codes(8, 0));
  EXPECT_EQ(rig.push(codes(1, frame_time)), GST_FLOW_ERROR);
  EXPECT_NE(error_of(rig).find("expected 16 bytes (one frame of 8 codebooks), found 2"), std::string::npos);
}

}  // namespace
