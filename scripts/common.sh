# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
# What the scripts here share; sourced from the project's root.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
fail() { say "$*"; exit 1; }

# Runs a command, says what it does and how long it took.
step() {
  local title=$1 start=$SECONDS
  shift
  say "$title ..."
  "$@" || fail "$title failed (exit status $?)"
  say "done in $((SECONDS - start)) s"
}

# Compiles everything, and says so on stderr as all else here. A file that includes LibTorch takes about 2 GB of memory while it compiles.
build() {
  local memory_jobs jobs
  memory_jobs=$(awk '/MemAvailable/ { print int($2 / 2000000) }' /proc/meminfo)
  jobs=$(nproc)
  ((memory_jobs < jobs)) && jobs=$memory_jobs
  ((jobs < 1)) && jobs=1
  ninja -C build -j "$jobs" "$@" >&2
}
