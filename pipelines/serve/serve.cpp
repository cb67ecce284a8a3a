// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi serve`: what `python -m moshi.server` does, for many clients at a time.
#include <gst/gst.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <sstream>

#include "conversation.h"
#include "options.h"
#include "report.h"
#include "serve/http/static_files.h"
#include "serve/server.h"

namespace {

struct ServeOptions : serve::ServerOptions {
  bool half = false;
};

/// Conversations that may be held at a time.
int places_of(const ServeOptions& options, const moshi::ExecutionContext& context) {
  const moshi::FrameFigures figures = context.frame_figures();
  const double frame_ms = static_cast<double>(context.codec().frame_ns) * 1e-6;
  if (figures.callers == 0 && !options.allow_slow) {
    std::ostringstream line;
    line << std::fixed << std::setprecision(1) << "expected a frame within " << frame_ms << " ms, found "
         << figures.frame_ms_p99
         << " ms: take a faster device or a smaller model, or --allow-slow for speech with gaps";
    throw Failure(Status::NoDevice, line.str());
  }
  return options.max_sessions > 0 ? options.max_sessions : std::max(1, figures.callers);
}

void run(const ServeOptions& options) {
  const auto context = acquire_context(options);
  if (context->lm().dep_q == 0) {
    throw Failure(Status::Usage,
                  "expected a model that speaks, found one that writes text only: " + context->model());
  }
  if (!options.statics.empty() && options.statics != serve::kNoFiles &&
      !std::filesystem::is_directory(options.statics)) {
    throw Failure(Status::BadFile, "--static " + options.statics + ": expected a directory, found none");
  }
  Progress progress(options.quiet);
  prepare(*context, options, progress);
  const int places = places_of(options, *context);
  gst_init(nullptr, nullptr);
  find_own_plugin();
  serve::Server server(options, context, places);
  server.run();
}

}  // namespace

void add_serve(CLI::App& app) {
  auto options = std::make_shared<ServeOptions>();
  auto* command = app.add_subcommand("serve", "Hold conversations over WebSocket, as moshi.server does");
  command->add_option("--host", options->host, "Address or name to listen on")->capture_default_str();
  command->add_option("--port", options->port, "Port to listen on")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  command
      ->add_option("--static", options->statics,
                   "Directory of files to serve in place of the page that is built in, or none")
      ->type_name("DIR");
  command->add_option("--ssl", options->ssl, "Directory of cert.pem and key.pem: https instead of http")
      ->type_name("DIR");
  command->add_option("--hf-repo", options->model, "The same as --model")->type_name("MODEL");
  command->add_flag("--half", options->half, "Accepted for compatibility: the precision follows --precision");
  command
      ->add_option("--max-sessions", options->max_sessions,
                   "Conversations at a time (0: what the device was found to hold)")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--queue-seconds", options->queue_seconds,
                   "How long a client of /api/chat waits for a place (0: it is told to come later)")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  command->add_option("--session-seconds", options->limits.seconds, "Most seconds of a conversation (0: any)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--idle-seconds", options->limits.idle_seconds,
                   "Ends a conversation whose client has sent no speech for so long (0: never)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--keys", options->access.keys,
                   "File of keys, one a line, one of which each client must have")
      ->type_name("FILE");
  command
      ->add_option("--origin", options->access.origins,
                   "Where pages may be from that call this server, or *; may be repeated")
      ->type_name("ORIGIN");
  command
      ->add_option("--rate", options->access.rate,
                   "Most conversations a minute for a key, or an address where there are no keys (0: any)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--drain-seconds", options->drain_seconds, "Time for conversations to end after SIGTERM")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--admin-port", options->admin_port,
                   "Port for metrics and health, for operators alone (0: none)")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command->add_option("--admin-host", options->admin_host, "Address or name of that port")
      ->capture_default_str();
  command
      ->add_option("--agent-port", options->agent_port,
                   "Port at --host where HAProxy's agent-check hears how much is free (0: none)")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command
      ->add_option_function<std::string>(
          "--log", [options](const std::string& form) { options->json_log = form == "json"; },
          "What is said on stderr: text for people, json with a line an event")
      ->check(CLI::IsMember({"text", "json"}))
      ->default_str("text");
  command
      ->add_option("--record", options->record,
                   "Records all conversations there: stereo Opus, and the model's words")
      ->type_name("DIR");
  command->add_flag("--allow-slow", options->allow_slow,
                    "Serve even where a frame takes longer than it lasts");
  serve::add_webrtc_options(*command, options->webrtc);
  add_common_options(*command, *options);
  command->footer("Example:\n  gst-moshi serve --model kyutai/moshiko-pytorch-bf16");
  command->callback([options] { run(*options); });
}
