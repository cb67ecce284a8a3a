# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""What elements declare as their latency is what GStreamer's latency tracer finds them to take."""
import os
import re
import subprocess

SECONDS = 16
CHUNK_MS = 2  # The tracer sees a frame begin with its first chunk's end.
TOLERANCE_MS = 10
STARTING_FRAMES = 20  # They have waited for the model.
ELEMENTS = ("mimienc", "moshilm", "mimidec")
PIPELINE = f"""audiotestsrc is-live=true wave=ticks num-buffers={SECONDS * 1000 // CHUNK_MS}
    samplesperbuffer={24 * CHUNK_MS} ! audio/x-raw,rate=24000,channels=1
    ! mimienc name=mimienc ! moshilm name=moshilm ! mimidec name=mimidec ! fakesink"""
RECORD = re.compile(r": (element-latency|element-reported-latency), .*element=\(string\)(\w+), .*"
                    r"(?:time|min)=\(guint64\)(\d+)")


def traced(path):
    """Milliseconds of each element in the order of their time: {element: (taken, declared)}."""
    env = {**os.environ, "GST_TRACERS": "latency(flags=element+reported)", "GST_DEBUG": "GST_TRACER:7",
           "GST_DEBUG_FILE": str(path), "GST_DEBUG_NO_COLOR": "1"}
    done = subprocess.run(["gst-launch-1.0", *PIPELINE.split()], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    times = {name: ([], []) for name in ELEMENTS}
    for kind, name, nanoseconds in RECORD.findall(path.read_text(encoding="utf-8")):
        if name in times:
            times[name][kind == "element-reported-latency"].append(int(nanoseconds) / 1e6)
    return times


def disagreements(times):
    """A line for each element that declares something else than its frames take, but for those of the start."""
    lines = {}
    for name, (taken, declared) in times.items():
        settled = sorted(taken[STARTING_FRAMES:])
        assert len(settled) > SECONDS * 8, f"{name} pushed {len(taken)} frames"
        p99 = settled[round(0.99 * (len(settled) - 1))]
        line = f"{name} declares {declared[-1]:.0f} ms and takes {p99:.1f} ms (p99 of {len(settled)} frames)"
        print(line)
        if abs(declared[-1] - p99) > TOLERANCE_MS:
            lines[name] = line
    return lines


def test_declared_latency_is_the_one_traced(tmp_path):
    # Another program may take the processor away from an element in one run, but not in all.
    left = dict.fromkeys(ELEMENTS)
    for attempt in range(3):
        lines = disagreements(traced(tmp_path / f"trace-{attempt}.log"))
        left = {name: lines[name] for name in left if name in lines}
        if not left:
            return
    raise AssertionError("; ".join(left.values()))
