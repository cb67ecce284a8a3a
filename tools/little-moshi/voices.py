# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""The speech synthesisers as libraries: audio at 24 kHz with the times of words and phones.

Every engine gives `Utterance`s with phones of one set, whatever its accent: inside each word the lexicon's phones are
spread over the engine's own phoneme boundaries.
"""

import ctypes as C
import ctypes.util
import os
from dataclasses import dataclass

import numpy as np

from domain import words

SAMPLE_RATE = 24000
LABEL_RATE = 100  # phone labels per second
PHONES = ("pau aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z "
          "zh").split()

MOSHI_VOICE = "flite:rms"
FLITE_VOICES = ["rms", "awb", "kal16"]
FLITE_HELD_OUT = ["slt"]
RAISED = 0.5  # share of flite's questions spoken by a speaker made from the voice
ESPEAK_ACCENTS = ["en", "en-us", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-029", "en-us-nyc"]
ESPEAK_HELD_OUT = ["f4", "m5", "Andrea", "Denis", "max", "linda", "Tweaky", "rob"]
# Variants that whisper, croak or imitate instruments are no voices of people.
ESPEAK_UNUSED = {"whisper", "whisperf", "croak", "fast_test", "robosoft", "robosoft2", "robosoft3", "robosoft4",
                 "robosoft5", "robosoft6", "robosoft7", "robosoft8", "klatt5", "UniRobot", "Alien", "Demonic"}


@dataclass
class Utterance:
    pcm: np.ndarray     # int16 at SAMPLE_RATE
    words: list         # (word, start, end) in seconds
    labels: np.ndarray  # uint8 index into PHONES, LABEL_RATE a second


def resample(pcm, rate):
    """int16 at `rate` to int16 at SAMPLE_RATE, by way of the spectrum."""
    if rate == SAMPLE_RATE:
        return pcm
    padded = np.zeros(len(pcm) + rate // 5, np.float32)
    padded[:len(pcm)] = pcm
    count = round(len(padded) * SAMPLE_RATE / rate)
    spectrum = np.fft.rfft(padded)
    out = np.zeros(count // 2 + 1, spectrum.dtype)
    common = min(len(out), len(spectrum))
    out[:common] = spectrum[:common]
    wave = np.fft.irfft(out, count) * (count / len(padded))
    return np.clip(wave[:round(len(pcm) * SAMPLE_RATE / rate)], -32768, 32767).astype(np.int16)


def change_speaker(pcm, pitch, formants, fft=1024, hop=256):
    """Raise pitch and formants by two factors of their own; the speech gets `pitch` times as fast.

    Resampling moves both; the spectral envelope (the cepstrum's first 1.2 ms) is then moved to where it should be.
    """
    wave = resample(pcm, round(SAMPLE_RATE * pitch)).astype(np.float32)
    padded = np.pad(wave, (fft, fft + hop))
    window = np.hanning(fft + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, fft)[::hop] * window
    spectrum = np.fft.rfft(frames)
    cepstrum = np.fft.irfft(np.log(np.abs(spectrum) + 1.0))
    cepstrum[:, 29:fft - 28] = 0
    envelope = np.fft.rfft(cepstrum).real
    bins = np.arange(fft // 2 + 1)
    source = np.minimum(bins * (pitch / formants), fft // 2)
    low = np.minimum(source.astype(int), fft // 2 - 1)
    moved = envelope[:, low] + (envelope[:, low + 1] - envelope[:, low]) * (source - low)
    frames = np.fft.irfft(spectrum * np.exp(np.minimum(moved - envelope, 3.4))) * window
    out, weight = np.zeros(len(padded)), np.full(len(padded), 1e-3)
    for index, frame in enumerate(frames):
        out[index * hop:index * hop + fft] += frame
        weight[index * hop:index * hop + fft] += window**2
    return np.clip((out / weight)[fft:fft + len(wave)], -32768, 32767).astype(np.int16)


def _trim(pcm, timed, lexicon):
    """Cut the silence around the words and write the labels. `timed`: (word, [boundary times of its phonemes])."""
    level = np.abs(pcm.astype(np.int32))
    loud = np.flatnonzero(level > 200)
    if not len(loud) or not timed:
        return None
    begin = max(0, loud[0] - SAMPLE_RATE // 50)
    end = min(len(pcm), loud[-1] + SAMPLE_RATE // 50)
    pcm = pcm[begin:end]
    length = len(pcm) / SAMPLE_RATE
    shift = begin / SAMPLE_RATE
    labels = np.zeros(int(length * LABEL_RATE) + 1, np.uint8)
    out = []
    for word, bounds in timed:
        bounds = np.clip(np.asarray(bounds) - shift, 0, length)
        phones = lexicon[word]
        edges = np.interp(np.linspace(0, len(bounds) - 1, len(phones) + 1), np.arange(len(bounds)), bounds)
        marks = np.round(edges * LABEL_RATE).astype(int)
        for phone, a, b in zip(phones, marks[:-1], marks[1:]):
            labels[a:b] = phone
        out.append((word, float(bounds[0]), float(bounds[-1])))
    return Utterance(pcm, out, labels)


class Flite:
    """Flite's voices. https://github.com/festvox/flite"""

    class _Voice(C.Structure):
        _fields_ = [("name", C.c_char_p), ("features", C.c_void_p)]

    class _Wave(C.Structure):
        _fields_ = [("type", C.c_char_p), ("rate", C.c_int), ("samples", C.c_int), ("channels", C.c_int),
                    ("pcm", C.POINTER(C.c_short))]

    def __init__(self):
        self._lib = C.CDLL("libflite.so.1", mode=C.RTLD_GLOBAL)
        for name in ("usenglish", "cmulex"):
            C.CDLL(f"libflite_{name}.so.1", mode=C.RTLD_GLOBAL)
        self._lib.flite_init()
        pointer, text, number = C.c_void_p, C.c_char_p, C.c_float
        for name, result, arguments in [
                ("flite_synth_text", pointer, [text, pointer]), ("utt_wave", C.POINTER(self._Wave), [pointer]),
                ("utt_relation", pointer, [pointer, text]), ("relation_head", pointer, [pointer]),
                ("item_next", pointer, [pointer]), ("ffeature_string", text, [pointer, text]),
                ("ffeature_float", number, [pointer, text]), ("delete_utterance", None, [pointer]),
                ("flite_feat_set_float", None, [pointer, text, number])]:
            function = getattr(self._lib, name)
            function.restype, function.argtypes = result, arguments
        self._voices = {}

    def _voice(self, name):
        if name not in self._voices:
            register = getattr(C.CDLL(f"libflite_cmu_us_{name}.so.1"), f"register_cmu_us_{name}")
            register.restype, register.argtypes = C.c_void_p, [C.c_void_p]
            self._voices[name] = C.cast(register(None), C.POINTER(self._Voice))
        return self._voices[name]

    def _items(self, utterance, relation):
        item = self._lib.relation_head(self._lib.utt_relation(utterance, relation))
        while item:
            yield item
            item = self._lib.item_next(item)

    def _raw(self, text, voice, stretch, pitch):
        """(pcm, [(phone, end)], [(word, start, end)])"""
        lib, handle = self._lib, self._voice(voice)
        lib.flite_feat_set_float(handle.contents.features, b"duration_stretch", stretch)
        if pitch:
            lib.flite_feat_set_float(handle.contents.features, b"int_f0_target_mean", pitch)
        utterance = lib.flite_synth_text(text.encode(), handle)
        wave = lib.utt_wave(utterance).contents
        pcm = resample(np.ctypeslib.as_array(wave.pcm, (wave.samples,)).copy(), wave.rate)
        first = b"R:SylStructure.daughter.daughter.R:Segment.p.end"
        last = b"R:SylStructure.daughtern.daughtern.R:Segment.end"
        segments = [(lib.ffeature_string(i, b"name").decode(), lib.ffeature_float(i, b"end"))
                    for i in self._items(utterance, b"Segment")]
        spans = [(lib.ffeature_float(i, first), lib.ffeature_float(i, last)) for i in self._items(utterance, b"Word")]
        lib.delete_utterance(utterance)
        return pcm, segments, spans

    def phones(self, word):
        """The word's phones in American English, as indexes into PHONES."""
        _, segments, _ = self._raw(word, "rms", 1.0, None)
        return [PHONES.index(name) for name, _ in segments if name != "pau"]

    def synthesise(self, text, voice, lexicon, stretch=1.0, pitch=None, raised=1.0, formants=1.0):
        """`raised` and `formants`: factors that make another speaker of the voice, at the same speed."""
        pcm, segments, spans = self._raw(text, voice, stretch * raised, pitch)
        if raised != 1.0:
            pcm = change_speaker(pcm, raised, formants)
            segments = [(name, end / raised) for name, end in segments]
            spans = [(start / raised, end / raised) for start, end in spans]
        names = _merge_clitics(words(text), spans)
        if names is None:
            return None
        ends = np.array([end for _, end in segments])
        timed = []
        for word, (start, end) in names:
            inside = ends[(ends > start + 1e-4) & (ends < end - 1e-4)]
            timed.append((word, [start, *inside, end]))
        return _trim(pcm, timed, lexicon)


def _merge_clitics(names, spans):
    """Pair the text's words with flite's, which splits "what's" in two."""
    paired, at = [], 0
    for name in names:
        parts = 2 if name.endswith("'s") and len(spans) != len(names) else 1
        if at + parts > len(spans):
            return None
        paired.append((name, (spans[at][0], spans[at + parts - 1][1])))
        at += parts
    return paired if at == len(spans) else None


class Espeak:
    """espeak-ng's voices. https://github.com/espeak-ng/espeak-ng/blob/master/src/include/espeak-ng/speak_lib.h"""

    _WORD, _PHONEME = 1, 7
    _RATE, _PITCH, _RANGE = 1, 3, 4

    class _Event(C.Structure):
        _fields_ = [("type", C.c_int), ("unique", C.c_uint), ("text_position", C.c_int), ("length", C.c_int),
                    ("audio_position", C.c_int), ("sample", C.c_int), ("user", C.c_void_p), ("string", C.c_char * 8)]

    def __init__(self, data_path=None):
        self._lib = C.CDLL("libespeak-ng.so.1")
        path = data_path or os.environ.get("ESPEAK_DATA_PATH")
        # AUDIO_OUTPUT_SYNCHRONOUS, espeakINITIALIZE_PHONEME_EVENTS | espeakINITIALIZE_DONT_EXIT
        self._rate = self._lib.espeak_Initialize(2, 0, path.encode() if path else None, 0x8001)
        if self._rate <= 0:
            raise RuntimeError("espeak-ng did not start: its data folder was not found, set ESPEAK_DATA_PATH")
        callback = C.CFUNCTYPE(C.c_int, C.POINTER(C.c_short), C.c_int, C.POINTER(self._Event))
        self._callback = callback(self._receive)
        self._lib.espeak_SetSynthCallback(self._callback)
        self._lib.espeak_Synth.argtypes = [C.c_char_p, C.c_size_t, C.c_uint, C.c_int, C.c_uint, C.c_uint, C.c_void_p,
                                           C.c_void_p]
        self._voice = None

    def _receive(self, wave, count, events):
        if wave and count > 0:
            self._chunks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        at = 0
        while events[at].type != 0:
            event = events[at]
            if event.type in (self._WORD, self._PHONEME):
                self._events.append((event.type, event.text_position - 1, event.sample / self._rate))
            at += 1
        return 0

    @staticmethod
    def variants(data_path=None):
        path = data_path or os.environ.get("ESPEAK_DATA_PATH") or "/usr/lib/x86_64-linux-gnu/espeak-ng-data"
        names = sorted(os.listdir(os.path.join(path, "voices", "!v")))
        return [name for name in names if name not in ESPEAK_UNUSED and name not in ESPEAK_HELD_OUT]

    def synthesise(self, text, accent, variant, lexicon, rate=170, pitch=50, span=50):
        voice = f"{accent}+{variant}"
        if voice != self._voice:
            if self._lib.espeak_SetVoiceByName(voice.encode()) != 0:
                return None
            self._voice = voice
        for parameter, value in ((self._RATE, rate), (self._PITCH, pitch), (self._RANGE, span)):
            self._lib.espeak_SetParameter(parameter, int(value), 0)
        self._chunks, self._events = [], []
        raw = text.encode()
        self._lib.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, 1, None, None)
        if not self._chunks:
            return None
        pcm = np.concatenate(self._chunks)
        total = len(pcm) / self._rate
        starts = {position: at for kind, position, at in self._events if kind == self._WORD}
        phonemes = [at for kind, _, at in self._events if kind == self._PHONEME] + [total]
        timed, position = [], 0
        names = words(text)
        offsets = []
        for name in names:
            position = text.index(name, position)
            offsets.append(position)
            position += len(name)
        for index, (name, offset) in enumerate(zip(names, offsets)):
            if offset not in starts:
                return None
            following = [starts[o] for o in offsets[index + 1:index + 2] if o in starts]
            end = following[0] if following else total
            pause = name + "," in text[offset:offset + len(name) + 1]
            inside = [at for at in phonemes if starts[offset] < at < end - 1e-4]
            # The phoneme before a pause or the end is followed by silence of its own.
            if (pause or not following) and inside:
                end = inside.pop()
            timed.append((name, [starts[offset], *inside, end]))
        return _trim(resample(pcm, self._rate), timed, lexicon)


def draw_voice(rng, held_out=False):
    """(name, function(engines, text, lexicon) -> Utterance or None): a voice with its pitch and speed drawn."""
    if rng.random() < (0.5 if not held_out else 0.6):
        name = rng.choice(FLITE_HELD_OUT if held_out else FLITE_VOICES)
        stretch = rng.uniform(0.78, 1.28)
        pitch = rng.uniform(75, 190) if name == "kal16" else None
        raised, formants = 1.0, 1.0
        if not held_out and rng.random() < RAISED:
            raised, formants = rng.uniform(1.1, 1.9), rng.uniform(0.96, 1.22)
        return (f"flite:{name}" + ("+" if raised != 1.0 else ""),
                lambda e, text, lex: e["flite"].synthesise(text, name, lex, stretch, pitch, raised, formants))
    variant = rng.choice(ESPEAK_HELD_OUT if held_out else Espeak.variants())
    accent = rng.choice(ESPEAK_ACCENTS)
    rate, pitch, span = rng.uniform(125, 230), rng.uniform(15, 85), rng.uniform(25, 75)
    return (f"espeak:{variant}",
            lambda e, text, lex: e["espeak"].synthesise(text, accent, variant, lex, rate, pitch, span))
