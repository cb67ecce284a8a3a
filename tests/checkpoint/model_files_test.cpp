// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// From what a user writes to files: directories, the Hugging Face cache, the default model.
#include "checkpoint/model_files.h"

#include "checkpoint/safetensors.h"
#include "support.h"

namespace moshi::checkpoint {
namespace {

namespace fs = std::filesystem;
using test::Environment;
using test::expect_error;

const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";

/// A config.json whose language model fits the published codec; `more` starts with a comma.
std::string config(const std::string& more = "") {
  return R"({"num_layers": 1, "depformer_num_heads": 1, "card": 2048, "delays": [0,0,0,0,0,0,0,0,0])" + more +
         "}";
}

class ModelFilesTest : public ::testing::Test {
 protected:
  test::TemporaryDirectory directory_;
  // No variable of this machine plays a part.
  Environment hub_cache_{"HF_HUB_CACHE", nullptr};
  Environment old_hub_cache_{"HUGGINGFACE_HUB_CACHE", nullptr};
  Environment home_{"HF_HOME", nullptr};
  Environment cache_home_{"XDG_CACHE_HOME", nullptr};
  Environment model_{"GST_MOSHI_MODEL_DIR", nullptr};
  test::Warnings warnings_;

  [[nodiscard]] fs::path canonical(const std::string& path = "") const {
    return path.empty() ? fs::canonical(directory_.path()) : fs::canonical(directory_.path()) / path;
  }
  /// A snapshot of kyutai/test in the cache `hub`, at `revision`.
  void cache_model(const std::string& hub, const std::string& revision = "main") const {
    directory_.write(hub + "/models--kyutai--test/refs/" + revision, kCommit);
    directory_.write(hub + "/models--kyutai--test/snapshots/" + kCommit + "/config.json", config());
  }
};

TEST_F(ModelFilesTest, DirectoryWithDefaultNames) {
  directory_.write("config.json", config());
  const ModelFiles files = resolve_model(directory_.path());
  EXPECT_EQ(files.canonical, canonical());
  EXPECT_EQ(files.lm, canonical("model.safetensors"));
  EXPECT_EQ(files.mimi, canonical("tokenizer-e351c8d8-checkpoint125.safetensors"));
  EXPECT_EQ(files.tokenizer, canonical("tokenizer_spm_32k_3.model"));
  EXPECT_TRUE(warnings_.lines.empty());
}

TEST_F(ModelFilesTest, EveryWayToADirectoryGivesOneModel) {
  directory_.write("model/config.json", config());
  fs::create_directory_symlink(directory_.path() / "model", directory_.path() / "link");
  const std::string expected = canonical("model");
  EXPECT_EQ(resolve_model(directory_.path() / "link").canonical, expected);
  EXPECT_EQ(resolve_model(directory_.path() / "model" / ".").canonical, expected);
  EXPECT_EQ(resolve_model((directory_.path() / "model").string() + "/").canonical, expected);
}

TEST_F(ModelFilesTest, NamesInTheConfiguration) {
  const std::string elsewhere = directory_.path() / "elsewhere.safetensors";
  directory_.write("config.json", config(R"(, "moshi_name": "lm.safetensors", "mimi_name": "file://)" +
                                         elsewhere + R"(", "tokenizer_name": "text/spm.model")"));
  const ModelFiles files = resolve_model(directory_.path());
  EXPECT_EQ(files.lm, canonical("lm.safetensors"));
  EXPECT_EQ(files.mimi, elsewhere);
  EXPECT_EQ(files.tokenizer, canonical("text/spm.model"));
}

TEST_F(ModelFilesTest, MimiConfigurationBeside) {
  directory_.write("mimi.json", R"({"sample_rate": 16000, "channels": 1, "frame_rate": 25,
    "seanet": {"causal": true, "pad_mode": "constant"}, "quantizer": {"bins": 2048},
    "transformer": {"d_model": 128, "num_heads": 4, "num_layers": 1, "input_dimension": 128,
      "output_dimensions": [128], "context": 10, "causal": true, "conv_layout": true}})");
  directory_.write("config.json", config(R"(, "mimi_config_name": "mimi.json")"));
  EXPECT_EQ(resolve_model(directory_.path()).config.mimi.frame_size(), 640);
  directory_.write("config.json", config(R"(, "mimi_config_name": "none.json")"));
  expect_error(ErrorCode::NotFound, "none.json: expected a file, found nothing",
               [&] { resolve_model(directory_.path()); });
  directory_.write("mimi.json", "{}");
  directory_.write("config.json", config(R"(, "mimi_config_name": "mimi.json")"));
  expect_error(ErrorCode::WrongType, "mimi.json: sample_rate is missing",
               [&] { resolve_model(directory_.path()); });
}

TEST_F(ModelFilesTest, CodecThatDoesNotFit) {
  directory_.write("config.json", config(R"(, "model_type": "moshi")"));
  EXPECT_NO_THROW(resolve_model(directory_.path()));
  directory_.write("config.json", R"({"num_layers": 1, "depformer_num_heads": 1, "card": 100,
    "delays": [0,0,0,0,0,0,0,0,0]})");
  expect_error(ErrorCode::WrongType, "the language model's card is 100, the codec's bins are 2048",
               [&] { resolve_model(directory_.path()); });
  std::string delays = "[0";
  for (int i = 0; i < 33; ++i) delays += ",0";
  directory_.write("config.json",
                   R"({"num_layers": 1, "card": 2048, "n_q": 33, "dep_q": 0, "delays": )" + delays + "]}");
  expect_error(ErrorCode::WrongType, "the language model needs 33 codebooks, the codec has 32",
               [&] { resolve_model(directory_.path()); });
}

TEST_F(ModelFilesTest, ShardedModel) {
  directory_.write("config.json", config());
  directory_.write("model.safetensors.index.json", "{}");
  EXPECT_EQ(resolve_model(directory_.path()).lm, canonical("model.safetensors.index.json"));
  directory_.write("model.safetensors", "");
  EXPECT_EQ(resolve_model(directory_.path()).lm, canonical("model.safetensors"));
}

TEST_F(ModelFilesTest, WithoutConfigurationItIsMoshi7b) {
  const ModelFiles files = resolve_model(directory_.path());
  EXPECT_EQ(files.config.lm.temporal.dim, 4096);
  EXPECT_EQ(files.lm, canonical("model.safetensors"));
  EXPECT_EQ(warnings_.lines,
            std::vector<std::string>{canonical().string() + " has no config.json: taken for Moshi 7B"});
}

TEST_F(ModelFilesTest, PathsThatAreNoModel) {
  expect_error(ErrorCode::NotFound, "/no/such/place: expected a model's directory or a Hugging Face id",
               [] { resolve_model("/no/such/place"); });
  const auto file = directory_.write("model.safetensors", "");
  expect_error(ErrorCode::WrongType, "expected a model's directory, found a file",
               [&] { resolve_model(file); });
  expect_error(ErrorCode::NotFound, "expected a model's directory or",
               [] { resolve_model(std::string(10'000, 'a')); });
  directory_.write("config.json", "[");
  expect_error(ErrorCode::WrongType, "config.json: expected JSON", [&] { resolve_model(directory_.path()); });
  fs::remove(directory_.path() / "config.json");
  fs::create_directory(directory_.path() / "config.json");
  expect_error(ErrorCode::WrongType, "config.json: expected a regular file",
               [&] { resolve_model(directory_.path()); });
}

TEST_F(ModelFilesTest, PathsThatTheSystemRefuses) {
  fs::create_symlink("loop", directory_.path() / "loop");
  expect_error(ErrorCode::NotFound, "loop: expected a model's directory or",
               [&] { resolve_model(directory_.path() / "loop"); });
  const std::string name(5000, 'n');
  directory_.write("config.json", config(R"(, "moshi_name": ")" + name + "\""));
  EXPECT_EQ(resolve_model(directory_.path()).lm, canonical(name));
  directory_.write("config.json", config(R"(, "mimi_config_name": ")" + name + "\""));
  expect_error(ErrorCode::NotFound, "expected a file, found nothing",
               [&] { resolve_model(directory_.path()); });
  directory_.write("index.json", R"({"weight_map":{"a":")" + name + "\"}}");
  expect_error(ErrorCode::NotFound, "shard nnn",
               [&] { TensorFiles::open(directory_.path() / "index.json"); });
}

TEST_F(ModelFilesTest, DefaultModel) {
  directory_.write("config.json", config());
  {
    const Environment model("GST_MOSHI_MODEL_DIR", directory_.path().c_str());
    EXPECT_EQ(resolve_model("").canonical, canonical());
  }
  const Environment model("GST_MOSHI_MODEL_DIR", "/no/such/place");
  expect_error(ErrorCode::NotFound, "no model given, and the default one is not in /no/such/place",
               [] { resolve_model(""); });
}

TEST_F(ModelFilesTest, HuggingFaceCacheByEveryVariable) {
  cache_model("hub");
  const std::string expected = canonical("hub/models--kyutai--test/snapshots/" + kCommit);
  const auto expect_found = [&](const char* name, const std::string& value) {
    const Environment variable(name, value.c_str());
    EXPECT_EQ(resolve_model("kyutai/test").canonical, expected) << name;
  };
  expect_found("HF_HUB_CACHE", directory_.path() / "hub");
  expect_found("HUGGINGFACE_HUB_CACHE", directory_.path() / "hub");
  expect_found("HF_HOME", directory_.path());
  fs::create_directory(directory_.path() / "huggingface");
  fs::create_directory_symlink(directory_.path() / "hub", directory_.path() / "huggingface" / "hub");
  expect_found("XDG_CACHE_HOME", directory_.path());
}

TEST_F(ModelFilesTest, HuggingFaceRevisions) {
  cache_model("hub", "v1.0");
  cache_model("hub", "refs/pr/1");
  const Environment hub("HF_HUB_CACHE", (directory_.path() / "hub").c_str());
  const std::string expected = canonical("hub/models--kyutai--test/snapshots/" + kCommit);
  EXPECT_EQ(resolve_model("kyutai/test@v1.0").canonical, expected);
  EXPECT_EQ(resolve_model("kyutai/test@refs/pr/1").canonical, expected);
  EXPECT_EQ(resolve_model("kyutai/test@" + kCommit).canonical, expected);
  expect_error(ErrorCode::NotFound, "run: hf download kyutai/test", [] { resolve_model("kyutai/test"); });
}

TEST_F(ModelFilesTest, MissingModelGivesTheCommandThatDownloadsIt) {
  const Environment hub("HF_HUB_CACHE", "/no/cache");
  const auto message = [](const std::string& model) -> std::string {
    try {
      resolve_model(model);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::NotFound);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message("kyutai/moshiko-pytorch-bf16"),
            "kyutai/moshiko-pytorch-bf16 is not in the Hugging Face cache /no/cache; "
            "run: hf download kyutai/moshiko-pytorch-bf16");
  EXPECT_EQ(message("kyutai/moshiko-pytorch-bf16@v2"),
            "kyutai/moshiko-pytorch-bf16@v2 is not in the Hugging Face cache /no/cache; "
            "run: hf download kyutai/moshiko-pytorch-bf16 --revision v2");
}

TEST_F(ModelFilesTest, IdsAndReferencesNeverLeaveTheCache) {
  directory_.write("secret/config.json", config());
  directory_.write("hub/models--kyutai--test/refs/main", "../../../secret");
  const Environment hub("HF_HUB_CACHE", (directory_.path() / "hub").c_str());
  expect_error(ErrorCode::NotFound, "run: hf download kyutai/test", [] { resolve_model("kyutai/test"); });
  for (const char* model : {"kyutai/..", "../secret", "kyutai/test@../../../../secret", "kyutai/test@/etc"})
    expect_error(ErrorCode::NotFound, "expected a model's directory or", [&] { resolve_model(model); });
}

TEST_F(ModelFilesTest, FilesOfOtherRepositories) {
  cache_model("hub");
  directory_.write("hub/models--kyutai--test/snapshots/" + kCommit + "/sub/mimi.safetensors", "");
  const Environment hub("HF_HUB_CACHE", (directory_.path() / "hub").c_str());
  directory_.write("model/config.json", config(R"(, "mimi_name": "hf://kyutai/test/sub/mimi.safetensors")"));
  EXPECT_EQ(resolve_model(directory_.path() / "model").mimi,
            directory_.path() / "hub/models--kyutai--test/snapshots" / kCommit / "sub/mimi.safetensors");
  const auto expect_refused = [&](ErrorCode code, const std::string& value, const std::string& part) {
    directory_.write("model/config.json", config(R"(, "mimi_name": ")" + value + "\""));
    expect_error(code, part, [&] { resolve_model(directory_.path() / "model"); });
  };
  expect_refused(ErrorCode::NotFound, "hf://kyutai/test/none.safetensors",
                 "run: hf download kyutai/test none.safetensors");
  expect_refused(ErrorCode::NotFound, "hf://other/repo/x.safetensors",
                 "run: hf download other/repo x.safetensors");
  for (const char* value : {"hf://kyutai", "hf://kyutai/test", "hf://kyutai/test/", "hf:///test/x",
                            "hf://kyutai/test/../x", "hf://kyutai/test//etc/passwd"})
    expect_refused(ErrorCode::WrongType, value, "expected hf://owner/name/file, found");
}

TEST(RandomCheckpoint, IsWellFormed) {
  const test::Warnings warnings;
  const ModelFiles files = resolve_model(RANDOM_CHECKPOINT);
  EXPECT_TRUE(warnings.lines.empty());
  EXPECT_EQ(files.config.lm.n_q, 16);
  EXPECT_EQ(files.config.mimi.frame_size(), 1920);
  const TensorFiles lm = TensorFiles::open(files.lm);
  const TensorView* emb = lm.find("emb.15.weight");
  ASSERT_NE(emb, nullptr);
  EXPECT_EQ(emb->shape, (std::vector<int64_t>{files.config.lm.card + 1, files.config.lm.temporal.dim}));
  EXPECT_EQ(emb->dtype, Dtype::BF16);
  EXPECT_NE(TensorFiles::open(files.mimi).find("quantizer.rvq_rest.vq.layers.6._codebook.embedding_sum"),
            nullptr);
}

}  // namespace
}  // namespace moshi::checkpoint
