#!/bin/sh
# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#
# gst-inspect-1.0 shows the plugin and each of its elements without a word of complaint.
set -eu
for name in moshi mimienc moshilm mimidec rtpmimipay rtpmimidepay; do
  messages=$(gst-inspect-1.0 "$name" 2>&1 >/dev/null) || { echo "gst-inspect-1.0 $name failed: $messages"; exit 1; }
  if [ -n "$messages" ]; then
    echo "gst-inspect-1.0 $name says: $messages"
    exit 1
  fi
done
