# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Festival's diphone voices speaking English: those of other languages say each phone by the nearest that they have, and the
American one with another accent each time.

Phones and their times come from flite's reading of the text, so the labels are exact whatever the voice.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np

_CZECH = """pau # | aa a:,a | ae e,e:,a | ah a,a: | ao o:,o | aw a+u | ax e,a | ay a+j | b b,p | ch c~,t+s~ | d d,t | dh d,z
    eh e,e: | er e:+r,e+r,r | ey e+j | f f | g g,k | hh h,ch | ih i,i: | iy i:,i | jh dz~,d+z~ | k k | l l | m m | n n
    ng n*,n+g,n | ow o+u | oy o+j | p p | r r,e+r | s s,z | sh s~ | t t | th f,s | uh u,u: | uw u:,u | v v,f | w u,v
    y j | z z,s | zh z~,s~"""
_ITALIAN = """pau # | aa a1,a | ae E1,E,a | ah a,a1 | ao O1,O,o1 | aw a1+u,a+u | ax a,e | ay a1+i,a+i | b b | ch tS | d d
    dh d | eh E1,E,e1 | er e1+r,e+r | ey e1+i,e+i | f f | g g | hh #,k | ih i,i1 | iy i1,i | jh dZ | k k | l l | m m
    n n | ng ng,n | ow o1+u,o+u | oy o1+i,o+i | p p | r r | s s | sh S,s | t t | th t,f | uh u,u1 | uw u1,u | v v
    w w,u | y j,i | z z,s | zh Z,dZ"""
_FINNISH = """pau # | aa a:,a | ae @,@: | ah a,a: | ao o:,o | aw a+u | ax 7,e,a | ay a+i | b b,p | ch t+S,t+s | d d,t
    dh d,t | eh e,e: | er 7:+r,7+r,e+r | ey e+i | f f,v | g g,k | hh h | ih i,i: | iy i:,i | jh d+S,d+j,t+s | k k
    l l | m m | n n | ng N,n | ow o+u | oy o+i | p p | r r | s s | sh S,s | t t | th T,t | uh u,u: | uw u:,u | v v
    w w,v,u | y j,i | z s | zh S,s"""

_AMERICAN = """pau pau | aa aa | ae ae | ah ah | ao ao | aw aw | ax ax | ay ay | b b | ch ch | d d | dh dh | eh eh | er er
    ey ey | f f | g g | hh hh | ih ih | iy iy | jh jh | k k | l l | m m | n n | ng ng | ow ow | oy oy | p p | r r | s s
    sh sh | t t | th th | uh uh | uw uw | v v | w w | y y | z z | zh zh"""
# How people say these phones elsewhere.
_ACCENTS = """aa ao,ah,ao+ax | ae eh,aa,eh+ax,ae+ax | ah ax,uh,er,aa,ax+er | ao aa,ow,w+aa,ao+ax,ah,w+ao
    aw ae+ow,aa+ow,eh+ow,aa,ae+aa,ow | ax ih,ah,eh,er | ay aa,aa+iy,ah+iy,ao+iy,ae+iy | eh ae,ih,eh+ax,ey | er ah,uh+r,ax,r
    ey eh+iy,eh,ae+iy,ih | ih iy,ax,eh,ih+ax | iy ih+iy,ih,ax+iy | ow ax+uw,ao,ah+uw,uw | oy ao+iy,ow+iy
    uh ax,uw,ih | uw uh,ih+uw,y+uw | r er,ax,w | l w,uh,ow,ax+l | ng n,ng+g,ng+k | n ax+n,ih+n | m ax+m | th t,f,s | dh d,v,z
    z s | v b,f | w v,uw+w | hh k,ax | t d | d t | b p | y iy"""
ACCENTED = 0.5  # share of these phones that a speaker says in another way, at most

# Voice: (phones, pitch in hertz, ways of other accents or None).
VOICES = {"czech_machac": (_CZECH, 105, None), "lp_diphone": (_ITALIAN, 190, None), "pc_diphone": (_ITALIAN, 115, None),
          "hy_fi_mv_diphone": (_FINNISH, 105, None), "kal_diphone": (_AMERICAN, 105, _ACCENTS)}
AMERICAN = "kal_diphone"
FOREIGN = [voice for voice in VOICES if voice != AMERICAN]
WOMEN = {"lp_diphone"}
DATA = Path("/usr/share/festival/voices")
LEAD = 0.06     # seconds of silence before the first phone, and after the last
GAP = 0.008     # seconds of silence between phones that no diphone joins
MISSING = 10.0  # its cost, in places down the list of a phone's choices


def _choices(table):
    """{English phone: [tuple of the voice's phones]}, best first."""
    entries = (entry.split() for line in table.splitlines() for entry in line.split("|"))
    return {phone: [tuple(choice.split("+")) for choice in choices.split(",")] for phone, choices in entries}


def _diphones(path):
    """Names of the diphones in a voice's file: lines "a-b begin ..." after the header."""
    text = path.read_bytes().split(b"EST_Header_End\n", 1)[1]
    names = set()
    for line in text.split(b"\n"):
        name, *numbers = line.split(b" ")
        if len(numbers) != 3 or not all(number.isdigit() for number in numbers):
            break
        names.add(name.decode("latin-1"))
    return names


class Festival:
    """One festival process, which says one utterance at a time. http://festvox.org/festival"""

    def __init__(self):
        self._process = subprocess.Popen(["festival", "--pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, text=True)
        self._file = tempfile.NamedTemporaryFile(suffix=".raw", dir="/dev/shm")
        self._voice, self._known = None, {}

    def _parts(self, voice):
        """(choices of each English phone, diphones, pause) of a voice."""
        if voice not in self._known:
            files = list(DATA.glob(f"*/{voice}/group/*.group"))
            if len(files) != 1:
                raise RuntimeError(f"expected festival's voice {voice} in {DATA}, found {len(files)} of it: see README.md")
            choices = _choices(VOICES[voice][0])
            self._known[voice] = choices, _diphones(files[0]), choices["pau"][0][0]
        return self._known[voice]

    @staticmethod
    def _accents(voice):
        return _choices(VOICES[voice][2]) if VOICES[voice][2] else {}

    def _phones(self, voice, segments, rng):
        """[(English phone, seconds)] -> [(phone of the voice, seconds)], as few gaps in it as can be."""
        choices, diphones, pause = self._parts(voice)
        accented = rng.uniform(0, ACCENTED)
        choices = choices | {phone: [rng.choice(ways), *choices[phone]]
                             for phone, ways in self._accents(voice).items() if rng.random() < accented}
        missing = lambda a, b: 0.0 if f"{a}-{b}" in diphones else MISSING
        best = [(0.0, [(pause, LEAD)])]
        for phone, seconds in [*segments, ("pau", LEAD)]:
            following = []
            for rank, choice in enumerate(choices[phone]):
                own = rank + sum(missing(a, b) for a, b in zip(choice, choice[1:]))
                cost, path = min(((c + missing(p[-1][0], choice[0]) + own, p) for c, p in best), key=lambda way: way[0])
                following.append((cost, path + [(name, seconds / len(choice)) for name in choice]))
            best = following
        path = min(best, key=lambda way: way[0])[1]
        joined = [path[0]]
        for name, seconds in path[1:]:
            if missing(joined[-1][0], name) and pause not in (joined[-1][0], name):
                joined.append((pause, GAP))
                seconds = max(seconds - GAP, 0.01)
            joined.append((name, seconds))
        return joined

    def speak(self, voice, segments, pitch, rng):
        """int16 samples and their rate. segments: [(English phone, seconds)]; pitch: a factor."""
        phones = self._phones(voice, segments, rng)
        middle, total, at = VOICES[voice][1] * pitch, sum(seconds for _, seconds in phones), 0.0
        spoken = []
        for name, seconds in phones:
            # A falling line with a lively step on it.
            hertz = middle * (1.12 - 0.25 * at / total) * np.exp(rng.gauss(0, 0.06))
            spoken.append(f"({name} {seconds:.4f} ({seconds / 2:.4f} {hertz:.1f}))")
            at += seconds
        change = "" if voice == self._voice else f"(voice_{voice})"
        self._voice = voice
        # An error breaks off the line it is in; the next one is read all the same.
        self._process.stdin.write(
            f"{change}(set! u (Utterance Segments ({' '.join(spoken)})))(utt.synth u)"
            f'(utt.save.wave u "{self._file.name}" (quote raw))'
            '(format t "rate %d\\n" (cadr (assoc (quote sample_rate) (wave.info (utt.wave u)))))\n'
            '(format t "end\\n")(fflush nil)\n')
        self._process.stdin.flush()
        rate = 0
        for line in self._process.stdout:
            if line.startswith("rate "):
                rate = int(line.split()[1])
            if line == "end\n":
                break
        if not rate:
            raise RuntimeError(f"festival could not speak with {voice}: are its language's packages there (README.md)?")
        return np.fromfile(self._file.name, np.int16), rate
