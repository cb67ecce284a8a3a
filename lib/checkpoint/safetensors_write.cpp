// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "checkpoint/safetensors.h"
#include "checkpoint/text_file.h"
#include "moshi/moshi.h"

namespace moshi::checkpoint {
namespace {

/// A new file beside `target` that takes its name when committed and vanishes otherwise.
class NewFile {
 public:
  explicit NewFile(const std::filesystem::path& target) : target_(target), path_(target) {
    static std::atomic<unsigned> count = 0;
    path_ += "." + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".part";
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0)
      throw Error(errno == ENOENT || errno == ENOTDIR ? ErrorCode::NotFound : ErrorCode::Failed, problem());
  }
  ~NewFile() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw Error(ErrorCode::Failed, problem());
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }
  void commit() {
    if (::fsync(descriptor_) != 0 || std::rename(path_.c_str(), target_.c_str()) != 0)
      throw Error(ErrorCode::Failed, problem());
    ::close(std::exchange(descriptor_, -1));
  }

 private:
  [[nodiscard]] std::string problem() const {
    return printable_path(target_) + ": cannot be written (" + std::strerror(errno) +
           "); check the directory, its permissions and free space";
  }

  std::filesystem::path target_;
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// Header, length included, padded to 8 bytes; `tensors` in the order of their data.
std::string header_of(const std::vector<const TensorToWrite*>& tensors) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  size_t offset = 0;
  for (const TensorToWrite* tensor : tensors) {
    header[tensor->name] = {{"dtype", name_of(tensor->dtype)},
                            {"shape", tensor->shape},
                            {"data_offsets", {offset, offset + tensor->data.size()}}};
    offset += tensor->data.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string length(8, '\0');
  for (size_t i = 0; i < length.size(); ++i) length[i] = static_cast<char>(text.size() >> (8 * i) & 0xFF);
  return length + text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const TensorToWrite> tensors) {
  std::vector<const TensorToWrite*> ordered;
  for (const TensorToWrite& tensor : tensors) ordered.push_back(&tensor);
  // Wide elements first: every tensor is then aligned to its element.
  std::stable_sort(ordered.begin(), ordered.end(), [](const TensorToWrite* a, const TensorToWrite* b) {
    return size_of(a->dtype) > size_of(b->dtype);
  });
  const std::string header = header_of(ordered);
  NewFile file(path);
  file.write(std::as_bytes(std::span(header)));
  for (const TensorToWrite* tensor : ordered) file.write(tensor->data);
  file.commit();
}

}  // namespace moshi::checkpoint
