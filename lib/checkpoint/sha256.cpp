// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "checkpoint/sha256.h"

#include <glib.h>

namespace moshi::checkpoint {
namespace {

GChecksum* checksum(const std::shared_ptr<void>& pointer) { return static_cast<GChecksum*>(pointer.get()); }

}  // namespace

Sha256::Sha256()
    : checksum_(g_checksum_new(G_CHECKSUM_SHA256),
                [](void* pointer) { g_checksum_free(static_cast<GChecksum*>(pointer)); }) {}

void Sha256::update(std::span<const std::byte> bytes) {
  g_checksum_update(checksum(checksum_), reinterpret_cast<const guchar*>(bytes.data()),
                    static_cast<gssize>(bytes.size()));
}

void Sha256::update(std::string_view text) { update(std::as_bytes(std::span(text))); }

std::string Sha256::hex() { return g_checksum_get_string(checksum(checksum_)); }

std::string sha256_hex(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.hex();
}

}  // namespace moshi::checkpoint
