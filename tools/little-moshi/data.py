# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Clips in GPU memory, and batches pasted from them."""

import queue
import threading
import time
from pathlib import Path

import numpy as np
import torch

from make_data import read_chunk
from speech import LABEL_RATE, SAMPLE_RATE


def to_device(array, device, kind=None):
    """A copy on `device` that does not wait for the work queued there."""
    tensor = torch.as_tensor(array, dtype=kind)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


class Pool:
    """All clips of the files that match `pattern` in `folder`, as one int16 buffer on `device`; grows with `poll`."""

    def __init__(self, folder, pattern, device, hours):
        self.folder, self.pattern, self.device = Path(folder), pattern, device
        self._pcm = torch.empty(int(hours * 3600 * SAMPLE_RATE), dtype=torch.int16, device=device)
        self._labels = torch.empty(int(hours * 3600 * LABEL_RATE * 1.02), dtype=torch.uint8, device=device)
        self._used = self._label_used = 0
        self._queue = queue.Queue(maxsize=8)
        threading.Thread(target=self._read, daemon=True).start()
        self.infos = []
        self._parts = {name: [] for name in ("offset", "length", "label_offset", "label_length", "level", "speech_end")}
        self._arrays = {}

    def __len__(self):
        return len(self.infos)

    def __getattr__(self, name):
        parts = self.__dict__["_parts"]
        if name not in parts:
            raise AttributeError(name)
        if name not in self._arrays:
            self._arrays[name] = np.concatenate(parts[name])
        return self._arrays[name]

    def _read(self):
        """Runs in a thread: puts each new file's arrays into the queue."""
        seen = set()
        while True:
            fresh = sorted(p for p in self.folder.glob(self.pattern) if ".partial" not in p.name and p not in seen)
            for path in fresh:
                seen.add(path)
                pcm, labels, lengths, label_lengths, infos = read_chunk(path)
                power = np.add.reduceat(pcm.astype(np.float32)**2, np.cumsum(lengths) - lengths) / lengths
                self._queue.put((pcm, labels, lengths, label_lengths, infos, np.sqrt(power) / 32768))
            time.sleep(0.5)

    def poll(self):
        """Take in what the reading thread has ready, as far as there is room."""
        while not self._queue.empty():
            pcm, labels, lengths, label_lengths, infos, level = self._queue.get()
            if self._used + len(pcm) > len(self._pcm) or self._label_used + len(labels) > len(self._labels):
                continue
            self._pcm[self._used:self._used + len(pcm)] = torch.from_numpy(pcm).to(self.device)
            self._labels[self._label_used:self._label_used + len(labels)] = torch.from_numpy(labels).to(self.device)
            for name, value in (("offset", self._used + np.cumsum(lengths) - lengths), ("length", lengths),
                                ("label_offset", self._label_used + np.cumsum(label_lengths) - label_lengths),
                                ("label_length", label_lengths), ("level", level),
                                ("speech_end", np.array([info["words"][-1][2] for info in infos]))):
                self._parts[name].append(value)
            self._arrays.clear()
            self.infos += infos
            self._used += len(pcm)
            self._label_used += len(labels)

    def wait(self, clips, seconds=120):
        """Poll until there are `clips` clips."""
        until = time.time() + seconds
        while len(self) < clips:
            if time.time() > until:
                raise RuntimeError(f"{self.folder}: {len(self)} clips after {seconds} s, {clips} wanted: "
                                   "is make_data running?")
            self.poll()
            time.sleep(0.2)

    def waves(self, clips, starts, rates, gains, samples):
        """Paste clips [B, K] (-1: none) at `starts` (samples), `rates` times as fast, times `gains`. -> [B, samples]"""
        on = lambda value, kind: to_device(value, self.device, kind)
        starts, rates = on(starts, torch.float32), on(rates, torch.float32)
        safe = np.maximum(clips, 0)
        offset = on(self.offset[safe], torch.int64)
        last = on(np.where(clips >= 0, self.length[safe] - 2, -1), torch.float32)
        gains = on(gains / 32768, torch.float32)
        time_axis = torch.arange(samples, device=self.device, dtype=torch.float32)
        wave = torch.zeros(len(clips), samples, device=self.device)
        for k in range(clips.shape[1]):
            slot = slice(k, k + 1)
            position = (time_axis - starts[:, slot]) * rates[:, slot]
            floor = position.floor()
            inside = (floor >= 0) & (floor <= last[:, slot])
            index = offset[:, slot] + torch.minimum(floor.clamp(min=0), last[:, slot].clamp(min=0)).long()
            here, there = self._pcm[index].float(), self._pcm[index + 1].float()
            wave += torch.where(inside, torch.lerp(here, there, position - floor) * gains[:, slot], 0.0)
        return wave

    def phone_labels(self, clips, starts, rates, times):
        """Phone under each of `times` (seconds, [L]); 0, silence, where no clip is. -> int64 [B, L]"""
        on = lambda value, kind: to_device(value, self.device, kind)
        starts, rates = on(starts, torch.float32), on(rates, torch.float32)
        safe = np.maximum(clips, 0)
        offset = on(self.label_offset[safe], torch.int64)
        length = on(np.where(clips >= 0, self.label_length[safe], 0), torch.int64)
        at = on(times, torch.float32)
        labels = torch.zeros(len(clips), len(times), dtype=torch.int64, device=self.device)
        for k in range(clips.shape[1]):
            slot = slice(k, k + 1)
            index = ((at - starts[:, slot] / SAMPLE_RATE) * rates[:, slot] * LABEL_RATE).floor().long()
            inside = (index >= 0) & (index < length[:, slot])
            last = (length[:, slot] - 1).clamp(min=0)
            found = self._labels[offset[:, slot] + torch.minimum(index.clamp(min=0), last)]
            labels = torch.where(inside, found.long(), labels)
        return labels


def level_gains(rng, pool, clips, low_db, high_db):
    """Gains [B, K] that bring each clip to a level drawn between the two, the same in a row."""
    level = 10 ** (rng.uniform(low_db, high_db, (len(clips), 1)) / 20)
    return level / np.maximum(pool.level[np.maximum(clips, 0)], 1e-3)
