// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// `gst-moshi phone`: telephone calls, each a conversation of its own.
#include <glib-unix.h>

#include <algorithm>

#include "audiosocket_calls.h"
#include "rtp_calls.h"

namespace {

/// Runs the default main context until Ctrl-C; the second one kills as usual.
void run_until_interrupted() {
  const std::unique_ptr<GMainLoop, void (*)(GMainLoop*)> loop(g_main_loop_new(nullptr, FALSE),
                                                              g_main_loop_unref);
  const GSourceFunc quit = [](gpointer data) -> gboolean {
    g_main_loop_quit(static_cast<GMainLoop*>(data));
    return G_SOURCE_REMOVE;
  };
  for (const int signal : {SIGINT, SIGTERM}) g_unix_signal_add(signal, quit, loop.get());
  g_main_loop_run(loop.get());
}

/// Calls at a time: as many as asked for, or as the device was found to hold.
int most_calls(const PhoneOptions& options, const moshi::ExecutionContext& context) {
  return options.calls > 0 ? options.calls : std::max(1, context.frame_figures().callers);
}

void run(const PhoneOptions& options) {
  if (options.rtp.empty() && options.audiosocket.empty()) {
    throw Failure(Status::Usage, "expected --rtp HOST:PORT or --audiosocket HOST:PORT, found neither");
  }
  const auto context = acquire_context(options);
  if (context->lm().dep_q == 0) {
    throw Failure(Status::Usage,
                  "this model writes text only: expected one that speaks, found " + context->model());
  }
  // Addresses first: the model may take its time.
  std::unique_ptr<RtpCalls> rtp;
  std::unique_ptr<AudioSocketCalls> audiosocket;
  if (!options.rtp.empty()) rtp = std::make_unique<RtpCalls>(options.rtp);
  if (!options.audiosocket.empty()) audiosocket = std::make_unique<AudioSocketCalls>(options.audiosocket);
  CallLog log(options);
  Progress progress(options.quiet);
  rehearse(options, context->codec(), progress);

  Switchboard switchboard(most_calls(options, *context), log);
  Phone phone{options, *context, log, switchboard};
  if (rtp) rtp->start(phone);
  if (audiosocket) audiosocket->start(phone);
  log.listening(rtp ? rtp->address() : "", audiosocket ? audiosocket->address() : "");
  run_until_interrupted();
}

}  // namespace

void add_phone(CLI::App& app) {
  auto options = std::make_shared<PhoneOptions>();
  auto* command =
      app.add_subcommand("phone", "Answer telephone calls: RTP in u-law or A-law, Asterisk's AudioSocket");
  command
      ->add_option("--rtp", options->rtp,
                   "UDP address to take calls at; each is answered where it sends from")
      ->type_name("HOST:PORT");
  command->add_option("--audiosocket", options->audiosocket, "TCP address to take AudioSocket calls at")
      ->type_name("HOST:PORT");
  command
      ->add_option("--calls", options->calls,
                   "Calls at a time (default: as many as the device is found to hold)")
      ->check(CLI::Range(1, 4096));
  command
      ->add_option("--idle-timeout", options->idle_timeout,
                   "Seconds after which a call that sends nothing has ended")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  command
      ->add_option("--transcript", options->transcript,
                   "File for the words of all calls, a line of JSON each")
      ->type_name("FILE");
  command->add_flag("--allow-slow", options->allow_slow,
                    "Take calls even where a frame takes longer than it lasts, with gaps");
  add_sampling_options(*command, *options);
  add_common_options(*command, *options);
  command->footer(
      "Examples:\n"
      "  gst-moshi phone --rtp 127.0.0.1:5004\n"
      "  gst-moshi phone --audiosocket 127.0.0.1:9092 --calls 4 --transcript words.jsonl\n"
      "Ctrl-C ends all calls. With --json each call prints its result at its end.");
  command->callback([options] { run(*options); });
}
