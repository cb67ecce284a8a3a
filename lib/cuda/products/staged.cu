// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/products/staged.h"

#include "cuda/products/norm_shared.cuh"
#include "cuda/products/staged.cuh"

namespace moshi::cuda {
namespace {

/// f32 columns, which every block converts.
template <Element E>
struct Converted : Plain, Prepared {
  const float* x;
  int* overflows;
  Converted(const float* values, int count, int* counter) : Prepared{count}, x(values), overflows(counter) {}
  __host__ __device__ size_t scratch_bytes(int) const { return 0; }
  __host__ __device__ size_t kept_bytes() const { return 0; }
  __device__ void begin(char*, int) const {}
  __device__ void prepare(char* operands, char*, char*, int depth) const {
    auto* typed = reinterpret_cast<typename Operand<E>::Type*>(operands);
    int* counted = blockIdx.x == 0 ? overflows : nullptr;  // Every block finds the same.
    for (int column = 0; column < columns; ++column) {
      for (int k = threadIdx.x * 4; k < depth; k += kThreads * 4) {
        store_four<E>(typed + activation_index(k, column, columns),
                      load_four(x + static_cast<size_t>(column) * depth + k), counted);
      }
    }
    __syncthreads();
  }
};

/// f32 columns, which every block norms for products with bf16 weights.
struct Normed : Plain, Prepared {
  const float* x;
  const float* weight;
  float epsilon;
  int depth;
  Normed(const float* values, int count, const Norm& norm, int features)
      : Prepared{count}, x(values), weight(norm.weight), epsilon(norm.epsilon), depth(features) {}
  __host__ __device__ size_t scratch_bytes(int) const { return sizeof(float) * columns * depth; }
  __host__ __device__ size_t kept_bytes() const { return sizeof(float) * depth; }
  __device__ void begin(char* kept, int) const {
    for (int k = threadIdx.x * 4; k < depth; k += kThreads * 4) {
      *reinterpret_cast<float4*>(kept + sizeof(float) * k) = *reinterpret_cast<const float4*>(weight + k);
    }
  }
  __device__ void prepare(char* operands, char* scratch, char* kept, int) const {
    auto* typed = reinterpret_cast<__nv_bfloat16*>(operands);
    normalize_shared<kThreads / kWarp, kMostPrepared>(
        x, reinterpret_cast<const float*>(kept), epsilon, columns, depth, reinterpret_cast<float*>(scratch),
        [&](int k, int column, float4 v) {
          store_four<Element::BF16>(typed + activation_index(k, column, columns), v, nullptr);
        });
  }
};

template <Element E>
int launch(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  if (x.columns <= kTileColumns) {
    return launch_staged_few<E>(w, Copied(x.values, x.columns), output, overlap, stream);
  }
  const Direct input(x.values, x.columns);
  // Few row groups leave multiprocessors for more blocks of fewer columns.
  if (x.columns <= 2 * kTileColumns || w.row_groups() <= limits().multiprocessors) {
    return launch_staged<E, 1, 2>(w, input, output, overlap, stream);
  }
  return x.columns <= 4 * kTileColumns ? launch_staged<E, 1, 4>(w, input, output, overlap, stream)
                                       : launch_staged<E, 1, 8>(w, input, output, overlap, stream);
}

template <Element E>
int launch_converted(const Matrix& w, const float* x, int columns, const Output& output, bool overlap,
                     void* stream) {
  return launch_staged_few<E>(w, Converted<E>(x, columns, output.overflows), output, overlap, stream);
}

}  // namespace

bool staged_takes(const Matrix& w, int columns) {
  if (w.element == Element::F32 || limits().major < 9) return false;
  const int tile_bytes =
      w.element == Element::BF16 ? Fragment<Element::BF16>::kTileBytes : Fragment<Element::Int8>::kTileBytes;
  constexpr int kOther = 16 * 1024;  // What a block takes besides weights.
  const int64_t of_group = static_cast<int64_t>(w.depth / kTileDepth) * tile_bytes;
  // The next one's blocks must find room beside.
  const bool fits =
      2 * (of_group + kOther) <= limits().shared &&
      2 * of_group * w.row_groups() <= static_cast<int64_t>(limits().shared) * limits().multiprocessors;
  // In between others are as fast or faster (measured on an H100).
  const bool pays = columns <= kMostPrepared || columns > 2 * kTileColumns ||
                    (columns > kTileColumns && w.row_groups() < limits().multiprocessors);
  return fits && pays;
}

bool staged_takes(const Matrix& w, int columns, const Norm& norm) {
  // With int8 weights a norm inside is faster where these stream (measured on an H200).
  const bool norms = is_plain_rms(norm) && w.element == Element::BF16;
  return (norm.none || norms) && columns <= kMostPrepared && staged_takes(w, columns);
}

int multiply_staged(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  return w.element == Element::BF16 ? launch<Element::BF16>(w, x, output, overlap, stream)
                                    : launch<Element::Int8>(w, x, output, overlap, stream);
}

int multiply_staged(const Matrix& w, const float* x, int columns, const Norm& norm, const Output& output,
                    bool overlap, void* stream) {
  if (!norm.none) {
    return launch_staged_few<Element::BF16>(w, Normed(x, columns, norm, w.depth), output, overlap, stream);
  }
  return w.element == Element::BF16 ? launch_converted<Element::BF16>(w, x, columns, output, overlap, stream)
                                    : launch_converted<Element::Int8>(w, x, columns, output, overlap, stream);
}

}  // namespace moshi::cuda
