#!/usr/bin/python3
# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Asks the model what IN says and writes its reply to OUT.wav, its words with their times to stdout.

usage: talk.py IN OUT.wav [MODEL]"""
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

PIPELINE = ("filesrc name=in ! decodebin ! audioconvert ! audioresample ! "
            "mimienc name=encoder ! moshilm name=lm greedy=true ! mimidec name=decoder ! "
            "audioconvert ! audio/x-raw,format=S16LE ! wavenc ! filesink name=out "
            "lm.text_src ! fakesink name=words signal-handoffs=true async=false")


def print_piece(_sink, buffer, _pad):
    """On a thread of the pipeline: a piece of a word and its time; a leading space begins a word."""
    piece = buffer.extract_dup(0, buffer.get_size()).decode()
    print(f"{buffer.pts / Gst.SECOND:6.2f} {piece}", flush=True)


def make_pipeline(source, reply, model):
    """Elements that name the same model share one copy of it, in any number of pipelines."""
    pipeline = Gst.parse_launch(PIPELINE)
    pipeline.get_by_name("in").set_property("location", source)
    pipeline.get_by_name("out").set_property("location", reply)
    for name in ("encoder", "lm", "decoder"):
        pipeline.get_by_name(name).set_property("model", model)
    pipeline.get_by_name("words").connect("handoff", print_piece)
    return pipeline


def play(pipeline):
    """Plays to the end; returns what went wrong, if anything did."""
    pipeline.set_state(Gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    return message.parse_error()[0].message if message.type == Gst.MessageType.ERROR else None


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    Gst.init(None)
    sys.exit(play(make_pipeline(*sys.argv[1:], *[None] * (4 - len(sys.argv)))))
