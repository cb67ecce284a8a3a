# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Ask an exported model questions that were not in its training, and write what came out as Markdown tables.

The model runs in the reference package, moshi 0.2.13, or in gst-moshi with --pipeline, greedy. Sets: known voices with unseen combinations of content,
phrasing and voice; speakers made from them by shifting pitch and formants; unheard variants of espeak-ng; and the
speakers slt (flite) and ked (festival), never trained on.
The replies' audio is read by pocketsphinx with a grammar of all replies, beside the synthesiser's own audio.
"""

import argparse
import json
import random
import subprocess
import tempfile
import wave as wave_file
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from moshi.models.loaders import CheckpointInfo

import domain
import voices
from augment import augment, frame_times
from make_data import make_lexicon, speak_replies
from model import FRAME, FRAME_SECONDS, PAD, END_PAD
from respond import ANSWER, LISTEN, converse, text_of
from speech import SAMPLE_RATE, resample
from synthesisers import engines

LEVEL = 0.1  # RMS of the questions
BATCH = 32
PRONUNCIATIONS = {"kathmandu": "K AE T M AE N D UW", "moshi": "M OW SH IY", "oink": "OY NG K", "rabat": "R AH B AA T"}
SPHINX = Path("/usr/share/pocketsphinx/model/en-us")


class Reference:
    """The reference's own loader and generator on the exported folder, in float32, many conversations at a time."""

    def __init__(self, folder):
        info = CheckpointInfo.from_hf_repo(
            "local", moshi_weights=folder / "model.safetensors", mimi_weights=folder / "mimi.safetensors",
            tokenizer=folder / "tokenizer.model", config_path=folder / "config.json",
            mimi_config_path=folder / "mimi.json")
        self._mimi, self._lm = info.get_mimi(), info.get_moshi(dtype=torch.float32).eval()
        self._tokenizer = info.get_text_tokenizer()

    def talk(self, waves, audio=False):
        """waves [B, samples] -> for each ([(start in seconds, word)], the reply's audio or None)"""
        return [pair for part in np.array_split(waves, -(-len(waves) // BATCH)) for pair in self._talk(part, audio)]

    def _talk(self, waves, audio):
        tokens = converse(self._mimi, self._lm, torch.from_numpy(waves).float())
        sounds = [None] * len(waves)
        if audio:
            self._mimi.set_num_codebooks(tokens.shape[1] - 1)
            with torch.no_grad():
                sounds = self._mimi.decode(tokens[:, 1:])[:, 0].numpy()
            sounds = np.pad(sounds, ((0, 0), (FRAME, 0)))
        # Token frame 0 leaves after the second audio frame, and sounds from then on.
        return [([((index + 1) * FRAME_SECONDS, text_of([token], self._tokenizer))
                  for index, token in enumerate(row) if token not in (PAD, END_PAD)], sound)
                for row, sound in zip(tokens[:, 0].tolist(), sounds)]


class Pipeline:
    """The command gst-moshi: GStreamer from file to file, a process for each conversation."""

    def __init__(self, folder, command, jobs):
        self._folder, self._command, self._jobs = folder, command, jobs

    def talk(self, waves, audio=False):
        with ThreadPoolExecutor(self._jobs) as pool:
            return list(pool.map(self._talk, waves))

    def _talk(self, wave):
        with tempfile.TemporaryDirectory() as folder:
            save_wave(f"{folder}/in.wav", wave, SAMPLE_RATE)
            result = subprocess.run(
                [self._command, "talk", f"{folder}/in.wav", f"{folder}/out.wav", "--model", self._folder, "--greedy",
                 "--device", "cpu", "--json"], check=True, capture_output=True, text=True)
            with wave_file.open(f"{folder}/out.wav") as file:
                sound = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
        return [(word["start"], word["text"]) for word in json.loads(result.stdout)["words"]], sound


def text_between(words, begin=0.0, end=np.inf):
    return " ".join(word for start, word in words if begin <= start < end)


def speak_with_festival(questions, voice):
    """int16 arrays at SAMPLE_RATE, all from one run of festival."""
    with tempfile.TemporaryDirectory() as folder:
        script = "".join(f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{folder}/{index}.wav" (quote riff))\n'
                         for index, text in enumerate(questions))
        subprocess.run(["festival", "--pipe"], input=f"(voice_{voice})\n{script}", text=True, check=True)
        waves = []
        for index in range(len(questions)):
            with wave_file.open(f"{folder}/{index}.wav") as file:
                pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
                waves.append(resample(pcm, file.getframerate()))
        return waves


def make_questions(count, seed):
    """-> {set: [(info, pcm)]}"""
    rng, lexicon, spoken_by = random.Random(seed), make_lexicon(1), engines()
    sets = defaultdict(list)

    def speak(name, draw_voice, held_out):
        while len(sets[name]) < count:
            topic, question, reply = domain.draw(rng)
            voice, function = draw_voice()
            if held_out and not domain.is_held_out(question, voice):
                continue
            utterance = function(spoken_by, question, lexicon)
            if utterance is not None:
                info = {"topic": topic, "question": question, "reply": reply, "voice": voice}
                sets[name].append((info, utterance.pcm))

    def known(made):
        while True:
            voice, function = voices.draw_voice(rng)
            if voice.endswith("+") == made:
                return voice, function

    speak("known voices", lambda: known(False), True)
    speak("speakers made from known voices", lambda: known(True), True)
    speak("unheard espeak-ng variants", lambda: voices.draw_voice(rng, "espeak"), False)
    speak("unheard speaker slt", lambda: voices.draw_voice(rng, "slt"), False)
    drawn = [domain.draw(rng) for _ in range(count)]
    spoken = speak_with_festival([question for _, question, _ in drawn], "ked_diphone")
    sets["unheard speaker ked"] = [({"topic": t, "question": q, "reply": r, "voice": "festival:ked"}, pcm)
                                   for (t, q, r), pcm in zip(drawn, spoken)]
    return sets


def telephone(waves):
    spectrum = np.fft.rfft(waves)
    hertz = np.fft.rfftfreq(waves.shape[1], 1 / SAMPLE_RATE)
    return np.fft.irfft(spectrum * ((hertz > 300) & (hertz < 3400)), waves.shape[1])


def noisy(waves, decibels=10):
    return waves + np.random.default_rng(3).normal(0, LEVEL * 10 ** (-decibels / 20), waves.shape)


def opus(waves):
    """Through Opus at 16 kbit/s, all rows as one stream."""
    with tempfile.TemporaryDirectory() as folder:
        save_wave(f"{folder}/in.wav", waves.reshape(-1), SAMPLE_RATE)
        pipeline = (f"filesrc location={folder}/in.wav ! wavparse ! audioconvert ! opusenc bitrate=16000 ! opusdec ! "
                    f"audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate={SAMPLE_RATE},channels=1 ! "
                    f"filesink location={folder}/out.raw")
        subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], check=True)
        out = np.fromfile(f"{folder}/out.raw", np.int16)[:waves.size] / 32768
    return np.pad(out, (0, waves.size - len(out))).reshape(waves.shape)


CONDITIONS = {"clean": lambda w: w, "telephone band": telephone, "noise 10 dB": noisy, "Opus 16 kbit/s": opus}


def question_rows(pcms):
    """-> (waves [B, samples], end of each question in seconds)"""
    begin = int(LISTEN * SAMPLE_RATE)
    length = begin + max(map(len, pcms)) + int(ANSWER * SAMPLE_RATE)
    waves = np.zeros((len(pcms), -(-length // FRAME) * FRAME))
    ends = []
    for row, pcm in zip(waves, pcms):
        clip = pcm / 32768
        row[begin:begin + len(pcm)] = clip * (LEVEL / np.sqrt((clip**2).mean()))
        ends.append((begin + np.flatnonzero(np.abs(clip) > 0.01 * np.abs(clip).max())[-1]) / SAMPLE_RATE)
    return waves, np.array(ends)


def ask(model, questions, condition, audio=False):
    """-> ([answer], [seconds from the question's end to the first word], [reply wave])"""
    waves, ends = question_rows([pcm for _, pcm in questions])
    told = model.talk(CONDITIONS[condition](waves), audio)
    # A word's start is its frame's; it can be known when the frame has ended.
    delays = [words[0][0] + FRAME_SECONDS - end if words else np.nan for (words, _), end in zip(told, ends)]
    return [text_between(words) for words, _ in told], delays, [sound for _, sound in told] if audio else []


def save_wave(path, samples, rate):
    with wave_file.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes())


def recognise(waves):
    """What pocketsphinx's own English model reads in each wave, out of all replies."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index, samples in enumerate(waves):
            count = len(samples) * 2 // 3
            save_wave(folder / f"{index}.wav", np.fft.irfft(np.fft.rfft(samples)[:count // 2 + 1], count) * 2 / 3, 16000)
        (folder / "list").write_text("\n".join(map(str, range(len(waves)))))
        (folder / "replies.jsgf").write_text("#JSGF V1.0;\ngrammar replies;\npublic <reply> = " +
                                             " | ".join(domain.replies()) + ";\n")
        words = (SPHINX / "cmudict-en-us.dict").read_text()
        (folder / "words").write_text(words + "".join(f"{word} {phones}\n" for word, phones in PRONUNCIATIONS.items()))
        subprocess.run(["pocketsphinx_batch", "-hmm", str(SPHINX / "en-us"), "-jsgf", str(folder / "replies.jsgf"),
                        "-dict", str(folder / "words"), "-ctl", str(folder / "list"), "-cepdir", name, "-cepext", ".wav",
                        "-adcin", "yes", "-adchdr", "44", "-hyp", str(folder / "heard"), "-logfn", "/dev/null"], check=True)
        heard = {}
        for line in (folder / "heard").read_text().splitlines():
            text, _, key = line.rpartition("(")
            heard[int(key.split()[0])] = text.strip()
        return [heard.get(index, "") for index in range(len(waves))]


def silent_minutes(model, count):
    """Of `count` minutes of silence, noise or music: True where not a word was said."""
    torch.manual_seed(0)
    samples = 750 * FRAME
    phones = torch.zeros(1, len(frame_times(samples)), dtype=torch.int64)
    waves = [augment(torch.zeros(1, samples), phones, 1.0, torch.ones(1, 1, dtype=torch.bool))[0].numpy()
             for _ in range(count)]
    return [not words for words, _ in model.talk(np.stack(waves))]


def lay(wave, pcm, at):
    """Add a question at LEVEL to `wave` from `at` seconds on. -> its end in seconds"""
    begin = int(at * SAMPLE_RATE)
    clip = pcm[:len(wave) - begin] / 32768
    wave[begin:begin + len(clip)] += clip * (LEVEL / np.sqrt((clip**2).mean()))
    return at + len(clip) / SAMPLE_RATE


def long_session(model, questions, every=10):
    """The questions in one session, one each `every` seconds: whether each was answered right."""
    wave = np.zeros(len(questions) * every * SAMPLE_RATE // FRAME * FRAME)
    for index, (_, pcm) in enumerate(questions):
        lay(wave, pcm, index * every + 1)
    words, _ = model.talk(wave[None])[0]
    return [text_between(words, index * every, (index + 1) * every) == info["reply"]
            for index, (info, _) in enumerate(questions)]


def interruptions(model, count, seed):
    """A question breaks into a long reply: whether Moshi is silent one second later (no word, no sound while the
    question goes on), and whether it then answers the question. -> ([silent], [answered])"""
    rng, lexicon, spoken_by = random.Random(seed + 1), make_lexicon(1), engines()

    def speak(topic, seconds):
        while True:
            _, question, reply = domain.draw(rng, topic)
            voice, function = voices.draw_voice(rng)
            utterance = function(spoken_by, question, lexicon)
            long_enough = utterance is not None and len(utterance.pcm) > seconds * SAMPLE_RATE
            if long_enough and (topic is None or len(domain.words(reply)) > 5):
                return utterance.pcm, reply

    waves, spans, replies = np.zeros((count, 250 * FRAME)), [], []
    for wave in waves:
        first, _ = speak("count", 0.0)
        second, reply = speak(None, 1.6)
        begin = lay(wave, first, LISTEN) + rng.uniform(1.2, 2.0)
        spans.append((begin, lay(wave, second, begin)))
        replies.append(reply)
    silent, answered = [], []
    for (words, sound), (begin, end), reply in zip(model.talk(waves, audio=True), spans, replies):
        rest = sound[int((begin + 1) * SAMPLE_RATE):int(end * SAMPLE_RATE)]
        silent.append(not text_between(words, begin + 1, end) and np.sqrt((rest**2).mean()) < LEVEL / 10)
        answered.append(text_between(words, end) == reply)
    return silent, answered


def share(flags):
    return f"{100 * np.mean(flags):.1f} %" if len(flags) else "-"


def table(head, rows):
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [head, ["---"] * len(head), *rows]) + "\n"


def report(model, options):
    sets, degraded = make_questions(options.questions, options.seed), options.degraded
    topics, rows, delays, by_topic, lines = list(domain.TOPICS), [], [], defaultdict(list), []
    for name, questions in sets.items():
        row = [name, len(questions)]
        for condition in CONDITIONS:
            chosen = questions if condition == "clean" else questions[:degraded]
            answers, waits, replies = ask(model, chosen, condition, audio=condition == "clean" and name == "known voices")
            right = [answer == info["reply"] for answer, (info, _) in zip(answers, chosen)]
            row.append(share(right))
            if condition == "clean":
                delays += waits
                for ok, (info, _) in zip(right, chosen):
                    by_topic[name, info["topic"]].append(ok)
            if replies:
                heard = recognise(replies)
                same = [text == answer for text, answer in zip(heard, answers)]
                lines.append(f"Recognised as the words of the reply's own text: {share(same)} of {len(heard)} replies.")
        rows.append(row)
        print(row, flush=True)
    originals = speak_replies(make_lexicon(1))
    heard = recognise([utterance.pcm / 32768 for utterance, _ in originals])
    lines.append("The same recogniser on the synthesiser's own audio: " +
                 share([text == info["reply"] for text, (_, info) in zip(heard, originals)]) + f" of {len(heard)} replies.")
    if options.minutes:
        lines.append("Minutes of silence, noise or music without a word: "
                     f"{share(silent_minutes(model, options.minutes))} of {options.minutes}.")
    if options.session:
        right = long_session(model, sets["known voices"][:options.session])
        half = len(right) // 2
        lines.append(f"One session of {len(right)} questions in known voices: first half {share(right[:half])} right, "
                     f"second half {share(right[half:])}.")
    if options.interruptions:
        silent, answered = interruptions(model, options.interruptions, options.seed)
        lines.append(f"Interrupted while counting: silent within one second in {share(silent)} of {len(silent)}, "
                     f"and the interrupting question answered right in {share(answered)}.")
    waits = np.array(delays)
    waits = waits[~np.isnan(waits)]
    lines.append(f"From the end of the question to the reply's first word: median {np.median(waits):.2f} s, "
                 f"95th percentile {np.percentile(waits, 95):.2f} s ({len(waits)} replies).")
    return "\n".join([
        table(["right answers", "questions", *CONDITIONS], rows),
        table(["clean, by topic", *topics], [[name, *(share(by_topic[name, t]) for t in topics)] for name in sets]), *lines])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="an exported model")
    parser.add_argument("--questions", type=int, default=100, help="questions in each of the five sets")
    parser.add_argument("--degraded", type=int, default=100, help="of those, how many also in each other condition")
    parser.add_argument("--minutes", type=int, default=20, help="minutes without speech")
    parser.add_argument("--session", type=int, default=60, help="questions in one long session, ten seconds each")
    parser.add_argument("--interruptions", type=int, default=30, help="replies to interrupt")
    parser.add_argument("--pipeline", metavar="COMMAND", help="ask through this gst-moshi instead of the reference")
    parser.add_argument("--jobs", type=int, default=2, help="its processes at a time")
    parser.add_argument("--seed", type=int, default=99)
    options = parser.parse_args()
    model = (Pipeline(options.folder, options.pipeline, options.jobs) if options.pipeline else Reference(options.folder))
    print(report(model, options))


if __name__ == "__main__":
    main()
