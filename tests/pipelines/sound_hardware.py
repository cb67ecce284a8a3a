# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""A stand-in for the package sounddevice: a microphone that hears a recording in real time, and a loudspeaker
that keeps what it is given."""
import threading
import time

import numpy as np


class Hardware:
    """Set `heard` (float32 samples) before a stream starts; `spoken` is what was played."""
    heard = np.zeros(0, dtype=np.float32)
    spoken = []
    rate = 24000


class _Stream:
    def __init__(self, samplerate, channels, blocksize, callback):
        assert (samplerate, channels) == (Hardware.rate, 1)
        self.size, self.callback = blocksize, callback
        self.running = False

    def __enter__(self):
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()

    def _run(self):
        start, blocks = time.monotonic(), 0
        while self.running:
            self.block(blocks)
            blocks += 1
            time.sleep(max(0.0, start + blocks * self.size / Hardware.rate - time.monotonic()))


class InputStream(_Stream):
    def block(self, number):
        data = np.zeros((self.size, 1), dtype=np.float32)
        part = Hardware.heard[number * self.size:(number + 1) * self.size]
        data[:len(part), 0] = part
        self.callback(data, self.size, None, None)


class OutputStream(_Stream):
    def block(self, _):
        data = np.zeros((self.size, 1), dtype=np.float32)
        self.callback(data, self.size, None, None)
        Hardware.spoken.append(data[:, 0].copy())
