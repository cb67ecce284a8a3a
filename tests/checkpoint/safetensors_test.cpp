// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/safetensors.h"

#include <cstring>

#include "support.h"

namespace moshi::checkpoint {
namespace {

using test::bytes_of;
using test::expect_error;
using test::safetensors;

SafetensorsFile parse(const std::string& file) { return SafetensorsFile::parse(bytes_of(file), "test"); }

TEST(Safetensors, ReadsTensorsAndMetadata) {
  const std::string file =
      safetensors(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"I16","shape":[2],"data_offsets":[4,8]},)"
                  R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                  R"("empty":{"shape":[3,0],"dtype":"F64","data_offsets":[8,8]}}   )",
                  std::string("\0\0\x80\x3f\x01\0\x02\0", 8));
  const SafetensorsFile parsed = parse(file);
  EXPECT_EQ(parsed.metadata().at("format"), "pt");
  ASSERT_EQ(parsed.tensors().size(), 3U);
  float value = 0;
  ASSERT_EQ(parsed.find("a")->data.size(), sizeof value);
  std::memcpy(&value, parsed.find("a")->data.data(), sizeof value);
  EXPECT_EQ(value, 1.0F);
  EXPECT_EQ(parsed.find("b")->dtype, Dtype::I16);
  EXPECT_EQ(parsed.find("b")->shape, std::vector<int64_t>{2});
  EXPECT_EQ(parsed.find("empty")->data.size(), 0U);
  EXPECT_EQ(parsed.find("missing"), nullptr);
}

TEST(Safetensors, ReadsEveryDtype) {
  const std::vector<std::pair<std::string, size_t>> sizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
      {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"F64", 8},     {"I64", 8}, {"U64", 8}};
  for (const auto& [name, size] : sizes) {
    const std::string file = safetensors(R"({"x":{"dtype":")" + name + R"(","shape":[3],"data_offsets":[0,)" +
                                             std::to_string(3 * size) + "]}}",
                                         std::string(3 * size, 'x'));
    const SafetensorsFile parsed = parse(file);
    EXPECT_EQ(name_of(parsed.find("x")->dtype), name);
    EXPECT_EQ(size_of(parsed.find("x")->dtype), size);
  }
}

struct Hostile {
  const char* title;
  std::string file;
  std::string part;  ///< Of the message.
};

std::string one(const std::string& shape, const std::string& offsets, const std::string& data = "12345678") {
  return safetensors(R"({"x":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}",
                     data);
}

std::string two(const std::string& first, const std::string& second, const std::string& data = "12345678") {
  return safetensors(R"({"x":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
                         R"(},"y":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}",
                     data);
}

const std::vector<Hostile>& hostile_files() {
  static const std::vector<Hostile> files = {
      {"empty file", "", "expected at least 8 bytes, found 0"},
      {"seven bytes", "1234567", "expected at least 8 bytes, found 7"},
      {"header of 2^60 bytes", std::string("\0\0\0\0\0\0\0\x10", 8),
       "found one of 1152921504606846976 bytes"},
      {"header of 2^64 - 1 bytes", std::string(8, '\xff'), "at most 100 MB"},
      {"header longer than the file", std::string("\x10\0\0\0\0\0\0\0{}", 10), "the file ends after 2"},
      {"no header", safetensors(""), "expected a JSON header"},
      {"no JSON", safetensors("hello"), "expected a JSON header"},
      {"cut JSON", safetensors(R"({"x":{"dtype":)"), "expected a JSON header"},
      {"text after the JSON", safetensors("{} x"), "expected a JSON header"},
      {"invalid UTF-8", safetensors("{\"\xff\":1}"), "expected a JSON header"},
      {"array", safetensors("[]"), "expected an object of tensors, found an array"},
      {"number", safetensors("7"), "expected an object of tensors, found a number"},
      {"tensor is a number", safetensors(R"({"x":7})"), "tensor \"x\": expected an object with dtype"},
      {"tensor is null", safetensors(R"({"x":null})"), "found null"},
      {"tensor is empty", safetensors(R"({"x":{}})"), "found not all of them"},
      {"no offsets", safetensors(R"({"x":{"dtype":"F32","shape":[1]}})"), "found not all of them"},
      {"unknown field", safetensors(R"({"x":{"size":1}})"), "unknown field \"size\""},
      {"unknown dtype", safetensors(R"({"x":{"dtype":"F128","shape":[],"data_offsets":[0,0]}})"),
       "unknown dtype \"F128\""},
      {"dtype is a number", safetensors(R"({"x":{"dtype":1}})"),
       "expected the name of a dtype, found a number"},
      {"field twice", safetensors(R"({"x":{"dtype":"F32","dtype":"F32"}})"), "dtype is there twice"},
      {"name twice",
       safetensors(R"({"x":{"dtype":"U8","shape":[],"data_offsets":[0,1]},)"
                   R"("x":{"dtype":"U8","shape":[],"data_offsets":[1,2]}})",
                   "ab"),
       "tensor \"x\" is there twice"},
      {"metadata twice", safetensors(R"({"__metadata__":{},"__metadata__":{}})"), "is there twice"},
      {"metadata key twice", safetensors(R"({"__metadata__":{"a":"b","a":"c"}})"), "\"a\" is there twice"},
      {"metadata is a list", safetensors(R"({"__metadata__":[]})"), "__metadata__: expected strings by name"},
      {"metadata has a number", safetensors(R"({"__metadata__":{"a":1}})"), "__metadata__: expected strings"},
      {"metadata is nested", safetensors(R"({"__metadata__":{"a":{}}})"), "__metadata__: expected strings"},
      {"depth bomb of arrays", safetensors(std::string(1'000'000, '[')), "found an array"},
      {"depth bomb in a shape", safetensors(R"({"x":{"shape":)" + std::string(1'000'000, '[')),
       "found an array"},
      {"depth bomb of objects",
       [] {
         std::string bomb = R"({"x":)";
         for (int i = 0; i < 100'000; ++i) bomb += R"({"dtype":)";
         return safetensors(bomb);
       }(),
       "found an object"},
      {"NaN in the shape", one("[NaN]", "[0,8]"), "expected a JSON header"},
      {"fraction in the shape", one("[1.5]", "[0,8]"), "found the number 1.5"},
      {"exponent in the shape", one("[2e0]", "[0,8]"), "found the number 2e0"},
      {"negative shape", one("[-2]", "[0,8]"), "found the number -2"},
      {"shape above 2^63", one("[9223372036854775808]", "[0,8]"), "found the number 9223372036854775808"},
      {"shape above 2^64", one("[99999999999999999999999]", "[0,8]"),
       "found the number 99999999999999999999999"},
      {"shape is text", one("\"2\"", "[0,8]"), "found a string"},
      {"shape is a number", one("2", "[0,8]"), "found a number"},
      {"truth value in the shape", one("[true]", "[0,8]"), "found a truth value"},
      {"product of the shape overflows", one("[4294967296,4294967296]", "[0,8]"), "more than 2^64 bytes"},
      {"product overflows to the right size", one("[4611686018427387904,4,2]", "[0,8]"),
       "more than 2^64 bytes"},
      {"bytes overflow", one("[9223372036854775807]", "[0,8]"), "more than 2^64 bytes"},
      {"one hundred dimensions",
       [] {
         std::string shape = "[1";
         for (int i = 0; i < 100; ++i) shape += ",1";
         return one(shape + "]", "[0,4]");
       }(),
       "more than 64 dimensions"},
      {"range beyond the file", one("[4]", "[0,16]"),
       "expected a range within its 8 bytes of data, found 0 to 16"},
      {"range far beyond the file", one("[2]", "[18446744073709551608,18446744073709551615]"),
       "a range within"},
      {"range backwards", one("[2]", "[8,0]"), "found 8 to 0"},
      {"negative range", one("[2]", "[-8,0]"), "expected two data_offsets from 0, found the number -8"},
      {"fraction in the range", one("[2]", "[0,8.0]"), "found the number 8.0"},
      {"one offset", one("[2]", "[0]"), "expected two data_offsets, found 1"},
      {"three offsets", one("[2]", "[0,8,8]"), "expected two data_offsets, found more"},
      {"range of another size", one("[1]", "[0,8]"), "its shape takes 4 bytes, its range has 8"},
      {"same range twice", two("[0,4]", "[0,4]"), "overlaps"},
      {"overlap", two("[0,4]", "[2,6]"), "overlaps"},
      {"gap", two("[0,4]", "[5,9]", "123456789"), "leaves a gap"},
      {"gap at the front", two("[1,5]", "[5,9]", "123456789"), "leaves a gap"},
      {"bytes after the last tensor", two("[0,4]", "[4,8]", "123456789"),
       "expected 8 bytes of data, found 9"},
      {"data without tensors", safetensors("{}", "x"), "expected 0 bytes of data, found 1"},
      {"control characters in a name", safetensors("{\"a\\n\\u001b[31m\":7}"), "tensor \"a??[31m\""},
      {"name of a megabyte", safetensors("{\"" + std::string(1'000'000, 'n') + "\":7}"), "nnn...\""},
  };
  return files;
}

TEST(Safetensors, HostileFilesAreRefused) {
  for (const Hostile& hostile : hostile_files()) {
    SCOPED_TRACE(hostile.title);
    expect_error(ErrorCode::WrongType, hostile.part, [&] { parse(hostile.file); });
    // On disk too, where a read outside the mapping would end the process.
    const test::TemporaryDirectory directory;
    const auto path = directory.write("x.safetensors", hostile.file);
    expect_error(ErrorCode::WrongType, hostile.part, [&] { SafetensorsFile::open(path); });
  }
}

TEST(Safetensors, FuzzCorpusGivesAnErrorOrSoundTensors) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(FUZZ_CORPUS "/safetensors")) {
    SCOPED_TRACE(entry.path());
    ++files;
    try {
      const SafetensorsFile file = SafetensorsFile::open(entry.path());
      for (const auto& [name, tensor] : file.tensors()) {
        int64_t count = 1;
        for (const int64_t dimension : tensor.shape) count *= dimension;
        EXPECT_EQ(tensor.data.size(), count * size_of(tensor.dtype)) << name;
      }
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(ErrorCode::WrongType));
    }
  }
  EXPECT_GT(files, 20U);
}

TEST(Safetensors, MissingFileAndDirectory) {
  const test::TemporaryDirectory directory;
  expect_error(ErrorCode::NotFound,
               "none.safetensors: expected a safetensors file, cannot open it (No such file",
               [&] { SafetensorsFile::open(directory.path() / "none.safetensors"); });
  expect_error(ErrorCode::WrongType, "found no regular file",
               [&] { SafetensorsFile::open(directory.path()); });
}

TEST(Safetensors, ViewsOutliveTheirObjectsCopies) {
  const test::TemporaryDirectory directory;
  const auto path = directory.write("x.safetensors", one("[2]", "[0,8]"));
  std::optional<SafetensorsFile> first = SafetensorsFile::open(path);
  const SafetensorsFile second = *first;
  first.reset();
  EXPECT_EQ(std::memcmp(second.find("x")->data.data(), "12345678", 8), 0);
}

TEST(WriteSafetensors, RoundTrip) {
  const test::TemporaryDirectory directory;
  const auto path = directory.path() / "out.safetensors";
  const std::string mask("\1\0\1", 3);
  const std::vector<double> values = {1.5, -2};
  const std::vector<TensorToWrite> tensors = {
      {"mask \"quoted\" \xc3\xa9", Dtype::U8, {3}, bytes_of(mask)},
      {"values", Dtype::F64, {1, 2}, std::as_bytes(std::span(values))},
      {"nothing", Dtype::I64, {0}, {}}};
  write_safetensors(path, tensors);
  const SafetensorsFile file = SafetensorsFile::open(path);
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const TensorToWrite& tensor : tensors) {
    const TensorView* view = file.find(tensor.name);
    ASSERT_NE(view, nullptr) << tensor.name;
    EXPECT_EQ(view->dtype, tensor.dtype);
    EXPECT_EQ(view->shape, tensor.shape);
    EXPECT_TRUE(std::ranges::equal(view->data, tensor.data));
  }
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.find("values")->data.data()) % alignof(double), 0U);
}

TEST(WriteSafetensors, ReplacesAFileAndLeavesNothingElse) {
  const test::TemporaryDirectory directory;
  const auto path = directory.write("out.safetensors", "old");
  write_safetensors(path, {});
  EXPECT_TRUE(SafetensorsFile::open(path).tensors().empty());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(WriteSafetensors, FailuresLeaveNothing) {
  const test::TemporaryDirectory directory;
  expect_error(ErrorCode::NotFound, "cannot be written (No such file or directory)",
               [&] { write_safetensors(directory.path() / "none" / "out.safetensors", {}); });
  std::filesystem::create_directory(directory.path() / "taken");
  expect_error(ErrorCode::Failed, "taken: cannot be written",
               [&] { write_safetensors(directory.path() / "taken", {}); });
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

}  // namespace
}  // namespace moshi::checkpoint
