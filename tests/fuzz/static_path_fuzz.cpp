// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
//
// Whatever path is asked for, nothing outside of the directory that is served is found.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>

#include "serve/http/static_files.h"

namespace {

namespace fs = std::filesystem;

/// A directory with files of the corpus' names in and beside it, and links out of it and within it.
class Place {
 public:
  Place() {
    fs::create_directories(page() / "deep");
    for (const fs::path& file :
         {place_ / "secret", place_ / "page2", page() / "index.html", page() / "deep" / "a.js"}) {
      std::ofstream(file) << "x";
    }
    fs::create_symlink("../secret", page() / "out");
    fs::create_symlink("..", page() / "up");
    fs::create_symlink("deep", page() / "in");
  }
  ~Place() { fs::remove_all(place_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  [[nodiscard]] fs::path page() const { return place_ / "page"; }

 private:
  fs::path place_ =
      fs::canonical(fs::temp_directory_path()) / ("static_path_fuzz-" + std::to_string(getpid()));
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Place place;
  // A path is a C string by the time it is looked for.
  const std::string path(data, std::find(data, data + size, 0));
  const fs::path found = serve::file_below(place.page(), path);
  if (found.empty()) return 0;
  const bool below = fs::canonical(found).string().starts_with(place.page().string() + "/");
  if (!below || !fs::is_regular_file(found)) std::abort();
  return 0;
}
