# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Milliseconds a frame of the codec at the published size, one thread each: ours, rustymimi's and the reference's.

  GST_MOSHI=build/pipelines/gst-moshi .venv/bin/python tests/parity/speed.py [FRAMES]
"""

import json
import statistics
import sys
import tempfile
import time

import numpy as np
import rustymimi
import torch

import reference
from harness import TOOL, checkpoint, run, spoken
from presets import LM

WARM_UP = 5


def measure(encode, decode, frames):
    """Medians of encode(pcm frame) -> codes and decode(codes), in milliseconds."""
    encoding, decoding = [], []
    for frame in frames:
        start = time.perf_counter()
        codes = encode(frame)
        middle = time.perf_counter()
        decode(codes)
        encoding.append(middle - start)
        decoding.append(time.perf_counter() - middle)
    return [1000 * statistics.median(times[WARM_UP:]) for times in (encoding, decoding)]


@torch.no_grad()
def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    model = checkpoint("mimi_published")
    frames = list(spoken(30.03)[1].numpy()[:count * 1920].reshape(-1, 1, 1, 1920))

    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:  # it names no codec: the published one
        json.dump(LM["moshi7b_small"] | {"card": 2048}, config, indent=1)
        config.flush()
        ours = json.loads(run(
            [TOOL, "bench", "--random-weights", config.name, "--device", "cpu", "--frames", count, "--json"]))
    results = {"ours": [ours["batches"][0][stage]["median_ms"] for stage in ("encode", "decode")]}

    tokenizer = rustymimi.Tokenizer(str(model / "mimi.safetensors"), num_codebooks=8)
    results["rustymimi"] = measure(tokenizer.encode_step, tokenizer.decode_step, frames)

    mimi = reference.checkpoint(model).get_mimi()
    mimi.set_num_codebooks(8)
    mimi.streaming_forever(1)
    results["reference"] = measure(mimi.encode, mimi.decode, [torch.from_numpy(frame) for frame in frames])

    for name, (encoding, decoding) in results.items():
        ratio = (encoding + decoding) / sum(results["ours"])
        print(f"{name:10} encode {encoding:6.1f} ms  decode {decoding:6.1f} ms  sum {encoding + decoding:6.1f} ms"
              f"  {ratio:.2f} times ours")


if __name__ == "__main__":
    main()
