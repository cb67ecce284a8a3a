// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "serve/http/static_files.h"

#include <gio/gio.h>

#include <algorithm>
#include <filesystem>

#include "serve/http/answer.h"

namespace serve {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPage = "/gst-moshi/page";
/// The page runs its own code alone, and nobody frames it.
constexpr const char* kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string type_of(const fs::path& file) {
  // What browsers insist on, whatever this system's database says.
  const std::string ending = file.extension().string();
  if (ending == ".html") return "text/html; charset=utf-8";
  if (ending == ".css") return "text/css; charset=utf-8";
  if (ending == ".js" || ending == ".mjs") return "text/javascript; charset=utf-8";
  if (ending == ".svg") return "image/svg+xml";
  if (ending == ".wasm") return "application/wasm";
  gchar* guessed = g_content_type_guess(file.c_str(), nullptr, 0, nullptr);
  gchar* type = g_content_type_get_mime_type(guessed);
  std::string result = type != nullptr ? type : "application/octet-stream";
  g_free(guessed);
  g_free(type);
  return result;
}

/// Answers with `bytes`, which may be null: there is no such file.
void answer_bytes(SoupServerMessage* message, GBytes* bytes, const std::string& type) {
  if (bytes == nullptr) {
    answer_problem(message, SOUP_STATUS_NOT_FOUND, "there is nothing at this address");
    return;
  }
  soup_server_message_set_status(message, SOUP_STATUS_OK, nullptr);
  SoupMessageHeaders* headers = soup_server_message_get_response_headers(message);
  soup_message_headers_set_content_type(headers, type.c_str(), nullptr);
  soup_message_headers_replace(headers, "X-Content-Type-Options", "nosniff");
  soup_message_body_append_bytes(soup_server_message_get_response_body(message), bytes);
  g_bytes_unref(bytes);
}

void answer_file(SoupServerMessage* message, const fs::path& file) {
  gchar* contents = nullptr;
  gsize size = 0;
  const bool read = !file.empty() && g_file_get_contents(file.c_str(), &contents, &size, nullptr) != FALSE;
  answer_bytes(message, read ? g_bytes_new_take(contents, size) : nullptr, type_of(file));
}

void answer_page(SoupServerMessage* message, const std::string& path) {
  SoupMessageHeaders* headers = soup_server_message_get_response_headers(message);
  soup_message_headers_replace(headers, "Content-Security-Policy", kPagePolicy);
  soup_message_headers_replace(headers, "Permissions-Policy", "microphone=(self), camera=(), geolocation=()");
  soup_message_headers_replace(headers, "Cross-Origin-Opener-Policy", "same-origin");
  soup_message_headers_replace(headers, "Cross-Origin-Resource-Policy", "same-origin");
  soup_message_headers_replace(headers, "Referrer-Policy", "no-referrer");
  soup_message_headers_replace(headers, "Cache-Control", "no-cache");
  const std::string file = path == "/" ? "/index.html" : path;
  answer_bytes(message,
               g_resources_lookup_data((kPage + file).c_str(), G_RESOURCE_LOOKUP_FLAGS_NONE, nullptr),
               type_of(file));
}

}  // namespace

fs::path file_below(const fs::path& directory, const std::string& path) {
  std::error_code error;
  const fs::path root = fs::canonical(directory, error);
  if (error) return {};
  fs::path file = root / fs::path(path).relative_path();
  if (fs::is_directory(file, error)) file /= "index.html";
  file = fs::canonical(file, error);
  if (error) return {};
  const bool below = std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first == root.end();
  return below && fs::is_regular_file(file, error) ? file : fs::path();
}

void answer_static(SoupServerMessage* message, const std::string& directory, const std::string& path) {
  const std::string method = soup_server_message_get_method(message);
  if (method != "GET" && method != "HEAD") {
    answer_problem(message, SOUP_STATUS_METHOD_NOT_ALLOWED, "expected GET or HEAD, found " + method);
  } else if (directory == kNoFiles) {
    answer_bytes(message, nullptr, "");
  } else if (directory.empty()) {
    answer_page(message, path);
  } else {
    answer_file(message, file_below(directory, path));
  }
}

}  // namespace serve
