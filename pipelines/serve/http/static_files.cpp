// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/http/static_files.h"

#include <gio/gio.h>

#include <algorithm>
#include <filesystem>

#include "serve/http/answer.h"

namespace serve {
namespace {

namespace fs = std::filesystem;

/// The file that a request's path means, empty where it is none below the directory.
fs::path file_of(const fs::path& directory, const std::string& path) {
  std::error_code error;
  const fs::path root = fs::canonical(directory, error);
  if (error) return {};
  fs::path file = fs::weakly_canonical(root / fs::path(path).relative_path(), error);
  if (error) return {};
  if (fs::is_directory(file, error)) file /= "index.html";
  const bool below = std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first == root.end();
  return below && fs::is_regular_file(file, error) ? file : fs::path();
}

std::string type_of(const fs::path& file) {
  // What browsers insist on, whatever this system's database says.
  const std::string ending = file.extension().string();
  if (ending == ".wasm") return "application/wasm";
  if (ending == ".js" || ending == ".mjs") return "text/javascript; charset=utf-8";
  gchar* guessed = g_content_type_guess(file.c_str(), nullptr, 0, nullptr);
  gchar* type = g_content_type_get_mime_type(guessed);
  std::string result = type != nullptr ? type : "application/octet-stream";
  g_free(guessed);
  g_free(type);
  return result;
}

}  // namespace

void answer_static(SoupServerMessage* message, const std::string& directory, const std::string& path) {
  const std::string method = soup_server_message_get_method(message);
  if (method != "GET" && method != "HEAD") {
    answer_line(message, SOUP_STATUS_METHOD_NOT_ALLOWED, "expected GET or HEAD, found " + method);
    return;
  }
  const fs::path file = directory.empty() ? fs::path() : file_of(directory, path);
  gchar* bytes = nullptr;
  gsize size = 0;
  if (file.empty() || g_file_get_contents(file.c_str(), &bytes, &size, nullptr) == FALSE) {
    answer_line(message, SOUP_STATUS_NOT_FOUND, "there is nothing at this address");
    return;
  }
  soup_server_message_set_status(message, SOUP_STATUS_OK, nullptr);
  soup_server_message_set_response(message, type_of(file).c_str(), SOUP_MEMORY_TAKE, bytes, size);
}

}  // namespace serve
