# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""The speech synthesisers as libraries, and festival as a process.

Every one gives `Utterance`s with phones of one set, whatever its accent: inside each word the lexicon's phones are
spread over the synthesiser's own phoneme boundaries.
"""

import ctypes as C
import os
import random

import numpy as np

import festival
from align import warp
from domain import words
from speech import PHONES, SAMPLE_RATE, as_speaker, resample, trim

TIMED_BY = "rms"      # flite's voice whose times are carried over to synthesisers that tell none
WARP_COST = 1.1       # readings that differ more than this from that voice's are not used


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

    def read(self, text, voice, stretch=1.0, pitch=None):
        """(pcm, [(phone, end)], [(word, [boundary times of its phones])]), or None where flite reads other words than
        the text's."""
        pcm, segments, spans = self._raw(text, voice, stretch, pitch)
        names = _merge_clitics(words(text), spans)
        if names is None:
            return None
        ends = np.array([end for _, end in segments])
        return pcm, segments, [(word, [start, *ends[(ends > start + 1e-4) & (ends < end - 1e-4)], end])
                               for word, (start, end) in names]

    def synthesise(self, text, voice, lexicon, stretch=1.0, pitch=None, raised=1.0, formants=1.0):
        """`raised` and `formants`: factors that make another speaker of the voice, at the same speed."""
        found = self.read(text, voice, stretch * raised, pitch)
        return found and trim(*as_speaker(found[0], found[2], raised, formants), lexicon)


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
        return sorted(os.listdir(os.path.join(path, "voices", "!v")))

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
        return trim(resample(pcm, self._rate), timed, lexicon)


class Timeless:
    """A synthesiser that tells no times: they are carried over from flite's reading of the same text."""

    def __init__(self, flite):
        self._flite = flite

    def synthesise(self, text, voice, lexicon, stretch=1.0, pitch=1.0, raised=1.0, formants=1.0):
        known = self._flite.read(text, TIMED_BY, stretch)
        if known is None:
            return None
        pcm = self._speak(text, voice, stretch * raised, pitch)
        to_own, cost = warp(known[0], resample(pcm, round(SAMPLE_RATE * raised)) if raised != 1.0 else pcm)
        if cost > WARP_COST:
            return None
        timed = [(word, to_own(bounds) * raised) for word, bounds in known[2]]
        return trim(*as_speaker(pcm, timed, raised, formants), lexicon)


class RHVoice(Timeless):
    """RHVoice's English voices. https://github.com/RHVoice/RHVoice/blob/master/src/include/RHVoice.h"""

    _RATE = C.CFUNCTYPE(C.c_int, C.c_int, C.c_void_p)
    _PLAY = C.CFUNCTYPE(C.c_int, C.POINTER(C.c_short), C.c_uint, C.c_void_p)

    class _Settings(C.Structure):
        _fields_ = [("data_path", C.c_char_p), ("config_path", C.c_char_p), ("resource_paths", C.c_void_p),
                    ("set_sample_rate", C.c_void_p), ("play_speech", C.c_void_p), ("others", C.c_void_p * 7),
                    ("options", C.c_uint)]

    class _Speech(C.Structure):
        _fields_ = [("voice", C.c_char_p)] + [(name, C.c_double) for name in (
            "absolute_rate", "absolute_pitch", "absolute_volume", "rate", "pitch", "volume")] + [
            ("punctuation", C.c_int), ("punctuation_list", C.c_char_p), ("capitals", C.c_int), ("flags", C.c_int)]

    def __init__(self, flite):
        super().__init__(flite)
        self._lib = C.CDLL("libRHVoice.so.5")
        pointer = C.c_void_p
        for name, result, arguments in [
                ("RHVoice_new_tts_engine", pointer, [pointer]), ("RHVoice_speak", C.c_int, [pointer]),
                ("RHVoice_new_message", pointer, [pointer, C.c_char_p, C.c_uint, C.c_int, pointer, pointer]),
                ("RHVoice_delete_message", None, [pointer])]:
            function = getattr(self._lib, name)
            function.restype, function.argtypes = result, arguments
        data = os.environ.get("RHVOICE_DATA_PATH", "/usr/share/RHVoice")
        self._callbacks = self._RATE(self._set_rate), self._PLAY(self._receive)
        rate, play = (C.cast(callback, C.c_void_p) for callback in self._callbacks)
        settings = self._Settings(data.encode(), b"/nonexistent", None, rate, play, (C.c_void_p * 7)(), 0)
        self._engine = self._lib.RHVoice_new_tts_engine(C.byref(settings))
        if not self._engine:
            raise RuntimeError(f"RHVoice did not start with the voices in {data}, set RHVOICE_DATA_PATH")

    def _set_rate(self, rate, _):
        self._sample_rate = rate
        return 1

    def _receive(self, samples, count, _):
        self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 1

    def _speak(self, text, voice, stretch, pitch):
        self._chunks = []
        how = self._Speech(voice.encode(), 0, 0, 0, 1 / stretch, pitch, 1, 0, None, 0, 0)
        raw = text.encode()
        message = self._lib.RHVoice_new_message(self._engine, raw, len(raw), 0, C.byref(how), None)
        self._lib.RHVoice_speak(message)
        self._lib.RHVoice_delete_message(message)
        return resample(np.concatenate(self._chunks), self._sample_rate)


class Pico(Timeless):
    """SVOX Pico's English voices. Debian: libttspico0, libttspico-data"""

    _FILES = {"en-US": ("en-US_ta.bin", "en-US_lh0_sg.bin"), "en-GB": ("en-GB_ta.bin", "en-GB_kh0_sg.bin")}
    _MEMORY, _BUSY = 2500000, 201

    def __init__(self, flite):
        super().__init__(flite)
        self._lib = C.CDLL("libttspico.so.0")
        self._engines = {}

    def _engine(self, voice):
        if voice in self._engines:
            return self._engines[voice][0]

        def checked(result):
            if result != 0:
                raise RuntimeError(f"Pico did not start (error {result}): set PICO_DATA_PATH to its languages' folder")

        lib, memory, system, engine = self._lib, C.create_string_buffer(self._MEMORY), C.c_void_p(), C.c_void_p()
        checked(lib.pico_initialize(memory, self._MEMORY, C.byref(system)))
        checked(lib.pico_createVoiceDefinition(system, b"voice"))
        for file in self._FILES[voice]:
            path = os.path.join(os.environ.get("PICO_DATA_PATH", "/usr/share/pico/lang"), file)
            resource, name = C.c_void_p(), C.create_string_buffer(200)
            checked(lib.pico_loadResource(system, path.encode(), C.byref(resource)))
            checked(lib.pico_getResourceName(system, resource, name))
            checked(lib.pico_addResourceToVoiceDefinition(system, b"voice", name))
        checked(lib.pico_newEngine(system, b"voice", C.byref(engine)))
        self._engines[voice] = engine, memory
        return engine

    def _speak(self, text, voice, stretch, pitch):
        engine = self._engine(voice)
        speed, level = np.clip([100 / stretch, 100 * pitch], [25, 50], [400, 200])
        raw = f"<speed level='{speed:.0f}'><pitch level='{level:.0f}'>{text}</pitch></speed>".encode() + b"\0"
        buffer, out, at = C.create_string_buffer(1024), [], 0
        while at < len(raw):
            taken, count, kind = C.c_int16(), C.c_int16(), C.c_int16()
            self._lib.pico_putTextUtf8(engine, raw[at:], C.c_int16(len(raw) - at), C.byref(taken))
            at += taken.value
            busy = self._BUSY
            while busy == self._BUSY:
                busy = self._lib.pico_getData(engine, buffer, C.c_int16(1024), C.byref(count), C.byref(kind))
                out.append(buffer.raw[:count.value])
        return resample(np.frombuffer(b"".join(out), np.int16), 16000)


class Diphones:
    """Festival's diphone voices, which say flite's phones at flite's times."""

    def __init__(self, flite):
        self._flite, self._festival = flite, festival.Festival()

    def synthesise(self, text, voice, lexicon, stretch=1.0, pitch=1.0, raised=1.0, formants=1.0):
        known = self._flite.read(text, TIMED_BY, stretch * raised)
        if known is None:
            return None
        _, segments, timed = known
        ends = [0.0] + [end for _, end in segments]
        phones = [(name, end - begin) for (name, _), begin, end in zip(segments, ends, ends[1:])]
        pcm, rate = self._festival.speak(voice, phones, pitch, random.Random(f"{text}{pitch}"))
        timed = [(word, np.asarray(bounds) + festival.LEAD) for word, bounds in timed]
        return trim(*as_speaker(resample(pcm, rate), timed, raised, formants), lexicon)


def engines():
    """Every synthesiser by name; one is made once a process."""
    flite = Flite()
    diphones = Diphones(flite)
    return {"flite": flite, "espeak": Espeak(), "rhvoice": RHVoice(flite), "pico": Pico(flite), "festival": diphones,
            "accents": diphones}
