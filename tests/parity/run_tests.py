# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs pytest on a file of parity tests; exit status 77 (skipped) where the reference is not installed."""

import importlib.util
import sys

NEEDED = ["moshi", "torch", "safetensors", "sentencepiece", "numpy", "pytest", "sphn"]

if __name__ == "__main__":
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: the reference is not installed ({', '.join(missing)}): run scripts/setup --tests")
        sys.exit(77)
    import pytest
    sys.exit(pytest.main([
        "-q", "-p", "no:cacheprovider", "-p", "no:logging", "-W", "ignore::DeprecationWarning", *sys.argv[1:]]))
