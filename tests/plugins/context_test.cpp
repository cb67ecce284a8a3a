// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Which context an element works in, and how an application chooses it.
#include <moshi/gst_context.h>

#include "rig.h"

namespace {

class Contexts : public PluginTest {
 protected:
  static ElementPtr ready(const char* factory, const Rig::Configure& configure) {
    ElementPtr element(GST_ELEMENT(gst_object_ref_sink(gst_element_factory_make(factory, nullptr))));
    configure(element.get());
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
    return element;
  }
  static void model(GstElement* element) { g_object_set(element, "model", "m", nullptr); }
  static void inject(GstElement* element, const moshi::ContextOptions& options) {
    GstContext* context = moshi::new_gst_context(options);
    gst_element_set_context(element, context);
    gst_context_unref(context);
  }
  void TearDown() override {
    for (const auto& element : elements_) gst_element_set_state(element.get(), GST_STATE_NULL);
    elements_.clear();
    PluginTest::TearDown();
  }
  std::vector<ElementPtr> elements_;
};

TEST_F(Contexts, ElementsOfOneModelShareIt) {
  for (const char* factory : {"mimienc", "moshilm", "mimidec"}) elements_.push_back(ready(factory, model));
  EXPECT_EQ(fake::log().contexts, 1);
}

TEST_F(Contexts, AnIdKeepsThemApart) {
  for (const char* id : {"a", "b"}) {
    elements_.push_back(ready("mimienc", [id](GstElement* element) {
      g_object_set(element, "model", "m", "context-id", id, nullptr);
    }));
  }
  EXPECT_EQ(fake::log().contexts, 2);
}

TEST_F(Contexts, PropertiesReachTheLibrary) {
  elements_.push_back(ready("mimidec", [](GstElement* element) {
    g_object_set(element, "model", "m", "device", "cuda:3", "context-id", "x", "threads", 4, "graphs", FALSE,
                 nullptr);
  }));
  const moshi::ContextOptions options = fake::log().options;
  EXPECT_EQ(options.model, "m");
  EXPECT_EQ(options.device, "cuda:3");
  EXPECT_EQ(options.context_id, "x");
  EXPECT_EQ(options.threads, 4);
  EXPECT_FALSE(options.graphs);
  gchar* read = nullptr;
  g_object_get(elements_[0].get(), "device", &read, nullptr);
  EXPECT_STREQ(read, "cuda:3");
  g_free(read);
}

TEST_F(Contexts, AnApplicationNamesTheModelForAll) {
  GstElement* pipeline = gst_parse_launch("audiotestsrc ! mimienc ! moshilm ! mimidec ! fakesink", nullptr);
  elements_.emplace_back(GST_ELEMENT(gst_object_ref_sink(pipeline)));
  inject(pipeline,
         {.model = "injected", .device = "cuda:1", .context_id = "c", .threads = 2, .graphs = false});
  EXPECT_EQ(gst_element_set_state(pipeline, GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(fake::log().contexts, 1);
  const moshi::ContextOptions options = fake::log().options;
  EXPECT_EQ(options.model, "injected");
  EXPECT_FALSE(options.graphs);
  EXPECT_EQ(options.device, "cuda:1");
  EXPECT_EQ(options.context_id, "c");
  EXPECT_EQ(options.threads, 2);
}

TEST_F(Contexts, AnApplicationMayNameTheEmbeddedModel) {
  elements_.push_back(ready("mimienc", [](GstElement* element) { inject(element, {.context_id = "c"}); }));
  EXPECT_EQ(fake::log().options.model, "");
  EXPECT_EQ(fake::log().options.context_id, "c");
}

TEST_F(Contexts, AnApplicationIsAskedOnlyWhereNoModelIsSet) {
  const auto asked = [this](const Rig::Configure& configure) {
    const BusPtr bus(gst_bus_new());
    elements_.push_back(ready("mimienc", [&](GstElement* element) {
      gst_element_set_bus(element, bus.get());
      configure(element);
    }));
    gst_element_set_bus(elements_.back().get(), nullptr);
    const MessagePtr message(gst_bus_pop_filtered(bus.get(), GST_MESSAGE_NEED_CONTEXT));
    const gchar* type = nullptr;
    return message && gst_message_parse_context_type(message.get(), &type) &&
           std::string(type) == "gst.moshi.context";
  };
  EXPECT_TRUE(asked([](GstElement*) {}));
  EXPECT_FALSE(asked(model));
}

TEST_F(Contexts, ThePropertyWins) {
  elements_.push_back(ready("mimienc", [](GstElement* element) {
    inject(element, {.model = "injected"});
    model(element);
  }));
  EXPECT_EQ(fake::log().options.model, "m");
}

}  // namespace
