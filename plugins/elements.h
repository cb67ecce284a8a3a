// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gst/gst.h>

GST_ELEMENT_REGISTER_DECLARE(mimienc);
GST_ELEMENT_REGISTER_DECLARE(moshilm);
GST_ELEMENT_REGISTER_DECLARE(mimidec);
GST_ELEMENT_REGISTER_DECLARE(rtpmimipay);
GST_ELEMENT_REGISTER_DECLARE(rtpmimidepay);

namespace gstmoshi {

/// Custom serialized downstream event: the input ends here, what follows is silence. mimienc completes its
/// frame before passing it on; moshilm tells a model that knows the mark (Hibiki).
inline constexpr const char* end_of_input_event = "moshi-end-of-input";

/// Whether `event` is that event.
inline bool is_end_of_input(GstEvent* event) {
  return GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM &&
         gst_event_has_name(event, end_of_input_event);
}

}  // namespace gstmoshi
