# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Write the trained checkpoints as a model folder in the published layout: everything in bf16, names as published.

And read such a folder back, to go on training it.
"""

import argparse
import json
from pathlib import Path

import sentencepiece
import torch
from safetensors.torch import load_file, save_file

from model import MIMI_CONFIG, SPOKEN, lm_config

FILES = {"moshi_name": "model.safetensors", "mimi_name": "mimi.safetensors", "mimi_config_name": "mimi.json",
         "tokenizer_name": "tokenizer.model"}
LARGEST = 17_000_000  # bytes of all files together
USAGE = 10.0          # of each code in a batch, about: how slowly the codebooks of a model read back move


def pack_attention(state):
    """The reference holds one linear layer per weight set; published files hold them stacked under the older names."""
    packed, sets = {}, {}
    for name, value in state.items():
        head, found, tail = name.partition(".in_projs.") if ".in_projs." in name else name.partition(".out_projs.")
        if not found:
            packed[name] = value
            continue
        target = head + (".in_proj_weight" if "in_projs" in found else ".out_proj.weight")
        sets.setdefault(target, {})[int(tail.split(".")[0])] = value
    for target, parts in sets.items():
        packed[target] = torch.cat([parts[index] for index in sorted(parts)])
    return packed


def plain_codebooks(state):
    """Store each codebook's vectors themselves: the running sums lose too much in bf16."""
    state = dict(state)
    for name in [n for n in state if n.endswith("embedding_sum")]:
        usage = name.replace("embedding_sum", "cluster_usage")
        state[name] = state[name] / state[usage].clamp(min=1e-5)[:, None]
        state[usage] = torch.ones_like(state[usage])
    return state


def write(path, state):
    save_file({name: value.to(torch.bfloat16).contiguous() for name, value in pack_attention(state).items()}, path)
    path.chmod(0o644)  # safetensors writes a private file


def export(codec_path, lm_path, folder):
    codec, lm = (torch.load(path, map_location="cpu") for path in (codec_path, lm_path))
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / FILES["mimi_name"], plain_codebooks(codec["mimi"]))
    write(folder / FILES["moshi_name"], lm["lm"])
    (folder / FILES["tokenizer_name"]).write_bytes(lm["tokenizer"])
    text_card = sentencepiece.SentencePieceProcessor(model_proto=lm["tokenizer"]).vocab_size()
    config = lm_config(text_card) | FILES | {"model_type": "moshi", "lm_gen_config": {"temp": 0.0, "temp_text": 0.0}}
    for name, value in (("config.json", config), (FILES["mimi_config_name"], MIMI_CONFIG)):
        (folder / name).write_text(json.dumps(value, indent=2) + "\n")
    size = sum(path.stat().st_size for path in folder.iterdir())
    if size > LARGEST:
        raise RuntimeError(f"{folder} holds {size} bytes, more than {LARGEST}: make the model smaller in model.py")
    print(f"{folder}: {size} bytes, {SPOKEN} codebooks, {text_card} text tokens")


def read_start(path):
    """What a training starts from: a checkpoint, or an exported model's folder, which has no heads and no replies."""
    path = Path(path)
    if not path.is_dir():
        return torch.load(path, map_location="cpu")
    codec, lm = ({name: value.float() for name, value in load_file(path / FILES[file]).items()}
                 for file in ("mimi_name", "moshi_name"))
    for name, value in codec.items():
        if name.endswith(("embedding_sum", "cluster_usage")):
            value *= USAGE
    return {"mimi": codec, "lm": lm, "tokenizer": (path / FILES["tokenizer_name"]).read_bytes()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--codec", required=True, help="checkpoint of train_codec after its speaking stage")
    parser.add_argument("--lm", required=True, help="checkpoint of train_lm")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    export(options.codec, options.lm, options.folder)


if __name__ == "__main__":
    main()
