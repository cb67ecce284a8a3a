// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// The ready pipelines, from a mouth to an ear.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "conversation.h"
#include "latency/echo.h"
#include "latency/mouth_and_ear.h"
#include "latency/telephone.h"
#include "rtp_audio.h"

namespace latency {

struct PathOptions : CommonOptions {
  std::string path = "microphone";  ///< One of path_names().
  RtpOptions rtp;                   ///< Format and addresses are the path's.
  bool allow_slow = false;
};

/// The paths that can be measured.
std::vector<std::string> path_names();

/// A conversation as it goes through this machine: mouth, model and ear, and the pipelines between them.
class Path {
 public:
  /// Builds the pipelines `options` name; the mouth says `sound`, of the codec's rate.
  Path(const PathOptions& options, const moshi::ExecutionContext& context, std::vector<float> sound);

  /// Plays for so long. Throws Failure for the first error of any pipeline.
  void play(double seconds, Progress& progress);

  [[nodiscard]] const Mouth& mouth() const { return mouth_; }
  [[nodiscard]] const Ear& ear() const { return ear_; }

  struct Part {
    std::string name;
    double declared_ms;  ///< Latency that a pipeline declares.
  };
  /// The pipelines in the order sound passes them; once they have played.
  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }

 private:
  /// As `talk` from microphone to loudspeaker, without these two.
  void build_microphone(const PathOptions& options, const moshi::CodecInfo& codec);
  /// These two alone, with the air from one to the other.
  void build_devices();
  /// As `phone`, and a telephone.
  void build_phone(const PathOptions& options, const moshi::ExecutionContext& context);
  /// As `talk --rtp`, and a caller.
  void build_rtp(const PathOptions& options, const moshi::CodecInfo& codec, const moshi::LmInfo& lm);
  /// Adds a pipeline in front of those there are.
  Pipeline& add(const std::string& name);
  /// Adds moshilm, which says what it hears.
  GstElement* add_model(Pipeline& pipeline, const PathOptions& options);

  Mouth mouth_;
  Ear ear_;
  Echo echo_;
  std::unique_ptr<TelephoneService> service_;
  std::vector<Part> parts_;
  std::vector<std::unique_ptr<Pipeline>> pipelines_;
};

}  // namespace latency
