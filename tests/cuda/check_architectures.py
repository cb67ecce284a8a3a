# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Every kernel of a built file has machine code for each architecture, and PTX for those to come.

usage: check_architectures.py ARCHITECTURES FILE...   (sm_75,...,compute_120)"""
import pathlib
import re
import subprocess
import sys

SECTION = re.compile(r"Fatbin (elf|ptx) code:\n=+\narch = (sm_\d+)")
KERNEL = re.compile(r"STO_ENTRY\s+(\S+)")


def find_cuobjdump():
    for base in sys.path:
        path = pathlib.Path(base, "nvidia/cu13/bin/cuobjdump")
        if path.exists():
            return path
    print("skipped: no cuobjdump here: run scripts/setup --tests")
    sys.exit(77)


def problems(cuobjdump, path, wanted):
    """One line for each architecture that lacks something."""
    done = subprocess.run([cuobjdump, "-symbols", path], capture_output=True, text=True)
    if done.returncode != 0:
        return [f"{path}: {done.stderr.strip()}"]
    kernels, ptx = {}, set()
    pieces = SECTION.split(done.stdout)
    for kind, architecture, text in zip(pieces[1::3], pieces[2::3], pieces[3::3]):
        if kind == "ptx":
            ptx.add(architecture.replace("sm", "compute"))
        else:
            kernels.setdefault(architecture, set()).update(KERNEL.findall(text))
    every = set().union(*kernels.values())
    print(f"{path}: {len(every)} kernels, {' '.join(sorted(kernels))}, PTX {' '.join(sorted(ptx))}")
    lines = [] if every else [f"{path}: expected kernels, found none"]
    for architecture in wanted:
        if architecture.startswith("compute"):
            if architecture not in ptx:
                lines.append(f"{path}: expected PTX for {architecture}, found none")
        else:
            lines += [f"{path}: expected {name} for {architecture}, found none"
                      for name in sorted(every - kernels.get(architecture, set()))]
    return lines


def main():
    wanted, cuobjdump = sys.argv[1].split(","), find_cuobjdump()
    lines = [line for path in sys.argv[2:] for line in problems(cuobjdump, path, wanted)]
    print("\n".join(lines))
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
