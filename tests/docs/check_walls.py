# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""The walls between the rooms (docs/architecture.md): who may include and link what.

usage: check_walls.py SOURCE_ROOT LIBMOSHI CUDA(true|false)"""
import pathlib
import re
import subprocess
import sys

ROOMS = ("lib", "plugins", "pipelines", "tests", "scripts", "tools", "examples", "docs", ".ci", "models")
CODE = {".cpp", ".h", ".cu", ".cuh"}
TEXT = CODE | {"", ".py", ".md", ".txt", ".build", ".sh", ".json"}
LONGEST_FILE = 450

TORCH = r"torch/|ATen/|c10/"
CUDA = r"cuda|cublas|cudnn|nccl"
GSTREAMER = r"gst/"
# A file's place, and what it must not include.
WALLS = (
    (r"(plugins|pipelines|examples)/.*", f"{TORCH}|{CUDA}"),
    (r"lib/.*", GSTREAMER),
    (r"lib/.*\.cuh?", TORCH),
    (r"lib/(checkpoint|text)/.*", f"{TORCH}|{CUDA}"),
    (r"lib/include/.*", f"{TORCH}|{CUDA}|nlohmann|sentencepiece"),
)
# Brackets keep this file from finding itself.
OUTSIDE = re.compile(r"/w[o]rk/|/r[o]ot/|/h[o]me/|\.\./sh[a]red|/opt/wh[e]els")
UNFINISHED = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X)\b")


def problems(root: pathlib.Path) -> list[str]:
    found = []
    files = [path for room in ROOMS for path in sorted((root / room).rglob("*"))]
    files += [path for path in sorted(root.iterdir())]
    for path in files:
        if not path.is_file() or path.suffix not in TEXT or "__pycache__" in path.parts:
            continue
        name = path.relative_to(root).as_posix()
        lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
        includes = [line for line in lines if re.match(r"\s*#\s*include", line)]
        for place, forbidden in WALLS:
            if path.suffix in CODE and re.fullmatch(place, name):
                pattern = rf"#\s*include\s*[<\"]({forbidden})"
                found += [f"{name}: {line.strip()}" for line in includes if re.search(pattern, line)]
        for number, line in enumerate(lines, 1):
            if OUTSIDE.search(line):
                found.append(f"{name}:{number}: a path outside the project: {line.strip()}")
            if UNFINISHED.search(line):
                found.append(f"{name}:{number}: unfinished: {line.strip()}")
        if path.suffix in CODE and len(lines) > LONGEST_FILE:
            found.append(f"{name}: {len(lines)} lines, more than {LONGEST_FILE}: would two files be clearer?")
    return found


def library_problems(libmoshi: str, cuda: bool) -> list[str]:
    """CUDA's backend registers itself when loaded, so nothing else would say that it is missing; an
    installation for the CPU cannot load it."""
    dynamic = subprocess.run(["readelf", "-d", libmoshi], check=True, capture_output=True, text=True).stdout
    found = [] if "[libtorch_cpu.so]" in dynamic else [f"{libmoshi}: does not need libtorch_cpu.so"]
    if ("[libtorch_cuda.so]" in dynamic) != cuda:
        found.append(f"{libmoshi}: {'does not need' if cuda else 'needs'} libtorch_cuda.so")
    if "[libtorch.so]" in dynamic:
        found.append(f"{libmoshi}: needs libtorch.so, which needs libtorch_cuda.so")
    return found


if __name__ == "__main__":
    root, libmoshi, cuda = sys.argv[1:]
    found = problems(pathlib.Path(root)) + library_problems(libmoshi, cuda == "true")
    print("\n".join(found))
    sys.exit(1 if found else 0)
