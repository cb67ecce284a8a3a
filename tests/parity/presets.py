# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Configurations of the random checkpoints: small, and together covering what config.json can say."""

import copy


def mimi_config(**changes):
    """The published codec (moshi/models/loaders.py: _mimi_config) with `changes`, given as part__key=value."""
    config = {
        "sample_rate": 24000,
        "channels": 1,
        "frame_rate": 12.5,
        "seanet": {
            "channels": 1, "dimension": 512, "causal": True, "n_filters": 64, "n_residual_layers": 1,
            "activation": "ELU", "compress": 2, "dilation_base": 2, "disable_norm_outer_blocks": 0,
            "kernel_size": 7, "residual_kernel_size": 3, "last_kernel_size": 3, "norm": "none",
            "pad_mode": "constant", "ratios": [8, 6, 5, 4], "true_skip": True,
        },
        "quantizer": {"dimension": 256, "n_q": 32, "bins": 2048, "input_dimension": 512, "output_dimension": 512},
        "transformer": {
            "d_model": 512, "num_heads": 8, "num_layers": 8, "causal": True, "layer_scale": 0.01,
            "context": 250, "conv_layout": True, "max_period": 10000, "gating": "none", "norm": "layer_norm",
            "positional_embedding": "rope", "dim_feedforward": 2048, "input_dimension": 512,
            "output_dimensions": [512],
        },
    }
    for name, value in changes.items():
        part, _, key = name.partition("__")
        if key:
            config[part][key] = value
        else:
            config[part] = value
    dimension = config["seanet"]["dimension"]
    config["quantizer"].update(input_dimension=dimension, output_dimension=dimension)
    config["transformer"].update(d_model=dimension, input_dimension=dimension, output_dimensions=[dimension])
    return config


def small_mimi(bins, n_q):
    """A codec with the published rates and few channels, for language models of that many codes."""
    return mimi_config(
        seanet__n_filters=4, seanet__dimension=64, quantizer__dimension=16, quantizer__bins=bins,
        quantizer__n_q=max(n_q, 2), transformer__num_layers=2, transformer__num_heads=4,
        transformer__dim_feedforward=128, transformer__context=30)


MIMI = {
    "mimi_published": mimi_config(),
    # 25 frames/s of three latents each, a context that is no multiple of three, dilated residual blocks.
    "mimi_odd_strides": mimi_config(
        frame_rate=25, seanet__ratios=[8, 5, 4, 2], seanet__n_filters=6, seanet__dimension=48,
        seanet__n_residual_layers=2, seanet__dilation_base=3, seanet__kernel_size=5,
        seanet__residual_kernel_size=5, seanet__last_kernel_size=7, seanet__compress=3,
        quantizer__dimension=24, quantizer__n_q=12, quantizer__bins=500, transformer__num_layers=3,
        transformer__num_heads=4, transformer__dim_feedforward=100, transformer__context=40,
        transformer__max_period=1000),
    # 16 kHz, no resampling between latents and frames, shortcuts with weights, another kind of transformer.
    "mimi_odd_rates": mimi_config(
        sample_rate=16000, frame_rate=50, seanet__ratios=[5, 4, 4, 4], seanet__n_filters=4,
        seanet__dimension=64, seanet__true_skip=False, seanet__compress=1, seanet__last_kernel_size=5,
        quantizer__dimension=64, quantizer__n_q=5, quantizer__bins=129, transformer__num_layers=1,
        transformer__num_heads=4, transformer__kv_repeat=2, transformer__dim_feedforward=192,
        transformer__context=25, transformer__gating="silu", transformer__norm="rms_norm_f32",
        transformer__positional_embedding="rope_concat", transformer__layer_scale=None),
}


def _delays(*groups):
    """0 for text, then for each group (count, delay): 0 for its first stream and `delay` for the others."""
    return [0] + [d for count, delay in groups for d in [0] + [delay] * (count - 1)]


# What published Moshi-family language models have in common.
_COMMON = {
    "model_type": "moshi", "causal": True, "norm": "rms_norm_f32", "positional_embedding": "rope",
    "gating": "silu", "max_period": 10000, "layer_scale": None, "existing_text_padding_id": 3,
    "depformer_gating": "silu", "depformer_pos_emb": "none", "depformer_multi_linear": True,
    "depformer_weights_per_step": True, "depformer_layer_scale": None, "depformer_context": 8,
}
_GATINGS = ["sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "mish", "softsign", "identity"]

LM = {
    # moshi/tests/test_lm.py's configuration: everything else is a constructor default.
    "tiny": {
        "model_type": "moshi", "delays": [0, 1, 2, 4], "n_q": 3, "dep_q": 3, "card": 32, "text_card": 48,
        "dim": 16, "num_layers": 2, "num_heads": 1, "hidden_scale": 1, "context": 4, "depformer_dim": 16,
        "depformer_num_heads": 1, "depformer_gating": "silu", "depformer_multi_linear": True,
        "depformer_weights_per_step": True, "depformer_weights_per_step_schedule": [0, 1, 1],
        "depformer_low_rank_embeddings": 8,
    },
    "moshi7b_small": _COMMON | {
        "dim": 128, "text_card": 200, "n_q": 16, "dep_q": 8, "card": 256, "num_heads": 4, "num_layers": 3,
        "hidden_scale": 4.125, "context": 16, "depformer_dim": 64, "depformer_dim_feedforward": 264,
        "depformer_num_heads": 4, "depformer_num_layers": 2, "depformer_max_period": 10000,
        "delays": _delays((8, 1), (8, 1)),
    },
    "hibiki_small": _COMMON | {
        "model_type": "hibiki", "dim": 96, "text_card": 160, "n_q": 32, "dep_q": 16, "card": 256,
        "num_heads": 3, "num_layers": 2, "hidden_scale": 4.125, "context": 40, "max_period": 100000,
        "depformer_dim": 48, "depformer_dim_feedforward": 144, "depformer_num_heads": 4,
        "depformer_num_layers": 2, "depformer_low_rank_embeddings": 12,
        "depformer_weights_per_step_schedule": list(range(8)) + [8] * 8,
        "delays": _delays((16, 2), (16, 2)),
        "lm_gen_config": {"temp": 0.8, "temp_text": 0.8, "top_k": 250, "top_k_text": 50},
        "conditioners": {"description": {"type": "lut", "lut": {
            "dim": 16, "n_bins": 31, "tokenizer": "noop",
            "possible_values": ["very_bad", "bad", "neutral", "good", "very_good"]}}},
        "fuser": {"cross_attention_pos_emb": False, "cross_attention_pos_emb_scale": 1,
                  "sum": ["description"], "prepend": [], "cross": []},
    },
    "sin_layernorm": {
        "model_type": "moshi", "dim": 64, "text_card": 120, "n_q": 4, "dep_q": 2, "card": 100, "num_heads": 2,
        "num_layers": 2, "hidden_scale": 3, "context": 12, "norm": "layer_norm", "norm_emb": True,
        "bias_proj": True, "positional_embedding": "sin", "positional_scale": 0.7, "max_period": 500,
        "gating": "none", "depformer_dim": 32, "depformer_num_heads": 2, "depformer_num_layers": 1,
        "depformer_gating": "gelu", "depformer_pos_emb": "sin", "depformer_weights_per_step": True,
        "delays": [0, 0, 1, 0, 3],
    },
    "gqa": _COMMON | {
        "dim": 64, "text_card": 150, "text_card_out": 120, "n_q": 6, "dep_q": 3, "card": 128, "num_heads": 4,
        "num_layers": 3, "hidden_scale": 4, "context": 9, "norm": "rms_norm", "kv_repeat": 2,
        "layer_scale": 0.3, "positional_embedding": "rope_concat", "depformer_dim": 48,
        "depformer_num_heads": 4, "depformer_num_layers": 2, "depformer_norm": "layer_norm",
        "depformer_layer_scale": 0.2, "depformer_dim_feedforward": [192, 120, 96],
        "delays": _delays((3, 1), (3, 2)),
    },
    "stt_small": _COMMON | {
        "model_type": "stt", "dim": 96, "text_card": 180, "n_q": 8, "dep_q": 0, "card": 256, "num_heads": 3,
        "num_layers": 3, "hidden_scale": 4.125, "context": 15, "max_period": 100000, "depformer_dim": 64,
        "depformer_num_heads": 2, "delays": [0] * 9, "extra_heads_num_heads": 4, "extra_heads_dim": 6,
        "lm_gen_config": {"temp": 0, "temp_text": 0, "top_k": 250, "top_k_text": 50},
        "stt_config": {"audio_delay_seconds": 0.5, "audio_silence_prefix_seconds": 1.0},
    },
    "sin_rope": _COMMON | {
        "dim": 64, "text_card": 100, "n_q": 3, "dep_q": 2, "card": 64, "num_heads": 2, "num_layers": 2,
        "hidden_scale": 3, "context": 10, "norm": "layer_norm_f32", "positional_embedding": "sin_rope",
        "gating": "elu", "depformer_dim": 32, "depformer_num_heads": 2, "depformer_num_layers": 2,
        "depformer_pos_emb": "rope", "depformer_gating": "mish", "depformer_norm": "layer_norm_f32",
        "delays": [0, 2, 1, 0],
    },
    # LMModel.forward of the reference cannot evaluate this norm there, LMGen can.
    "depth_rms_norm": _COMMON | {
        "dim": 64, "text_card": 100, "n_q": 4, "dep_q": 2, "card": 64, "num_heads": 2, "num_layers": 2,
        "hidden_scale": 3, "context": 10, "depformer_dim": 32, "depformer_num_heads": 2,
        "depformer_num_layers": 2, "depformer_norm": "rms_norm", "delays": [0, 0, 1, 0, 1],
    },
} | {
    f"gating_{name}": _COMMON | {
        "dim": 32, "text_card": 64, "n_q": 3, "dep_q": 2, "card": 32, "num_heads": 2, "num_layers": 2,
        "hidden_scale": 3, "context": 8, "gating": name, "depformer_dim": 32, "depformer_num_heads": 2,
        "depformer_num_layers": 1, "depformer_gating": name, "delays": [0, 0, 1, 0],
    } for name in _GATINGS
}


def preset(name):
    """(config.json without file names or None, codec configuration) of a preset."""
    if name in MIMI:
        return None, copy.deepcopy(MIMI[name])
    config = copy.deepcopy(LM[name])
    return config, small_mimi(config["card"], max(config["dep_q"], config["n_q"] - config["dep_q"]))
