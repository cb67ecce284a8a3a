# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs every command a document prints: its ```sh blocks, in order, in one shell, in a directory that
looks like the project's root. A block is left out only where a comment before it says why.

usage: run_commands.py SOURCE_ROOT BUILD_DIR DOCUMENT"""
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"(<!-- not run by the tests: (?P<reason>[^>]+) -->\n)?```sh\n(?P<body>.*?)```", re.DOTALL)


def main() -> int:
    root, build, document = map(pathlib.Path, sys.argv[1:])
    blocks = list(BLOCK.finditer(document.read_text(encoding="utf-8")))
    script = "set -eu\n"
    for block in blocks:
        if block["reason"]:
            print(f"left out ({block['reason']}): {block['body'].strip()}")
        else:
            script += "set -x\n" + block["body"] + "{ set +x; } 2>/dev/null\n"
    if not blocks:
        print(f"{document}: no ```sh block")
        return 1
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        for entry in root.iterdir():
            if not entry.name.startswith("build"):
                (place / entry.name).symlink_to(entry)
        (place / "build").mkdir()
        for entry in build.iterdir():
            (place / "build" / entry.name).symlink_to(entry)
        return subprocess.run(["bash", "-c", script], cwd=place, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
