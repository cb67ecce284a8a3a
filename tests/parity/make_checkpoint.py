# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes a random checkpoint in the published layout: make_checkpoint.py PRESET OUTDIR."""

import argparse

from checkpoints import NAMINGS, write_checkpoint
from presets import LM, MIMI

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("preset", choices=[*LM, *MIMI])
    parser.add_argument("directory")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--naming", choices=list(NAMINGS), default="packed")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--absolute-urls", action="store_true")
    args = parser.parse_args()
    write_checkpoint(
        args.preset, args.directory, args.seed, args.dtype, args.naming, args.shards, args.absolute_urls)
