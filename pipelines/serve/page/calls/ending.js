// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

/** Endings for which another attempt would be no better. */
const kFinal = {
  steps: "The conversation has had its steps.",
  too_long: "The conversation has had its time.",
  idle: "The server heard nothing for too long.",
  too_much: "The server was sent more than speech needs.",
  bad_input: "The server was sent something else than speech.",
};
const kPassing = {
  stopping: "The server is about to stop.",
  failed: "The server met with an error.",
  not_reading: "This page did not keep up with the server.",
};

/** Call's `end`, {reason, again}, for an ending that the server names, or for none. */
export function endingOf(name) {
  return {reason: kFinal[name] ?? kPassing[name] ?? "The connection was lost.", again: !(name in kFinal)};
}
