# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""Speech as it sounds after Opus, by the library. https://opus-codec.org/docs/opus_api-1.3.1/"""

import ctypes as C

import numpy as np

from speech import SAMPLE_RATE

FRAME = SAMPLE_RATE // 50
LARGEST = 1500  # bytes of a packet
AUDIO = 2049    # OPUS_APPLICATION_AUDIO
SET_BITRATE, SET_VBR, GET_LOOKAHEAD, RESET = 4002, 4006, 4027, 4028


class Opus:
    def __init__(self):
        self._lib = C.CDLL("libopus.so.0")
        for name in ("opus_encoder_create", "opus_decoder_create"):
            getattr(self._lib, name).restype = C.c_void_p
        error = C.c_int()
        self._encoder = C.c_void_p(self._lib.opus_encoder_create(SAMPLE_RATE, 1, AUDIO, C.byref(error)))
        self._decoder = C.c_void_p(self._lib.opus_decoder_create(SAMPLE_RATE, 1, C.byref(error)))
        lookahead = C.c_int32()
        self._lib.opus_encoder_ctl(self._encoder, GET_LOOKAHEAD, C.byref(lookahead))
        self._lib.opus_encoder_ctl(self._encoder, SET_VBR, C.c_int(0))
        self._lookahead = lookahead.value

    def through(self, pcm, bitrate):
        """int16 at SAMPLE_RATE -> the same length, not delayed"""
        self._lib.opus_encoder_ctl(self._encoder, RESET)
        self._lib.opus_decoder_ctl(self._decoder, RESET)
        self._lib.opus_encoder_ctl(self._encoder, SET_BITRATE, C.c_int(bitrate))
        frames = -(-(len(pcm) + self._lookahead) // FRAME)
        source = np.zeros(frames * FRAME, np.int16)
        source[:len(pcm)] = pcm
        made, packet = np.zeros_like(source), C.create_string_buffer(LARGEST)
        address = lambda array, index: C.c_void_p(array[index * FRAME:].ctypes.data)
        for index in range(frames):
            size = self._lib.opus_encode(self._encoder, address(source, index), FRAME, packet, LARGEST)
            self._lib.opus_decode(self._decoder, packet, size, address(made, index), FRAME, 0)
        return made[self._lookahead:self._lookahead + len(pcm)]
