// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

const kAnswerSeconds = 5;

/** What /api/status says, with `full`, and `roundTrip` in seconds. */
export async function serverStatus() {
  const asked = performance.now();
  const answer = await fetch("api/status", {cache: "no-store", signal: AbortSignal.timeout(kAnswerSeconds * 1000)});
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  const roundTrip = (performance.now() - asked) / 1000;
  const status = await answer.json();
  return {...status, full: status.slots_used >= status.slots_total, roundTrip};
}
