# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Random checkpoints in the published layout, made of the reference's own modules."""

import copy
import json
import math
import re
from pathlib import Path

import sentencepiece
import torch
from moshi.models import loaders
from safetensors.torch import save_file

from presets import preset
from sentences import SENTENCES

# Keys of config.json that CheckpointInfo.from_hf_repo takes away before building the model.
_NOT_OF_THE_MODEL = ("model_type", "lm_gen_config", "stt_config", "tts_config", "model_id")


# ------------------------------------------------------------------------------------------- codec

def _voice(samples, rate):
    """A rough stand-in for speech, [1, 1, samples]: buzzing and hissing syllables."""
    t = torch.arange(samples) / rate
    pitch = 130 + 40 * torch.sin(2 * math.pi * 0.7 * t)
    phase = 2 * math.pi * torch.cumsum(pitch / rate, 0)
    buzz = sum(torch.sin(k * phase + k) / k for k in range(1, 20))
    syllable = torch.sin(2 * math.pi * 3.1 * t).clamp(min=0) * torch.sin(2 * math.pi * 0.4 * t).abs()
    hiss = torch.randn(samples) * torch.sin(2 * math.pi * 1.3 * t).clamp(min=0)
    return (0.15 * syllable * buzz + 0.1 * hiss)[None, None]


def _unit_variance(module, _inputs, output):
    """Forward hook: scales the module's weight so that its output has unit variance."""
    bias = 0 if module.bias is None else module.bias.view(-1, *[1] * (output.dim() - 2))
    scale = (output - bias).std()
    module.weight.data /= scale
    return (output - bias) / scale + bias


def _random_codebooks(rvq, latents, generator):
    """Codebooks scattered around what the levels get for `latents`, with uneven usage counts."""
    residual = rvq.input_proj(latents).transpose(1, 2)[0]
    spread = residual.std()
    for layer in rvq.vq.layers:
        book = layer._codebook
        chosen = torch.randint(len(residual), (book.codebook_size,), generator=generator)
        noise = torch.randn(book.embedding_sum.shape, generator=generator)
        usage = torch.rand(book.codebook_size, generator=generator) * 20
        usage[::50] = 0  # the reference divides by at least 1e-5
        book.cluster_usage[:] = usage
        book.embedding_sum[:] = (residual[chosen] + 0.5 * spread * noise) * usage.clamp(min=1e-5)[:, None]
        book._initialized.fill_(1)
        residual = residual - book.decode(book.encode(residual))
    rvq.output_proj(torch.randn(1, rvq.output_proj.in_channels, 100))


@torch.no_grad()
def random_mimi(config, seed):
    """A codec whose activations keep their size through all layers and whose codes vary with the input."""
    torch.manual_seed(seed)
    model = loaders.get_mimi(None, config, num_codebooks=config["quantizer"]["n_q"])
    for name, value in model.named_parameters():
        if "layer_scale" in name:
            value.uniform_(0.1, 0.5)
        elif "norm" in name and not name.endswith("bias"):
            value.normal_(1, 0.1)
        elif name.endswith("bias"):
            value.normal_(0, 0.1)
        elif "gating" in name:  # applied without calling a module, so the hooks below do not see it
            value.normal_(0, value.shape[-1] ** -0.5)
    linear = (torch.nn.Conv1d, torch.nn.ConvTranspose1d, torch.nn.Linear)
    hooks = [module.register_forward_hook(_unit_variance) for module in model.modules() if isinstance(module, linear)]
    latents = model._encode_to_unquantized_latent(_voice(80 * model.frame_size, model.sample_rate))
    generator = torch.Generator().manual_seed(seed)
    for rvq in (model.quantizer.rvq_first, model.quantizer.rvq_rest):
        _random_codebooks(rvq, latents, generator)
    model.decode(model.quantizer.encode(latents))
    for hook in hooks:
        hook.remove()
    last = model.decoder.model[-1].conv.conv  # speech is quieter than unit variance
    last.weight *= 0.1
    last.bias *= 0.1
    return model


# ---------------------------------------------------------------------------------- language model

@torch.no_grad()
def random_lm(config, seed, spread=2):
    """A language model (float32) whose logits spread over a few times `spread`."""
    torch.manual_seed(seed)
    kwargs = {k: v for k, v in copy.deepcopy(config).items() if k not in _NOT_OF_THE_MODEL}
    model = loaders.get_moshi_lm(None, kwargs, device="cpu", dtype=torch.float32)
    for name, value in model.named_parameters():
        if "layer_scale" in name:
            value.uniform_(0.2, 0.8)
        elif re.search(r"norm\w*(\.\d+)?\.(weight|alpha)$", name):
            value.normal_(1, 0.2)
        elif name.endswith("bias"):
            value.normal_(0, 0.2)
        elif name.startswith("emb.") or name.startswith("text_emb."):
            value.normal_(0, (config["n_q"] + 1) ** -0.5)
        elif re.match(r"depformer_(text_)?emb", name) and "low_rank" not in name:
            value.normal_(0, 1)
        elif name.startswith("linears.") or "text_linear" in name or "extra_heads" in name:
            value.normal_(0, spread * value.shape[-1] ** -0.5)
        elif "condition_provider" in name:
            value.normal_(0, 0.5)
        else:
            value.normal_(0, value.shape[-1] ** -0.5)
    if config["model_type"] == "hibiki":
        model.text_linear.weight[2] *= 2  # end of text comes often enough for a run to end
    return model


# ------------------------------------------------------------------------------------------- names

def _packed(state, joint):
    """Per-step attention weights side by side in one tensor: what published files have."""
    packed, parts = {}, {}
    for name, value in state.items():
        match = re.fullmatch(r"(.*\.)(in|out)_projs\.(\d+)\.weight", name)
        if match:
            prefix, side, step = match.groups()
            name = prefix + ("in_proj_weight" if side == "in" and not joint else f"{side}_proj.weight")
            parts.setdefault(name, {})[int(step)] = value
        else:
            packed[name] = value
    return packed | {name: torch.cat([sets[i] for i in sorted(sets)]) for name, sets in parts.items()}


def _legacy_codebooks(state, embedding_name):
    names = {"_initialized": "inited", "cluster_usage": "cluster_size", "embedding_sum": embedding_name}
    return {re.sub(r"(?<=_codebook\.)\w+$", lambda m: names[m[0]], k): v for k, v in state.items()}


# How a state dict of the reference's current modules is named in a file; all of these it loads.
NAMINGS = {
    "packed": lambda state: _packed(state, joint=False),
    "joint": lambda state: _packed(state, joint=True),
    "split": dict,
    "legacy_sum": lambda state: _legacy_codebooks(_packed(state, joint=False), "embed_sum"),
    "legacy_avg": lambda state: _legacy_codebooks(_packed(state, joint=False), "embed_avg"),
}


def _save(state, path, shards=1):
    """Writes a state dict, into `shards` files behind an index where that is more than one."""
    state = {k: v.contiguous().clone() for k, v in state.items()}
    if shards == 1:
        save_file(state, path)
        return
    weight_map = {}
    for shard in range(shards):
        part = {k: state[k] for k in sorted(state)[shard::shards]}
        name = f"{path.stem}-{shard + 1:05}-of-{shards:05}.safetensors"
        save_file(part, path.with_name(name))
        weight_map |= {k: name for k in part}
    size = sum(v.numel() * v.element_size() for v in state.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    path.with_name(path.name + ".index.json").write_text(json.dumps(index))


def write_tokenizer(path, vocabulary):
    """A SentencePiece model with the special ids of the published ones: 0 unk, 1 bos, 2 eos, 3 pad."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_prefix=str(path.with_suffix("")), model_type="bpe",
        vocab_size=vocabulary, hard_vocab_limit=False, character_coverage=1.0, unk_id=0, bos_id=1, eos_id=2,
        pad_id=3, minloglevel=2)
    path.with_suffix(".vocab").unlink()


def write_checkpoint(name, directory, seed=1, dtype="float32", naming="packed", shards=1, absolute_urls=False):
    """Makes the checkpoint of preset `name` in `directory` and returns the directory.

    `dtype` is that of the language model's tensors, `naming` one of NAMINGS, `shards` the number of files the
    language model is split into; `absolute_urls` writes file:// values into config.json.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    lm_config, mimi_config = preset(name)
    files = {"mimi_name": "mimi.safetensors", "mimi_config_name": "mimi.json"}
    _save(NAMINGS[naming](random_mimi(mimi_config, seed).state_dict()), directory / files["mimi_name"])
    (directory / files["mimi_config_name"]).write_text(json.dumps(mimi_config, indent=1))
    if lm_config is None:  # a codec alone: the smallest language model configuration that uses all of it
        lm_config = preset("sin_rope")[0] | {"card": mimi_config["quantizer"]["bins"]}
        lm_config |= {"n_q": mimi_config["quantizer"]["n_q"], "dep_q": 0, "extra_heads_num_heads": 0}
        lm_config |= {"delays": [0] * (lm_config["n_q"] + 1), "model_type": "stt"}
    else:
        files |= {"moshi_name": "model.safetensors", "tokenizer_name": "tokenizer.model"}
        lm_naming = "packed" if naming.startswith("legacy") else naming
        state = NAMINGS[lm_naming](random_lm(lm_config, seed, 0.3 if name == "tiny" else 2).state_dict())
        _save({k: v.to(getattr(torch, dtype)) for k, v in state.items()}, directory / files["moshi_name"], shards)
        write_tokenizer(directory / files["tokenizer_name"], lm_config["text_card"])
    if absolute_urls:
        files = {key: f"file://{(directory / value).absolute()}" for key, value in files.items()}
    (directory / "config.json").write_text(json.dumps(lm_config | files, indent=1))
    return directory
