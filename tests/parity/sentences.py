# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""What the synthesised voice says; also the text the checkpoints' vocabularies are learnt from."""

SENTENCES = [
    "good morning how are you today",
    "the quick brown fox jumps over the lazy dog",
    "could you tell me when the next train leaves for the coast",
    "it rained all night but the sky is clear and blue this morning",
    "please put two cups of flour and a pinch of salt into the bowl",
    "she sells fresh vegetables at the market every wednesday",
    "we walked along the river until the sun went down behind the hills",
    "my brother plays the violin and my sister plays the drums",
    "the museum opens at nine and closes at half past five",
    "what would you do with a whole week of free time",
    "he asked a simple question and waited quietly for the answer",
    "turn left at the bridge then follow the road through the forest",
    "seven zebras crossed the dusty plain in search of water",
    "the old clock in the hall strikes every quarter of an hour",
    "a warm kitchen smells of bread coffee and oranges",
    "nobody knew exactly where the small boat had come from",
    "children laughed and splashed in the shallow pool",
    "the engine hummed softly while snow fell on the valley",
    "let us try again slowly and listen to every single word",
    "thank you very much and have a pleasant journey home",
]
