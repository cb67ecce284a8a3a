#!/usr/bin/env bash
# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#
# run_demo.sh SOURCE_ROOT BUILD_DIR: scripts/demo answers the shipped questions, in speech as long as they are.
set -euo pipefail
root=$1 build=$2
if [ "$build" != "$root/build" ]; then
  echo "skipped: the demo would build in $root/build, this is $build"
  exit 77
fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
rm -f "$build/pipelines/gst-moshi"  # It builds what is not there; its words are all it says on stdout.
"$root/scripts/demo" >words.txt
[ "$(awk '{ print $3 }' words.txt | xargs)" = "the capital is paris that makes twelve" ]
# 9.36 s of question are 118 frames of 1920 samples of 2 bytes, after a header of at least 44.
[ "$(wc -c <reply.wav)" -ge $((118 * 1920 * 2 + 44)) ]
# The picture beside it, of which the README shows one with the same words.
said() { grep -o '>[^<]*</text>' "$1"; }
[ "$(said reply.svg)" = "$(said "$root/docs/session.svg")" ]
# Other files, named from where the user is.
cp "$root/examples/question.wav" mine.wav
"$root/scripts/demo" mine.wav answer.wav >/dev/null
cmp reply.wav answer.wav
cmp reply.svg answer.svg && exit 1  # The question's words are not known under another name.
[ "$(said answer.svg | wc -l)" -lt "$(said reply.svg | wc -l)" ]
