# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Helps scripts/test: `names FILTER` picks test names from `meson introspect --tests` on stdin,
`counts testlog.json` prints the closing line."""
import collections
import json
import sys

RESULTS = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}


def names(part: str) -> None:
    for test in json.load(sys.stdin):
        if part in test["name"] or any(part in suite for suite in test["suite"]):
            print(test["name"])


def counts(path: str) -> None:
    with open(path, encoding="utf-8") as log:
        found = collections.Counter(RESULTS.get(json.loads(line)["result"], "failed") for line in log)
    print(", ".join(f"{found[kind]} {kind}" for kind in ("passed", "failed", "skipped")))


if __name__ == "__main__":
    {"names": names, "counts": counts}[sys.argv[1]](sys.argv[2])
