// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * The error that an answer of the server stands for. `status` is its status, `seconds` after how many another attempt may go better,
 * `unreachable` whether there is nothing to call at this address, `final` whether no attempt will.
 */
export async function refusalOf(response) {
  const text = await response.text();
  const {status} = response;
  return Object.assign(new Error(lineOf(text) || `The server answered ${status}.`), {
    status,
    seconds: Number(response.headers.get("Retry-After")),
    unreachable: [404, 405, 501].includes(status),
    final: status >= 400 && status < 500 && status !== 429});
}

/** The detail of a problem (RFC 9457), or what else the server wrote. */
function lineOf(text) {
  try {
    return JSON.parse(text).detail;
  } catch {
    return text.trim();
  }
}
