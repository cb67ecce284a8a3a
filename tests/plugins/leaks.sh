#!/bin/sh
# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#
# Runs a command under GStreamer's leak tracer: it must succeed, and nothing may be alive at its end.
set -eu
trace=$(mktemp)
trap 'rm -f "$trace"' EXIT
GST_TRACERS=leaks GST_DEBUG=GST_TRACER:7 GST_DEBUG_FILE="$trace" "$@"
# The tracer describes its record once, with the formats of the values in it.
grep -q 'object-alive.*%p' "$trace" || { echo "the leak tracer did not run"; exit 1; }
if grep 'object-alive, ' "$trace" | grep -v '%p'; then
  echo "objects above are still alive"
  exit 1
fi
