// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Recorded situations: what the doctor finds in each and what it advises.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "doctor/print.h"
#include "recorded.h"

namespace doctor {
namespace {

using nlohmann::json;

const json& recorded() {
  static const json all = json::parse(std::ifstream(SITUATIONS));
  return all;
}

/// The healthy machine with a situation's changes.
RecordedMachine machine_of(const json& situation) {
  json record = recorded().at("healthy");
  record.merge_patch(situation.at("changes"));
  return RecordedMachine(record);
}

Report examine(const RecordedMachine& machine) {
  Report report;
  report.facts = probe(machine);
  report.facts.measured = machine.measured();
  report.findings = diagnose(report.facts);
  report.large = predict(report.facts, report.findings);
  report.model = {{"name", "(embedded)"}};
  if (report.facts.measured) report.verdict = verdict_of(*report.facts.measured);
  return report;
}

class Situations : public testing::TestWithParam<json> {};

TEST_P(Situations, AreFoundWithAdvice) {
  const json& situation = GetParam();
  const Report report = examine(machine_of(situation));
  std::set<std::string> found;
  for (const Finding& finding : report.findings) {
    found.insert(std::string(name_of(finding.severity)) + " " + finding.id);
    for (const std::string& line : {finding.found, finding.advice}) {
      EXPECT_FALSE(line.empty()) << finding.id;
      EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    }
  }
  EXPECT_EQ(found, situation.at("findings").get<std::set<std::string>>());
  EXPECT_EQ(found.size(), report.findings.size());
  const std::string text = to_text(report);
  for (const std::string phrase : situation.at("says")) {
    EXPECT_NE(text.find(phrase), std::string::npos) << "missing: " << phrase << "\n" << text;
  }
  for (const std::string phrase : situation.value("says_not", json::array())) {
    EXPECT_EQ(text.find(phrase), std::string::npos) << "too much: " << phrase << "\n" << text;
  }
  // Programs get the same.
  const json printed = json::parse(to_json(report).dump());
  ASSERT_EQ(printed.at("findings").size(), report.findings.size());
  for (size_t i = 0; i < report.findings.size(); ++i) {
    EXPECT_EQ(printed.at("findings").at(i).at("id"), report.findings[i].id);
    EXPECT_EQ(printed.at("findings").at(i).at("advice"), report.findings[i].advice);
  }
}

INSTANTIATE_TEST_SUITE_P(Doctor, Situations, testing::ValuesIn(recorded().at("situations")),
                         [](const auto& situation) {
                           return situation.param.at("name").template get<std::string>();
                         });

/// Each kind of finding has a situation that expects words of its advice, so that none can get lost.
TEST(Doctor, AllAdviceIsExpectedSomewhere) {
  std::map<std::string, bool> expected;
  for (const json& situation : recorded().at("situations")) {
    const Report report = examine(machine_of(situation));
    for (const Finding& finding : report.findings) {
      bool& found = expected[finding.id];
      for (const std::string phrase : situation.at("says")) {
        found = found || finding.advice.find(phrase) != std::string::npos;
      }
    }
  }
  for (const auto& [id, found] : expected) EXPECT_TRUE(found) << id;
  EXPECT_GE(recorded().at("situations").size(), 20U);
}

TEST(Doctor, TheWorstComesFirst) {
  for (const json& situation : recorded().at("situations")) {
    const Findings findings = examine(machine_of(situation)).findings;
    EXPECT_TRUE(std::is_sorted(findings.begin(), findings.end(),
                               [](const Finding& a, const Finding& b) { return a.severity < b.severity; }));
  }
}

TEST(Doctor, CallersOfAMeasuredModelAreLimitedByTimeOrMemory) {
  Measurement measured{
      .device = "cuda:0", .device_name = "a card", .precision = "bf16", .p99_ms = 7.9, .budget_ms = 80};
  measured.callers_in_memory = 40;
  EXPECT_EQ(capacity_of(measured).callers, 10);
  measured.callers_in_memory = 3;
  EXPECT_EQ(capacity_of(measured).callers, 3);
  measured.p99_ms = 81;
  EXPECT_EQ(capacity_of(measured).callers, 0);
}

/// One caller's frames that docs/performance.md measured on an H200 of 4636 GB/s, within 5 %.
TEST(Doctor, PredictsTheCardThatWasMeasured) {
  const std::vector<Capacity> capacities = predict(141'000'000'000, 4636e9);
  ASSERT_EQ(capacities.size(), 2U);
  EXPECT_NEAR(capacities[0].frame_ms, 5.17, 0.26);
  EXPECT_NEAR(capacities[1].frame_ms, 3.70, 0.19);
}

/// The callers that docs/performance.md predicts for an A100 of 80 GB.
TEST(Doctor, PredictsCallersByMemory) {
  const std::vector<Capacity> capacities = predict(80'000'000'000, 0.92 * 2039e9);
  EXPECT_EQ(capacities.at(0).callers, 39);
  EXPECT_EQ(capacities.at(1).callers, 85);
}

/// "| RTX 4090 | sm_89 | 24 | 1008 | 19 | 4 | 11 | 17 |": its fields.
std::vector<std::string> fields_of(const std::string& row) {
  std::vector<std::string> fields;
  std::istringstream text(row.substr(1));
  for (std::string field; std::getline(text, field, '|');) {
    const size_t start = field.find_first_not_of(' ');
    fields.push_back(
        start == std::string::npos ? "" : field.substr(start, field.find_last_not_of(' ') + 1 - start));
  }
  return fields;
}

/// The table of cards in the documentation is what the doctor says on them.
TEST(Doctor, DocumentsWhatItPredicts) {
  std::ifstream document(GPUS);
  int rows = 0;
  for (std::string line; std::getline(document, line);) {
    if (!line.starts_with("| ") || line.find("| sm_") == std::string::npos) continue;
    const std::vector<std::string> fields = fields_of(line);
    ASSERT_EQ(fields.size(), 8U) << line;
    const auto capacities =
        predict(static_cast<uint64_t>(std::stod(fields[2]) * 1e9), 0.92e9 * std::stod(fields[3]));
    for (size_t i = 0; i < 2; ++i) {
      const Capacity& capacity = capacities[i];
      const bool fits = capacity.frame_ms > 0;
      EXPECT_EQ(fields[4 + 2 * i], fits ? std::to_string(std::lround(capacity.frame_ms)) : "does not fit")
          << line;
      EXPECT_EQ(fields[5 + 2 * i], fits ? std::to_string(capacity.callers) : "-") << line;
    }
    ++rows;
  }
  EXPECT_GT(rows, 20);
}

TEST(Doctor, ASlowCardWithMuchMemoryIsLimitedByTime) {
  const std::vector<Capacity> capacities = predict(120'000'000'000, 250e9);
  EXPECT_NEAR(capacities[0].frame_ms, 67, 1);
  EXPECT_EQ(capacities[0].callers, 1);  // Two would take 74 ms, which leaves too little to spare.
}

}  // namespace
}  // namespace doctor
