# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Which voices speak the user's questions, how often, and with what pitch and speed; which never do in training."""

import numpy as np

import festival
from synthesisers import Espeak

MOSHI_VOICE = "flite:rms"
FLITE_VOICES = ["rms", "awb", "kal16", "kal"]  # the last two are diphone voices, at 16 and at 8 kHz
FLITE_HELD_OUT = ["slt"]
# RHVoice's own slt is the held-out speaker; its other English voices may not be used commercially.
RHVOICE_VOICES = ["Alan", "BDL", "CLB"]
PICO_VOICES = ["en-US", "en-GB"]
FEMALE = {"CLB", "en-US", "en-GB"} | festival.WOMEN
SHARES = {"flite": 18, "rhvoice": 24, "pico": 16, "festival": 14, "accents": 8, "espeak": 20}
CHANGED = 0.6         # share of natural voices' questions spoken by a speaker made from the voice
ESPEAK_ACCENTS = ["en", "en-us", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-029", "en-us-nyc"]
ESPEAK_HELD_OUT = ["f4", "m5", "Andrea", "Denis", "max", "linda", "Tweaky", "rob"]
# Variants that whisper, croak or imitate instruments are no voices of people.
ESPEAK_UNUSED = {"whisper", "whisperf", "croak", "fast_test", "robosoft", "robosoft2", "robosoft3", "robosoft4",
                 "robosoft5", "robosoft6", "robosoft7", "robosoft8", "klatt5", "UniRobot", "Alien", "Demonic"}


def _other_speaker(rng, female):
    """Factors for pitch and formants that make another person of a voice: a child to a deep man."""
    pitch = np.exp(rng.uniform(np.log(0.62), np.log(1.35)) if female else rng.uniform(np.log(0.8), np.log(2.0)))
    return pitch, float(np.clip(pitch ** rng.uniform(0.0, 0.4) * rng.uniform(0.93, 1.08), 0.78, 1.28))


def _trained_variants():
    return [name for name in Espeak.variants() if name not in ESPEAK_UNUSED and name not in ESPEAK_HELD_OUT]


def draw_voice(rng, held_out=None):
    """(name, function(engines, text, lexicon) -> Utterance or None): a voice with its pitch and speed drawn.

    held_out: None for a voice of the training, "slt" or "espeak" for one that never is.
    """
    engine = {"slt": "flite", "espeak": "espeak"}.get(held_out) or rng.choices(list(SHARES), SHARES.values())[0]
    if engine == "espeak":
        variant = rng.choice(ESPEAK_HELD_OUT if held_out else _trained_variants())
        accent = rng.choice(ESPEAK_ACCENTS)
        rate, pitch, span = rng.uniform(125, 230), rng.uniform(15, 85), rng.uniform(25, 75)
        return (f"espeak:{variant}",
                lambda e, text, lex: e["espeak"].synthesise(text, accent, variant, lex, rate, pitch, span))
    names = {"flite": FLITE_HELD_OUT if held_out else FLITE_VOICES, "rhvoice": RHVOICE_VOICES, "pico": PICO_VOICES,
             "festival": festival.FOREIGN, "accents": [festival.AMERICAN]}
    name = rng.choice(names[engine])
    stretch, pitch = rng.uniform(0.78, 1.28), rng.uniform(0.8, 1.25)
    if engine == "flite":  # only the diphone voices follow a pitch, in hertz
        pitch = rng.uniform(75, 190) if name.startswith("kal") else None
    changed = not held_out and rng.random() < CHANGED
    raised, formants = _other_speaker(rng, name in FEMALE) if changed else (1.0, 1.0)
    return (f"{engine}:{name}" + ("+" if changed else ""),
            lambda e, text, lex: e[engine].synthesise(text, name, lex, stretch, pitch, raised, formants))
