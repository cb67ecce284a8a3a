// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "guarded.h"

#include <moshi/moshi.h>

#include <new>

namespace gstmoshi {
namespace {

struct Kind {
  GQuark domain;
  gint code;
};

Kind kind_of(moshi::ErrorCode code) {
  switch (code) {
    case moshi::ErrorCode::NotFound:
      return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND};
    case moshi::ErrorCode::WrongType:
      return {GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE};
    case moshi::ErrorCode::NoDevice:
      return {GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT};
    case moshi::ErrorCode::NoSpace:
      return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT};
    case moshi::ErrorCode::Busy:
      return {GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY};
    case moshi::ErrorCode::Settings:
      return {GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS};
    case moshi::ErrorCode::OutOfRange:
      return {GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT};
    case moshi::ErrorCode::Cancelled:
    case moshi::ErrorCode::Failed:
      break;
  }
  return {GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED};
}

void post_error(GstElement* element, Kind kind, const char* text, const char* debug) noexcept {
  gst_element_message_full(element, GST_MESSAGE_ERROR, kind.domain, kind.code, g_strdup(text),
                           g_strdup(debug), __FILE__, GST_FUNCTION, __LINE__);
}

}  // namespace

bool report_exception(GstElement* element) noexcept {
  try {
    throw;
  } catch (const moshi::Error& error) {
    if (error.code() == moshi::ErrorCode::Cancelled) return false;
    post_error(element, kind_of(error.code()), error.what(), nullptr);
  } catch (const std::bad_alloc&) {
    post_error(element, kind_of(moshi::ErrorCode::NoSpace),
               "out of memory: close other programs or use a smaller model", nullptr);
  } catch (const std::exception& error) {
    post_error(element, kind_of(moshi::ErrorCode::Failed), "internal error, please report it", error.what());
  } catch (...) {
    post_error(element, kind_of(moshi::ErrorCode::Failed), "internal error, please report it", nullptr);
  }
  return true;
}

}  // namespace gstmoshi
