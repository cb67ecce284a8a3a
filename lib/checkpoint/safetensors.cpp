// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "checkpoint/safetensors_header.h"
#include "checkpoint/text_file.h"
#include "moshi/moshi.h"

namespace moshi::checkpoint {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // The limit of the format's own library.

uint64_t little_endian_64(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) value |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
  return value;
}

/// An open file descriptor.
class File {
 public:
  explicit File(const std::filesystem::path& path) : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0)
      throw Error(ErrorCode::NotFound,
                  printable_path(path) + ": expected a safetensors file, cannot open it (" +
                      std::strerror(errno) + "); download the whole model or check its directory");
  }
  ~File() { ::close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

/// Maps all of a regular file, for reading from front to back.
std::pair<std::shared_ptr<const void>, size_t> map(const std::filesystem::path& path) {
  const File file(path);
  struct stat status {};
  if (::fstat(file.descriptor(), &status) != 0 || !S_ISREG(status.st_mode))
    throw Error(ErrorCode::WrongType,
                printable_path(path) + ": expected a safetensors file, found no regular file");
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return {nullptr, 0};
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (address == MAP_FAILED)
    throw Error(ErrorCode::Failed,
                printable_path(path) + ": cannot be mapped (" + std::strerror(errno) + ")");
  ::madvise(address, size, MADV_SEQUENTIAL);
  return {
      std::shared_ptr<const void>(address, [size](const void* p) { ::munmap(const_cast<void*>(p), size); }),
      size};
}

}  // namespace

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  auto [mapping, size] = map(path);
  SafetensorsFile file = parse({static_cast<const std::byte*>(mapping.get()), size}, printable_path(path));
  file.mapping_ = std::move(mapping);
  return file;
}

SafetensorsFile SafetensorsFile::parse(std::span<const std::byte> bytes, const std::string& name) {
  if (bytes.size() < kLengthBytes)
    damaged(name, "expected at least 8 bytes, found " + std::to_string(bytes.size()));
  const uint64_t header_bytes = little_endian_64(bytes);
  if (header_bytes > kMaxHeaderBytes)
    damaged(name,
            "expected a header of at most 100 MB, found one of " + std::to_string(header_bytes) + " bytes");
  const auto rest = bytes.subspan(kLengthBytes);
  if (header_bytes > rest.size())
    damaged(name, "expected a header of " + std::to_string(header_bytes) + " bytes, the file ends after " +
                      std::to_string(rest.size()));
  const auto data = rest.subspan(header_bytes);
  Header header = parse_header({reinterpret_cast<const char*>(rest.data()), header_bytes}, data.size(), name);

  SafetensorsFile file;
  file.metadata_ = std::move(header.metadata);
  for (HeaderEntry& entry : header.entries)
    file.tensors_[std::move(entry.name)] = {entry.dtype, std::move(entry.shape),
                                            data.subspan(entry.begin, entry.end - entry.begin)};
  return file;
}

const TensorView* SafetensorsFile::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

}  // namespace moshi::checkpoint
