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
  const Refusal refusal = admission.refusal();
  EXPECT_EQ(refusal.reason, Reason::Full);
  EXPECT_EQ(refusal.status, 503U);
  EXPECT_EQ(refusal.line, "all 2 conversations are taken: try again later");
  EXPECT_EQ(refusal.retry_after, 5);
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
  EXPECT_EQ(admission.refusal().reason, Reason::Draining);
  EXPECT_EQ(admission.refusal().line, "this server is about to stop: try another");
  EXPECT_EQ(admission.used(), 1U);
}

}  // namespace
}  // namespace serve
