// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/admission.h"

#include <gtest/gtest.h>

namespace serve {
namespace {

TEST(Admission, GivesAsManyPlacesAsThereAre) {
  Admission admission(2);
  Admission::Place first = admission.take();
  const Admission::Place second = admission.take();
  EXPECT_TRUE(first != nullptr && second != nullptr);
  EXPECT_EQ(admission.used(), 2U);
  EXPECT_EQ(admission.take(), nullptr);
  EXPECT_EQ(admission.why_refused(), "all 2 conversations are taken: try again later");
  first.reset();
  EXPECT_EQ(admission.used(), 1U);
  EXPECT_NE(admission.take(), nullptr);
  EXPECT_EQ(admission.used(), 1U);
}

TEST(Admission, GivesNoPlaceWhenItEnds) {
  Admission admission(2);
  const Admission::Place first = admission.take();
  admission.drain();
  EXPECT_EQ(admission.take(), nullptr);
  EXPECT_EQ(admission.why_refused(), "this server is about to stop: try another");
  EXPECT_EQ(admission.used(), 1U);
}

}  // namespace
}  // namespace serve
