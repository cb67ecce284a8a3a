// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "nn/conv.h"

#include <vector>

namespace moshi::nn {

Conv::Conv(const at::Tensor& weight, const at::Tensor& bias, const ConvOptions& options)
    : linear_(weight.transpose(1, 2).flatten(1), bias),
      in_channels_(weight.size(1)),
      kernel_(weight.size(2)),
      stride_(options.stride),
      dilation_(options.dilation),
      history_steps_((kernel_ - 1) * dilation_ + 1 - stride_),
      elu_(options.elu) {}

Conv Conv::transposed(const at::Tensor& weight, const at::Tensor& bias, const ConvOptions& options) {
  const int64_t stride = options.stride;
  const int64_t taps = (weight.size(2) + stride - 1) / stride;
  const at::Tensor padded = at::constant_pad_nd(weight, {0, taps * stride - weight.size(2)});
  // Output s of a window adds w[.., j * stride + s] times the input j steps back; windows run forward.
  // (flip has no kernel for the meta device, on which models are checked.)
  std::vector<at::Tensor> backwards;
  for (int64_t tap = taps - 1; tap >= 0; --tap) backwards.push_back(padded.narrow(2, tap * stride, stride));
  const at::Tensor by_tap = at::stack(backwards, 2);                      // [Cin, Cout, taps, stride]
  const at::Tensor as_conv = by_tap.permute({3, 1, 0, 2}).flatten(0, 1);  // [stride * Cout, Cin, taps]
  Conv conv(as_conv, bias.defined() ? bias.repeat({stride}) : bias, {1, 1, options.elu});
  conv.outputs_ = stride;
  return conv;
}

at::Tensor Conv::make_history(int64_t slots) const {
  return at::zeros({slots, history_steps_, in_channels_}, linear_.options());
}

at::Tensor Conv::operator()(const at::Tensor& x, at::Tensor& history, const Rows& rows) const {
  if (history_steps_ == 0) {
    return (*this)(x);
  }
  const int64_t steps = x.size(1);
  at::Tensor window = at::empty({x.size(0), history_steps_ + steps, in_channels_}, x.options());
  window.narrow(1, 0, history_steps_).copy_(rows.gather(history));
  at::Tensor fresh = window.narrow(1, history_steps_, steps);
  if (elu_) {
    at::elu_out(fresh, x, *elu_);  // ELU keeps zeros, so an unbegun stream is zeros after it, too.
  } else {
    fresh.copy_(x);
  }
  rows.scatter(history, window.narrow(1, steps, history_steps_));
  return apply(window);
}

at::Tensor Conv::operator()(const at::Tensor& x) const {
  return apply(elu_ ? at::elu(x, *elu_) : x.contiguous());
}

at::Tensor Conv::apply(const at::Tensor& window) const {
  const int64_t batch = window.size(0);
  const int64_t length = window.size(1);
  const int64_t count = (length - history_steps_) / stride_;
  const at::Tensor windows =
      window.as_strided({batch, count, kernel_, in_channels_},
                        {length * in_channels_, stride_ * in_channels_, dilation_ * in_channels_, 1});
  const at::Tensor y = linear_(windows.reshape({batch, count, kernel_ * in_channels_}));
  return y.view({batch, count * outputs_, y.size(2) / outputs_});
}

}  // namespace moshi::nn
