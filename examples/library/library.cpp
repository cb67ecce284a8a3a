// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// A conversation by the library alone: samples in, samples and words out, frame by frame.
//
//   library [MODEL] < question.raw > reply.raw      f32 samples, mono, at the model's rate (24 kHz)
#include <moshi/moshi.h>

#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

namespace {

class Conversation {
 public:
  explicit Conversation(moshi::ExecutionContext& model)
      : model_(model),
        encoder_(model.open_encoder(model.lm().user_codebooks)),
        lm_(model.open_lm(greedy())),
        decoder_(model.open_decoder(model.lm().output_codebooks)),
        words_(model.codec().frame_ns),
        heard_(static_cast<size_t>(model.lm().user_codebooks)) {}

  /// Hears a frame of the user and writes what the model says meanwhile.
  void hear(const std::vector<float>& frame) {
    encoder_->submit(frame);
    encoder_->await(heard_);
    // A model does not hear its very first frame: it gets it twice.
    if (std::exchange(first_, false)) step();
    if (step()) speak();
  }

  /// The last word.
  void finish() {
    if (const auto word = words_.finish()) print(*word);
  }

 private:
  /// The likeliest answer, the same each time; by default one is drawn at random.
  static moshi::LmSessionOptions greedy() {
    moshi::LmSessionOptions options;
    options.sampling.greedy = true;
    return options;
  }

  /// False while nothing comes out yet: codebooks are delayed against each other inside the model.
  bool step() {
    lm_->submit(heard_);
    lm_->await(said_);
    return said_.ready;
  }

  void speak() {
    if (const auto word = words_.push(spoken_++ * model_.codec().frame_ns, model_.token_text(said_.text)))
      print(*word);
    const std::vector<uint16_t> codes(said_.audio.begin(), said_.audio.end());
    std::vector<float> speech(static_cast<size_t>(model_.codec().frame_size));
    decoder_->submit(codes);
    decoder_->await(speech);
    std::fwrite(speech.data(), sizeof(float), speech.size(), stdout);
  }

  static void print(const moshi::Word& word) {
    std::fprintf(stderr, "%6.2f  %s\n", static_cast<double>(word.start_ns) * 1e-9, word.text.c_str());
  }

  moshi::ExecutionContext& model_;
  std::unique_ptr<moshi::EncoderSession> encoder_;
  std::unique_ptr<moshi::LmSession> lm_;
  std::unique_ptr<moshi::DecoderSession> decoder_;
  moshi::WordAssembler words_;
  std::vector<uint16_t> heard_;
  moshi::LmFrame said_;
  bool first_ = true;
  int64_t spoken_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  // Whoever acquires the same again, while this one is held, gets the same: one copy of the weights.
  moshi::ContextOptions options;  // Of the embedded model, where none is named.
  if (argc > 1) options.model = argv[1];
  const auto model = moshi::ExecutionContext::acquire(options);
  model->load_codec();
  model->load_lm({});
  Conversation conversation(*model);
  for (;;) {
    std::vector<float> frame(
        static_cast<size_t>(model->codec().frame_size));  // The last one ends in silence.
    if (std::fread(frame.data(), sizeof(float), frame.size(), stdin) == 0) break;
    conversation.hear(frame);
  }
  conversation.finish();
  return 0;
} catch (const moshi::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
