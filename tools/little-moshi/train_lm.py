# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Train the language model on conversations over the frozen codec, for a number of seconds.

Hearing the conversations costs more than a step on them, so processes of their own do it, on any GPU; where they are
slower than the training, a recent conversation is used again.
"""

import argparse
import queue
import random
import tempfile
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from torch import multiprocessing, nn
from torch.nn import functional as F

import domain
from augment import augment, frame_times
from common import Budget, Captured, learning_rate, log, save, set_learning_rate, settle_backends, wait_for
from data import Pool, level_gains, to_device
from dialogue import ROW_FRAMES, Dialogues
from export import read_start
from make_data import TESTS
from model import FRAME, HEARD, PAD, SPOKEN, make_lm, make_mimi, train_tokenizer
from replies import paste, reply_texts
from respond import answer_questions

ROWS = 48
RECENT = 200         # batches of which one may be used again
USES = 3             # how often a batch may be used, on average
WORD_HEAD = 0.3      # weight of naming the user's words, in training only
PAD_WEIGHT = 0.3
SILENCE_WEIGHT = 0.05
BLURRED = 0.6        # largest noise on what is heard, in standard deviations: voices never heard are heard less clearly
STOPPED = 12         # frames after an interruption that weigh in full: else going on is cheaper than stopping


class Conversations:
    """Draws conversations as the language model gets them."""

    def __init__(self, options, tokenizer_bytes, device, seed):
        self.device, self.resumed = device, bool(options.resume)
        self.users = Pool(options.data, "train-*.npz", device, options.hours)
        self.users.wait(options.least_clips)
        codec = torch.load(wait_for(options.codec, self.users.poll), map_location="cpu")
        self.mimi = make_mimi(device)
        self.mimi.load_state_dict(codec["mimi"])
        self.mimi.eval().requires_grad_(False)
        self.mimi.set_num_codebooks(HEARD)
        tokenizer = sentencepiece.SentencePieceProcessor(model_proto=tokenizer_bytes)
        moshi = Pool(options.data, "moshi.npz", device, 1)
        moshi.wait(len(codec["names"]))
        self.texts = reply_texts(moshi, tokenizer, codec["replies"]["codes"].shape[1]).to(device)
        self.codes = codec["replies"]["codes"].to(device)
        self.silence = codec["replies"]["silence"].to(device)
        self.padding = torch.tensor(PAD, device=device)
        self.dialogues = Dialogues(self.users, codec["replies"], codec["names"], domain.question_words())
        self.rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        self.budget = Budget(options.seconds)

    @torch.no_grad()
    def draw(self):
        """-> codes [B, 1 + SPOKEN + HEARD, T], audible [B, T] (Moshi speaks), stopped [B, T] (it just fell silent for
        the user), words [B, T]"""
        self.users.poll()
        strength = 1.0 if self.resumed else float(np.clip(self.budget.progress / 0.3, 0.2, 1))
        plan = self.dialogues.draw(self.rng, ROWS)
        on = lambda array: to_device(array, self.device)
        clips = [plan[name] for name in ("clips", "starts", "rates")]
        wave = self.users.waves(*clips, level_gains(self.rng, self.users, clips[0], -36, -14), ROW_FRAMES * FRAME)
        phones = self.users.phone_labels(*clips, frame_times(ROW_FRAMES * FRAME))
        heard_wave = augment(wave, phones, strength, on(plan["silent"])[:, None])
        with torch.autocast(self.device.type, torch.bfloat16):
            latent = self.mimi._encode_to_unquantized_latent(heard_wave[:, None]).float()
        blur = torch.empty(ROWS, 1, 1, device=self.device).uniform_(-BLURRED, BLURRED).clamp(min=0)  # none in half the rows
        heard = self.mimi.quantizer.encode(latent + blur * latent.std() * torch.randn_like(latent))
        heard = torch.where(torch.rand(ROWS, 1, ROW_FRAMES, device=self.device) < 0.03, -1, heard)
        where = [on(plan[name]) for name in ("replies", "reply_starts", "cuts")]
        spoken = paste(self.codes, *where, ROW_FRAMES, self.silence).transpose(1, 2)
        text = paste(self.texts, *where, ROW_FRAMES, self.padding)
        audible = (spoken != self.silence[:, None]).any(1)
        since = torch.arange(ROW_FRAMES, device=self.device) - where[2][..., None]
        stopped = ((since >= 0) & (since < STOPPED)).any(1)
        return torch.cat([text[:, None], spoken, heard], 1), audible, stopped, on(plan["words"])


def _converse(options, tokenizer_bytes, device, seed, batches):
    """A process: puts conversations into the queue `batches`."""
    device = torch.device(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    settle_backends()
    source = Conversations(options, tokenizer_bytes, device, seed)
    while True:
        codes, audible, stopped, words = source.draw()
        drawn = (codes.short(), audible, stopped, words.short())
        batches.put(([tensor.cpu().numpy() for tensor in drawn], len(source.users)))


class Trainer:
    def __init__(self, options, device):
        self.device, self.options = device, options
        state = read_start(options.resume) if options.resume else {}
        self.tokenizer_bytes = state.get("tokenizer") or self._new_tokenizer()
        self.tokenizer = sentencepiece.SentencePieceProcessor(model_proto=self.tokenizer_bytes)
        self.words = domain.question_words()
        self.lm = make_lm(self.tokenizer.vocab_size(), device)
        self.word_head = nn.Linear(self.lm.dim, len(self.words)).to(device)
        if state:
            self.lm.load_state_dict(state["lm"])
            if "word_head" in state:
                self.word_head.load_state_dict(state["word_head"])
        self.lm.train()
        graph = device.type == "cuda"
        self.parameters = list(self.lm.parameters()) + list(self.word_head.parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=torch.tensor(1e-3, device=device) if graph else 1e-3, betas=(0.9, 0.95),
            weight_decay=0.05, fused=graph, capturable=graph)
        self.update = Captured(self._update, device)
        self.rng = random.Random(options.seed)
        self.recent, self.drawn, self.clips = [], 0, 0
        processes = multiprocessing.get_context("spawn")
        self.batches = processes.Queue(maxsize=8)
        self.helpers = [processes.Process(target=_converse, daemon=True, args=(
            options, self.tokenizer_bytes, where, options.seed * 100 + index, self.batches))
            for index, where in enumerate(options.helpers.split(",") if options.helpers else [str(device)])]
        for helper in self.helpers:
            helper.start()

    @staticmethod
    def _new_tokenizer():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "tokenizer.model"
            train_tokenizer(path)
            return path.read_bytes()

    def batch(self, step):
        """A new batch if there is one, else a recent one again, as long as none is used too often."""
        wait = not self.recent or step >= USES * self.drawn
        try:
            arrays, self.clips = self.batches.get(timeout=900 if wait else 0.001)
            self.drawn += 1
            chosen = [torch.from_numpy(array) for array in arrays]
            self.recent = self.recent[-RECENT:] + [chosen]
        except queue.Empty:
            if wait:
                raise RuntimeError("no conversation came: did the helpers end?") from None
            chosen = self.rng.choice(self.recent)
        codes, audible, stopped, words = [tensor.to(self.device) for tensor in chosen]
        return codes.long(), audible, stopped, words.long()

    def _update(self, codes, audible, stopped, words):
        with torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False):
            hidden = {}
            handle = self.lm.out_norm.register_forward_hook(lambda _, __, output: hidden.update(out=output))
            output = self.lm(codes)
            handle.remove()
            named = self.word_head(hidden["out"])
        text = codes[:, 0]
        weight = torch.where((text == PAD) & ~stopped, PAD_WEIGHT, 1.0)
        text_loss = (F.cross_entropy(output.text_logits[:, 0].float().transpose(1, 2), text, reduction="none")
                     * weight).sum() / weight.sum()
        logits = torch.where(output.mask[..., None], output.logits.float(), 0.0)
        entropy = F.cross_entropy(logits.flatten(0, 2), codes[:, 1:1 + SPOKEN].flatten(), reduction="none")
        weight = (torch.where(audible | stopped, 1.0, SILENCE_WEIGHT)[:, None] * output.mask).flatten()
        audio_loss = (entropy * weight).sum() / weight.sum()
        present = words >= 0
        word_entropy = F.cross_entropy(named.float().transpose(1, 2), words.clamp(min=0), reduction="none")
        word_loss = (word_entropy * present).sum() / present.sum().clamp(min=1)
        self.optimizer.zero_grad(set_to_none=True)
        (2.0 * text_loss + audio_loss + WORD_HEAD * word_loss).backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return text_loss.detach(), audio_loss.detach(), word_loss.detach()

    def save(self):
        weights = {name: value.to(torch.bfloat16) for name, value in self.lm.state_dict().items()}
        save(self.options.out, lm=weights, word_head=self.word_head.state_dict(),
             tokenizer=self.tokenizer_bytes)

    def train(self):
        first = self.batch(0)  # the time runs once there is something to train on
        budget, step = Budget(self.options.seconds, self.options.until), 0
        while budget.progress < 1:
            set_learning_rate(self.optimizer, learning_rate(step, budget.progress, self.options.peak))
            text, audio, word = self.update(*(self.batch(step) if step else first))
            step += 1
            if budget.due("log", 10):
                log(stage="lm", seconds=budget.elapsed, step=step, drawn=self.drawn, clips=self.clips, text=float(text),
                    audio=float(audio), word=float(word))
            if budget.due("save", 60):
                self.save()
        self.save()
        for helper in self.helpers:
            helper.terminate()

    def test(self):
        """Answer the test questions one turn each; log the share of exactly right texts."""
        self.lm.eval()
        mimi = make_mimi(self.device)
        mimi.load_state_dict(torch.load(self.options.codec, map_location="cpu")["mimi"])
        mimi.eval()
        for name in TESTS:
            pool = Pool(self.options.data, f"test-{name}*.npz", self.device, 1)
            pool.wait(100)
            answers = answer_questions(mimi, self.lm, self.tokenizer, pool, np.arange(min(len(pool), self.options.tests)))
            right = [a == i["reply"] for a, i in zip(answers, pool.infos)]
            topics = sorted({i["topic"] for i in pool.infos})
            by_topic = {t: np.mean([r for r, i in zip(right, pool.infos) if i["topic"] == t]).round(2).item()
                        for t in topics if any(i["topic"] == t for i in pool.infos[:len(right)])}
            log(stage="lm test", set=name, right=float(np.mean(right)), topics=by_topic)
            for answer, info in list(zip(answers, pool.infos))[:6]:
                print(f"  {info['voice']}: {info['question']!r} -> {answer!r}, expected {info['reply']!r}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder that make_data fills")
    parser.add_argument("--codec", required=True, help="checkpoint of train_codec after its hearing stage")
    parser.add_argument("--out", required=True, help="checkpoint to write")
    parser.add_argument("--resume", help="checkpoint or exported model to start from")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--until", type=float, help="clock time (date +%%s) to end by, if that is earlier")
    parser.add_argument("--peak", type=float, default=1.5e-3, help="highest learning rate")
    parser.add_argument("--hours", type=float, default=150, help="room for speech in GPU memory, 173 MB an hour")
    parser.add_argument("--least-clips", type=int, default=5000, help="clips to wait for at the start")
    parser.add_argument("--helpers", help="devices of the processes that hear conversations, such as cuda:0,cuda:1; "
                        "one on the training's device if not given")
    parser.add_argument("--device", help="device of the training")
    parser.add_argument("--tests", type=int, default=256, help="questions of each set to ask at the end")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    device = torch.device(options.device or ("cuda:0" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.manual_seed(options.seed)
    settle_backends()
    trainer = Trainer(options, device)
    trainer.train()
    if options.tests:
        trainer.test()


if __name__ == "__main__":
    main()
