# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Train the codec in two stages, each for a number of seconds and from a checkpoint if one is given.

Started by torchrun, hearing runs on all its GPUs.

hearing:  the encoder and all codebooks, from the phones that are spoken; the user's codebooks (the first ones) must name
          the phones, whoever speaks. Moshi's own voice must also be decodable, lightly. Writes Moshi's replies as codes.
speaking: the decoder alone, on frozen codes of Moshi's voice: spectra first, then discriminators.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from augment import augment, frame_times
from common import Budget, Captured, Together, learning_rate, log, save, set_learning_rate, settle_backends, wait_for
from data import Pool, level_gains, to_device
from export import read_start
from make_data import TESTS
from losses import Discriminators, SpectralLoss
from model import FRAME, HEARD, SPEECH_DELAY, latents, make_mimi, speak
from replies import encode_replies, moshi_gains, paste
from speech import PHONES, SAMPLE_RATE

HEARING_FRAMES, HEARING_ROWS, MOSHI_ROWS = 60, 80, 10  # rows on each GPU
HEADS_ALONE = 150      # steps in which new heads are learnt on a codec that hears already
LABEL_LAG = 0.08  # seconds by which a frame's phones lie before it: time to hear them out
SPEAKING_FRAMES, SPEAKING_ROWS, CROP = 40, 32, 8192


class Heads(nn.Module):
    """Training only: read two phones a frame from the first codebook, and from all that the LM hears of the user."""

    def __init__(self, dimension=128):
        super().__init__()
        classes = 2 * len(PHONES)
        self.first = nn.Conv1d(dimension, classes, 1)
        self.heard = nn.Sequential(nn.Conv1d(dimension, 256, 1), nn.GELU(), nn.Conv1d(256, classes, 1))

    @staticmethod
    def loss(logits, labels):
        """logits [B, 2 x phones, T], labels [B, 2 T] -> (cross entropy, share of right speech labels)"""
        logits = logits.float().unflatten(1, (2, len(PHONES))).permute(0, 3, 1, 2).flatten(1, 2)
        weight = torch.where(labels > 0, 1.0, 0.3)
        entropy = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
        speech = labels > 0
        right = ((logits.argmax(2) == labels) & speech).sum() / speech.sum().clamp(min=1)
        return (entropy * weight).sum() / weight.sum(), right


def quantize(quantizer, z, active=True):
    """z [B, 128, T] -> (first codebook's part, heard part, everything, commitment), each [B, 128, T], straight through.

    With active false nothing is quantized: the projections alone are trained.
    """
    first, rest = quantizer.rvq_first, quantizer.rvq_rest
    u, v = first.input_proj(z), rest.input_proj(z)
    if not active:
        y = first.output_proj(u)
        both = y + rest.output_proj(v)
        return y, both, both, z.new_zeros(())
    result = first.vq.layers[0](u)
    y, commitment = first.output_proj(result.quantized), result.loss
    residual, total = v, torch.zeros_like(v)
    for level, layer in enumerate(rest.vq.layers):
        result = layer(residual)
        commitment = commitment + result.loss
        total = total + result.quantized.detach()
        residual = residual - result.quantized.detach()
        if level == HEARD - 2:
            heard = y + rest.output_proj(v + (total - v).detach())
    return y, heard, y + rest.output_proj(v + (total - v).detach()), commitment


def draw_rows(rng, pool, rows, samples, slots=2, speed=0.13):
    """Clips [rows, slots] one after the other, from a random place in the first, at speeds around 1."""
    clips = rng.integers(0, len(pool), (rows, slots))
    rates = np.clip(np.exp(rng.normal(0, speed, (rows, slots)) * (rng.random((rows, slots)) < 0.75)), 0.72, 1.38)
    lengths = pool.length[clips] / rates
    starts = np.empty((rows, slots))
    at = rng.uniform(-0.6, 0.4, rows) * np.minimum(lengths[:, 0], samples)
    for slot in range(slots):
        starts[:, slot] = np.round(at)
        at = at + lengths[:, slot] + rng.uniform(0.1, 1.2, rows) * SAMPLE_RATE
    return clips, starts, rates


def label_times(frames):
    return (np.arange(2 * frames) + 0.5) * FRAME / 2 / SAMPLE_RATE - LABEL_LAG


def delayed(wave):
    """What the decoder must say for codes of `wave`."""
    return F.pad(wave, (SPEECH_DELAY * FRAME, 0))[:, :wave.shape[1]]


@torch.no_grad()
def hearing_test(mimi, heads, pool, rows=512):
    """Share of speech labels read right from (first codebook, all heard ones), clean."""
    rng, samples = np.random.default_rng(5), HEARING_FRAMES * FRAME
    totals = []
    for _ in range(rows // 128):
        clips, starts, rates = draw_rows(rng, pool, 128, samples, slots=1, speed=0.0)
        wave = pool.waves(clips, np.abs(starts), rates, level_gains(rng, pool, clips, -25, -15), samples)
        labels = pool.phone_labels(clips, np.abs(starts), rates, label_times(HEARING_FRAMES))
        first, heard, _, _ = quantize(mimi.quantizer, latents(mimi, wave))
        totals.append([Heads.loss(logits, labels)[1].item() for logits in (heads.first(first), heads.heard(heard))])
    return np.mean(totals, 0)


def test_hearing(mimi, heads, tests, quiet):
    """Every process takes part, though one would do: evaluating changes the codebooks' buffers."""
    mimi.eval()
    for name, pool in tests.items():
        pool.wait(100)
        first, heard = hearing_test(mimi, heads, pool)
        if not quiet:
            log(stage="hearing test", set=name, first=float(first), heard=float(heard))


def train_hearing(options, device):
    together = Together(device)
    torch.manual_seed(options.seed)
    rng = np.random.default_rng([options.seed, together.rank])
    mimi, heads, spectral = make_mimi(device), Heads().to(device), SpectralLoss().to(device)
    heads_alone = 0
    if options.resume:
        state = read_start(options.resume)
        mimi.load_state_dict(state["mimi"])
        if "heads" in state:
            heads.load_state_dict(state["heads"])
        else:
            heads_alone = options.heads_alone
    torch.manual_seed(options.seed * 100 + together.rank)
    users = Pool(options.data, "train-*.npz", device, options.hours)
    moshi = Pool(options.data, "moshi.npz", device, 1)
    tests = {name: Pool(options.data, f"test-{name}*.npz", device, 1) for name in TESTS}
    users.wait(options.least_clips)
    moshi.wait(100)
    parameters = list(mimi.parameters()) + list(heads.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=2e-3, betas=(0.9, 0.95), weight_decay=0.02,
                                  fused=device.type == "cuda")
    samples, times = HEARING_FRAMES * FRAME, label_times(HEARING_FRAMES)
    codebooks = [buffer for name, buffer in mimi.quantizer.named_buffers()
                 if name.endswith(("embedding_sum", "cluster_usage"))]
    together.progress(0.0)  # all are ready
    budget, step, minutes = Budget(options.seconds, options.until), 0, 0
    while (done := together.progress(budget.progress)) < 1:
        users.poll()
        progress = 1.0 if options.resume else done
        strength = float(np.clip((progress - 0.04) / 0.22, 0, 1))
        quantized, decoding = progress > 0.2, progress > 0.6
        own = draw_rows(rng, moshi, MOSHI_ROWS, samples, speed=0.0)
        others = draw_rows(rng, users, HEARING_ROWS - MOSHI_ROWS, samples, slots=3)
        own_wave = moshi.waves(*own, moshi_gains(moshi, own[0]), samples)
        wave = torch.cat([own_wave, augment(
            users.waves(*others, level_gains(rng, users, others[0], -36, -14), samples),
            users.phone_labels(*others, frame_times(samples)), strength)])
        labels = torch.cat([moshi.phone_labels(*own, times), users.phone_labels(*others, times)])
        alone = step < heads_alone
        set_learning_rate(optimizer, learning_rate(step if alone else step - heads_alone, done, options.peak))
        mimi.train(not alone)
        with torch.set_grad_enabled(not alone):
            with torch.autocast(device.type, torch.bfloat16):
                z = latents(mimi, wave)
            first, heard, everything, commitment = quantize(mimi.quantizer, z.float(), quantized)
        loss_first, right_first = Heads.loss(heads.first(first), labels)
        loss_heard, right_heard = Heads.loss(heads.heard(heard), labels)
        loss = loss_first + loss_heard + 0.1 * commitment
        sound = torch.zeros((), device=device)
        if decoding and not alone:
            with torch.autocast(device.type, torch.bfloat16):
                made = speak(mimi, everything[:MOSHI_ROWS])
            sound = spectral(made.float(), delayed(own_wave))
            loss = loss + 0.15 * sound
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        together.average([p.grad for p in parameters if p.grad is not None])
        if quantized:
            together.average(codebooks)
        nn.utils.clip_grad_norm_(parameters, 2.0)
        optimizer.step()
        step += 1
        if together.rank == 0 and budget.due("log", 10):
            log(stage="hearing", seconds=budget.elapsed, step=step, clips=len(users), first=right_first.item(),
                heard=right_heard.item(), loss=loss_first.item(), commitment=commitment.item(), sound=sound.item())
        if int(done * budget.seconds / 60) > minutes:
            minutes += 1
            if together.rank == 0:
                save(options.out, mimi=mimi.state_dict(), heads=heads.state_dict())
            if quantized:
                test_hearing(mimi, heads, tests, together.rank > 0)
    test_hearing(mimi, heads, tests, together.rank > 0)
    if together.rank > 0:
        return
    save(options.out, mimi=mimi.state_dict(), heads=heads.state_dict(), replies=encode_replies(mimi, moshi),
         names=[info["reply"] for info in moshi.infos])


def draw_speech(rng, mimi, moshi, replies, reply_lengths, device):
    """Rows of Moshi's speech: (quantized latents, target wave, crop starts). A quarter is not aligned to frames."""
    rows, frames = SPEAKING_ROWS, SPEAKING_FRAMES
    clips = rng.integers(0, len(moshi), (rows, 3))
    lengths = reply_lengths[clips]
    starts = np.empty(clips.shape, np.int64)
    at = rng.integers(-12, 8, rows)
    for slot in range(3):
        starts[:, slot] = at
        at = at + lengths[:, slot] + rng.integers(0, 12, rows)
    free = np.arange(rows) < rows // 4
    # The table's first frame is silence, so the sound starts one frame later.
    offsets = (starts + 1) * FRAME + np.where(free[:, None], rng.integers(0, FRAME, (rows, 1)), 0)
    wave = moshi.waves(clips, offsets, np.ones(clips.shape), moshi_gains(moshi, clips), frames * FRAME)
    on = lambda array: to_device(array, device)
    cuts = np.full(clips.shape, frames)
    with torch.no_grad():
        codes = paste(replies["codes"], on(clips), on(starts), on(np.minimum(cuts, starts + lengths)), frames,
                      replies["silence"]).transpose(1, 2)
        encoded = mimi.encode(wave[:rows // 4, None])
        codes = torch.cat([encoded, codes[rows // 4:]])
        embedding = mimi.quantizer.decode(codes)
    middle = np.clip((starts[:, 1] + 1) * FRAME, 0, (frames * FRAME) - CROP)
    crops = np.clip(middle + rng.integers(-CROP, CROP, rows), 0, frames * FRAME - CROP)
    return embedding, delayed(wave), on(crops)


def train_speaking(options, device):
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    mimi, spectral, judges = make_mimi(device), SpectralLoss().to(device), Discriminators().to(device)
    state = torch.load(wait_for(options.resume), map_location=device)
    mimi.load_state_dict(state["mimi"])
    judges_path = Path(options.out).with_name("judges.pt")
    judged_before = judges_path.exists() and torch.load(judges_path, map_location="cpu")["trained"]
    if judged_before:
        judges.load_state_dict(torch.load(judges_path, map_location=device)["judges"])
    mimi.eval().requires_grad_(False)
    moshi = Pool(options.data, "moshi.npz", device, 1)
    moshi.wait(100)
    if [info["reply"] for info in moshi.infos] != state["names"]:
        raise RuntimeError("the data's replies are not those of the checkpoint: make the codec again")
    reply_lengths = state["replies"]["lengths"].cpu().numpy()
    replies = {name: value.to(device) for name, value in state["replies"].items()}
    parameters = [p for m in (mimi.upsample, mimi.decoder_transformer, mimi.decoder) for p in m.parameters()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    graph = device.type == "cuda"
    rate = lambda: torch.tensor(1e-3, device=device) if graph else 1e-3
    maker = torch.optim.AdamW(parameters, lr=rate(), betas=(0.8, 0.99), weight_decay=0.01, fused=graph, capturable=graph)
    judge = torch.optim.AdamW(judges.parameters(), lr=rate(), betas=(0.8, 0.99), weight_decay=0.01, fused=graph,
                              capturable=graph)
    half = lambda: torch.autocast(device.type, torch.bfloat16, cache_enabled=False)

    def crop(wave, starts):
        return wave.gather(1, starts[:, None] + torch.arange(CROP, device=device))

    def finish(loss):
        maker.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        maker.step()

    def spectral_step(embedding, target, _):
        with half():
            made = speak(mimi, embedding).float()
        loss = spectral(made, target)
        finish(loss)
        return loss.detach(), loss.detach(), loss.detach()

    def adversarial_step(embedding, target, starts):
        with half():
            made = speak(mimi, embedding).float()
        real, fake = crop(target, starts), crop(made, starts)
        judge.zero_grad(set_to_none=True)
        with half():
            judged = judges.judge_loss(real, fake.detach())
        judged.backward()
        judge.step()
        sound = spectral(made, target)
        with half():
            adversarial, distance = judges.maker_losses(real, fake)
        finish(5.0 * sound + adversarial + 2.0 * distance)
        return sound.detach(), judged.detach(), distance.detach()

    plain, against = Captured(spectral_step, device), Captured(adversarial_step, device)
    budget, step = Budget(options.seconds, options.until), 0
    begin = options.adversarial_from
    if begin is None:
        begin = 0.0 if judged_before else 0.35

    def keep():
        save(options.out, mimi=mimi.state_dict(), **{name: state[name] for name in ("heads", "names", "replies")})
        save(judges_path, judges=judges.state_dict(), trained=budget.progress >= begin)

    while budget.progress < 1:
        batch = draw_speech(rng, mimi, moshi, replies, reply_lengths, device)
        current = learning_rate(step, budget.progress, options.peak)
        adversarial = budget.progress >= begin
        set_learning_rate(maker, current * (0.5 if adversarial else 1.0))
        set_learning_rate(judge, current * 0.5)
        sound, judged, distance = (against if adversarial else plain)(*batch)
        step += 1
        if budget.due("log", 5):
            log(stage="speaking", seconds=budget.elapsed, step=step, sound=float(sound), judged=float(judged),
                distance=float(distance))
        if budget.due("save", 60):
            keep()
    keep()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=["hearing", "speaking"])
    parser.add_argument("--data", required=True, help="folder that make_data fills")
    parser.add_argument("--out", required=True, help="checkpoint to write")
    parser.add_argument("--resume", help="checkpoint or exported model to start from; the speaking stage needs a checkpoint")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--until", type=float, help="clock time (date +%%s) to end by, if that is earlier")
    parser.add_argument("--peak", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--adversarial-from", type=float,
                        help="share of the speaking stage before it; 0.35, or 0 where there are judges already")
    parser.add_argument("--heads-alone", type=int, default=HEADS_ALONE,
                        help="steps for the heads alone, where an exported model is the start")
    parser.add_argument("--hours", type=float, default=150, help="room for speech in GPU memory, 173 MB an hour")
    parser.add_argument("--least-clips", type=int, default=5000, help="clips to wait for at the start")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    own_gpu = int(os.environ.get("LOCAL_RANK", 0))
    device = torch.device("cuda", own_gpu) if torch.cuda.is_available() else torch.device("cpu")
    settle_backends()
    (train_hearing if options.stage == "hearing" else train_speaking)(options, device)


if __name__ == "__main__":
    main()
