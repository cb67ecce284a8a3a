// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// gst-moshi: Moshi-family speech models from the command line.
#include <iostream>
#include <new>

#include "options.h"
#include "report.h"

namespace {

/// One line, with what was warned of before.
int finish(Status status, std::string line) {
  for (const std::string& warning : take_warnings()) line += " (" + warning + ")";
  print_message(line);
  return static_cast<int>(status);
}

/// What is wrong where no command is.
std::string missing_command(const CLI::App& app, int argc, char** argv) {
  std::string names;
  for (const CLI::App* command : app.get_subcommands({})) names += " " + command->get_name();
  return "expected a command (one of" + names + "), found " + (argc > 1 ? argv[1] : "none");
}

/// The subcommand the user got wrong, for the hint.
std::string help_line(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands()) return "gst-moshi " + command->get_name() + " --help";
  return "gst-moshi --help";
}

}  // namespace

// Only setting up and the last message may throw, without memory.
// NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) {
  CLI::App app("Full-duplex speech models (Moshi and its family) on GStreamer", "gst-moshi");
  app.set_version_flag("--version", "gst-moshi " + moshi::build_info().version);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  gst-moshi talk question.wav reply.wav\n"
      "  gst-moshi talk --model kyutai/moshiko-pytorch-bf16\n"
      "  gst-moshi phone --audiosocket 127.0.0.1:9092\n"
      "  gst-moshi encode speech.ogg codes.safetensors\n"
      "  gst-moshi doctor\n"
      "Exit status: 0 done, 2 wrong use, 3 input or model file unusable, 4 no usable device, 1 anything "
      "else.");
  add_talk(app);
  add_phone(app);
  add_serve(app);
  add_encode(app);
  add_decode(app);
  add_forward(app);
  add_generate(app);
  add_batch(app);
  add_bench(app);
  add_doctor(app);
  add_latency(app);

  try {
    app.parse(argc, argv);
    print_warnings();
    return static_cast<int>(Status::Done);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::RuntimeError& reported) {
    return reported.get_exit_code();
  } catch (const CLI::RequiredError& error) {
    const bool no_command = app.get_subcommands().empty();
    return finish(Status::Usage,
                  (no_command ? missing_command(app, argc, argv) : error.what()) + "; see " + help_line(app));
  } catch (const CLI::ParseError& error) {
    return finish(Status::Usage, std::string(error.what()) + "; see " + help_line(app));
  } catch (const Failure& failure) {
    return finish(failure.status(), failure.what());
  } catch (const moshi::Error& error) {
    return finish(status_of(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    return finish(Status::Other, "not enough memory: close other programs or take a smaller model");
  } catch (const std::exception& error) {
    return finish(Status::Other, std::string("unexpected, please report: ") + error.what());
  }
}
