// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi latency`: how long after it is said a sound is heard.
#include <iomanip>
#include <iostream>
#include <random>

#include "latency/chirp.h"
#include "latency/histogram.h"
#include "latency/paths.h"
#include "measure.h"
#include "output_file.h"

namespace {

using nlohmann::ordered_json;

struct LatencyOptions : latency::PathOptions {
  int chirps = 30;
  std::string picture;
};

/// Seconds of silence before the first chirp, and after the last one.
constexpr double kLead = 2;
constexpr double kTail = 3;
/// Seconds from chirp to chirp: never the same, so that they begin everywhere in a frame, and each one's
/// place among the others shows which one it is.
constexpr double kLeastGap = 0.8;
constexpr double kMostGap = 1.2;
/// Longer delays are not looked for.
constexpr double kLongestDelay = 5;

/// What is said: chirps, and the samples where they begin.
struct Speech {
  std::vector<float> samples;
  std::vector<size_t> chirps;
};

Speech make_speech(int chirps, int rate) {
  const std::vector<float> chirp = latency::make_chirp(rate);
  std::mt19937 random(1);  // NOLINT(bugprone-random-generator-seed): the same for every measurement
  std::uniform_real_distribution<> gap(kLeastGap, kMostGap);
  Speech speech;
  double second = kLead;
  for (int i = 0; i < chirps; ++i, second += gap(random)) {
    speech.chirps.push_back(static_cast<size_t>(second * rate));
    speech.samples.resize(speech.chirps.back());
    speech.samples.insert(speech.samples.end(), chirp.begin(), chirp.end());
  }
  return speech;
}

/// Milliseconds from mouth to ear of each chirp that was heard.
Samples delays_of(const latency::Path& path, const Speech& speech, int rate) {
  Samples delays;
  if (path.ear().samples().empty()) return delays;
  // The recording on the mouth's time line: silence until the ear began to hear.
  const GstClockTime begin = path.mouth().time_of(0);
  const GstClockTime heard_from = std::max(begin, path.ear().time_of(0));
  const auto deaf = static_cast<size_t>(gst_util_uint64_scale(heard_from - begin, rate, GST_SECOND));
  std::vector<float> heard(deaf);
  heard.insert(heard.end(), path.ear().samples().begin(), path.ear().samples().end());

  const auto found =
      latency::ChirpFinder(rate).find(heard, speech.chirps, static_cast<size_t>(kLongestDelay * rate));
  for (size_t i = 0; i < found.size(); ++i) {
    if (!found[i] || *found[i] < deaf) continue;
    const auto said = static_cast<double>(path.mouth().time_of(speech.chirps[i]));
    delays.values.push_back((static_cast<double>(path.ear().time_of(*found[i] - deaf)) - said) * 1e-6);
  }
  return delays;
}

/// Milliseconds from a frame of the user's to the first that the model can have chosen after hearing it: it
/// chooses the beginning of each frame (text, first codebook) that much before its end.
double model_delay_ms(const moshi::CodecInfo& codec, const moshi::LmInfo& lm) {
  return static_cast<double>(lm.max_delay * codec.frame_ns) * 1e-6;
}

ordered_json result_of(const LatencyOptions& options, const latency::Path& path, const Samples& delays,
                       double model_delay) {
  ordered_json result = {{"path", options.path},          {"chirps", options.chirps},
                         {"heard", delays.values.size()}, {"min_ms", delays.quantile(0)},
                         {"median_ms", delays.median()},  {"p95_ms", delays.quantile(0.95)},
                         {"p99_ms", delays.p99()},        {"max_ms", delays.max()},
                         {"model_delay_ms", model_delay}, {"declared", ordered_json::array()},
                         {"delays_ms", delays.values}};
  for (const auto& part : path.parts()) {
    result["declared"].push_back({{"pipeline", part.name}, {"latency_ms", part.declared_ms}});
  }
  return result;
}

void print(const LatencyOptions& options, const latency::Path& path, const Samples& delays,
           double model_delay) {
  std::cout << std::fixed << std::setprecision(0) << options.path << ": mouth to ear, ms, of "
            << delays.values.size() << " chirps heard (" << options.chirps << " said)\n\n"
            << latency::to_text(latency::count(delays.values))
            << "\n     min  median     p95     p99     max\n";
  for (const double value :
       {delays.quantile(0), delays.median(), delays.quantile(0.95), delays.p99(), delays.max()}) {
    std::cout << std::setw(8) << value;
  }
  std::cout << "\n\nof the median, ms:\n";
  double rest = delays.median();
  for (const auto& part : path.parts()) {
    std::cout << std::setw(8) << part.declared_ms << "  " << part.name << ", as it declares\n";
    rest -= part.declared_ms;
  }
  std::cout << std::setw(8) << rest
            << "  the rest: codecs that say later what they hear, filters, the network\n";
  if (model_delay > 0) {
    std::cout << "\nThe model's first answer to a sound comes " << model_delay << " ms after the sound.\n";
  }
}

void run(const LatencyOptions& options) {
  std::unique_ptr<OutputFile> picture;
  if (!options.picture.empty()) picture = std::make_unique<OutputFile>(options.picture);
  const auto context = acquire_context(options);
  const moshi::CodecInfo& codec = context->codec();
  const moshi::LmInfo& lm = context->lm();
  if (lm.dep_q == 0) {
    throw Failure(Status::Usage,
                  "expected a model that speaks, found one that writes text only: name another with --model");
  }
  Progress progress(options.quiet);
  const bool converses = options.path != "devices";
  if (converses) prepare(*context, options, progress);

  Speech speech = make_speech(options.chirps, codec.sample_rate);
  latency::Path path(options, *context, speech.samples);
  path.play(static_cast<double>(speech.samples.size()) / codec.sample_rate + kTail, progress);
  const Samples delays = delays_of(path, speech, codec.sample_rate);
  if (delays.values.empty()) {
    throw Failure(Status::Other, options.path + ": expected to hear " + std::to_string(options.chirps) +
                                     " chirps, found none in what was heard; does this model's codec pass "
                                     "speech (gst-moshi encode, decode)?");
  }
  if (picture) {
    picture->write(latency::to_svg(latency::count(delays.values), options.path + ": mouth to ear", "ms"));
    picture->commit();
  }
  const double model_delay = converses ? model_delay_ms(codec, lm) : 0;
  if (options.json) {
    print_result(result_of(options, path, delays, model_delay));
  } else {
    print(options, path, delays, model_delay);
  }
}

}  // namespace

void add_latency(CLI::App& app) {
  auto options = std::make_shared<LatencyOptions>();
  auto* command = app.add_subcommand("latency", "Measure how long it takes from mouth to ear, with chirps");
  command
      ->add_option("PATH", options->path,
                   "microphone, devices, rtp-mimi, rtp-opus or phone: docs/pipelines.md")
      ->check(CLI::IsMember(latency::path_names()))
      ->type_name("")
      ->capture_default_str();
  command->add_option("--chirps", options->chirps, "Chirps to say, one a second")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_option("--svg", options->picture, "File for the histogram")->type_name("FILE");
  command->add_flag("--allow-slow", options->allow_slow,
                    "Measure even where a frame takes longer than it lasts");
  add_rtp_options(*command, options->rtp);
  add_common_options(*command, *options);
  command->footer(
      "Examples:\n"
      "  gst-moshi latency\n"
      "  gst-moshi latency rtp-opus --chirps 100 --svg latency.svg");
  command->callback([options] { run(*options); });
}
