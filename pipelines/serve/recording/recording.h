// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// One conversation on disk: stereo Opus, the user left and the model right, and the model's words. It has a
// pipeline of its own, which the conversation never waits for.
#pragma once

#include <gst/app/gstappsrc.h>
#include <moshi/moshi.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "output_file.h"
#include "pipeline.h"

namespace serve {

class Recording {
 public:
  /// What a conversation's pipeline has of it.
  struct Taps {
    GstElement* user;   ///< Its sink pad has what the user says.
    GstElement* model;  ///< Its sink pad has what the model says.
    GstElement* lm;     ///< moshilm.
  };

  /// Of `taps`, which go before this does, to PATH.opus and PATH.jsonl, which begins with `head`. There is no
  /// file before the user is heard.
  Recording(std::filesystem::path path, nlohmann::ordered_json head, int64_t frame_ns, const Taps& taps);

  /// Writes the rest, and gives the files their names; the taps are gone. Throws Failure where something
  /// could not be written: nothing is left then.
  void finish();

 private:
  enum Side { kUser, kModel };
  struct Files {
    explicit Files(const std::filesystem::path& path);

    OutputFile sound;
    OutputFile words;
    std::ofstream transcript;
    Pipeline pipeline;
    std::array<GstHandle<GstElement>, 2> sources;
  };

  template <Side Of>
  static GstPadProbeReturn heard(GstPad* pad, GstPadProbeInfo* info, gpointer self);
  static GstPadProbeReturn said(GstPad* pad, GstPadProbeInfo* info, gpointer self);
  void begin();
  void push(Side side, GstPad* pad, GstBuffer* buffer);
  void add(const std::optional<moshi::Word>& word);

  std::filesystem::path path_;
  nlohmann::ordered_json head_;
  std::mutex mutex_;  // For what follows.
  moshi::WordAssembler word_;
  std::unique_ptr<Files> files_;
  std::string problem_;
};

}  // namespace serve
