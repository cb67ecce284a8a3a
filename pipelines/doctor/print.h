// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "doctor/findings.h"
#include "doctor/verdict.h"

namespace doctor {

/// All the doctor has to say.
// NOLINTNEXTLINE(bugprone-exception-escape): that JSON's move may throw is the library's to say.
struct Report {
  Facts facts;
  nlohmann::ordered_json model;  ///< What its files hold, "problem" where it cannot run.
  Findings findings;
  Prediction large;  ///< The published 7B model.
  bool usable = true;
  std::string verdict;
};

nlohmann::ordered_json to_json(const Report& report);

std::string to_text(const Report& report);

/// "error", "warning", "note"
const char* name_of(Severity severity);

}  // namespace doctor
