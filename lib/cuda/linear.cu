// Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
#include "cuda/device.cuh"
#include "cuda/linear.h"

namespace moshi::cuda {
namespace {

constexpr int kChains = 8;  // A warp each.
constexpr int kTileColumns = 8;

// ------------------------------------------------------------------------------------------ weights

/// 16 bytes that are read once: not kept in the first cache.
__device__ inline uint4 load_once(const void* address) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(address));
  return v;
}

/// One lane's part of one tile.
template <Element E>
struct Fragment {
  static constexpr int kPieces = E == Element::F32 ? 4 : E == Element::BF16 ? 2 : 1;
  static constexpr int kTileBytes = kPieces * kWarp * 16;
  uint4 pieces[kPieces];
  __device__ void load(const char* tile, int lane) {
#pragma unroll
    for (int i = 0; i < kPieces; ++i) pieces[i] = load_once(tile + (i * kWarp + lane) * 16);
  }
};

/// Two of four bytes (values plus 128) as f16: prmt puts them under the exponent of 1024.
__device__ inline unsigned half_pair(unsigned bytes, unsigned selector) {
  const unsigned raised = __byte_perm(bytes, 0x64646464U, selector);
  const __half2 value = __hsub2(*reinterpret_cast<const __half2*>(&raised), __float2half2_rn(1152.0F));
  return *reinterpret_cast<const unsigned*>(&value);
}

// ------------------------------------------------------------------------- products with tensor cores

template <Element E>
__device__ inline void mma(float (&sum)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
#if __CUDA_ARCH__ >= 800
  if constexpr (E == Element::BF16) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  } else {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
  }
#endif
}

/// The registers of mma's weights for half h of a tile.
template <Element E>
__device__ inline void weights_of(const Fragment<E>& fragment, int h, unsigned (&a)[4]) {
  if constexpr (E == Element::BF16) {
    const uint4 v = fragment.pieces[h];
    a[0] = v.x, a[1] = v.y, a[2] = v.z, a[3] = v.w;
  } else {
    const uint4 v = fragment.pieces[0];
    const unsigned first = h == 0 ? v.x : v.z;
    const unsigned second = h == 0 ? v.y : v.w;
    a[0] = half_pair(first, 0x4240), a[1] = half_pair(first, 0x4341);
    a[2] = half_pair(second, 0x4240), a[3] = half_pair(second, 0x4341);
  }
}

/// A warp's sums of one row group: mma's layout, a lane has rows g, g + 8 of columns 2 t, 2 t + 1.
template <Element E, int ColumnTiles>
struct TensorSums {
  float sums[ColumnTiles][4] = {};

  __device__ void add(const Fragment<E>& weights, const uint4 (&x)[ColumnTiles]) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      unsigned a[4];
      weights_of(weights, h, a);
#pragma unroll
      for (int tile = 0; tile < ColumnTiles; ++tile) {
        mma<E>(sums[tile], a, h == 0 ? x[tile].x : x[tile].z, h == 0 ? x[tile].y : x[tile].w);
      }
    }
  }
  /// To `part` [16][stride].
  __device__ void store(float* part, int stride, int lane) const {
    const int g = lane / 4;
    const int t = lane % 4;
#pragma unroll
    for (int tile = 0; tile < ColumnTiles; ++tile) {
      float* place = part + g * stride + tile * kTileColumns + 2 * t;
      place[0] = sums[tile][0];
      place[1] = sums[tile][1];
      place[8 * stride] = sums[tile][2];
      place[8 * stride + 1] = sums[tile][3];
    }
  }
};

/// What lane (g, t) multiplies of a tile's activations: column g of each column tile.
template <int ColumnTiles>
__device__ inline void load_columns(const Activations& x, int first_column, int tile, int lane,
                                    uint4 (&v)[ColumnTiles]) {
  const auto* values = static_cast<const unsigned short*>(x.values);
#pragma unroll
  for (int i = 0; i < ColumnTiles; ++i) {
    const int column = first_column + i * kTileColumns + lane / 4;
    v[i] = make_uint4(0, 0, 0, 0);
    if (column < x.columns) {
      // Past the first cache: the kernel before may still have run beside this one.
      v[i] = __ldcg(
          reinterpret_cast<const uint4*>(values + (tile * x.columns + column) * kTileDepth + lane % 4 * 8));
    }
  }
}

// ---------------------------------------------------------------------- products without tensor cores

/// Lane (g, t)'s weights of a tile: rows g and g + 8 at k = 8 t to 8 t + 7.
template <Element E>
__device__ inline void unpack(const Fragment<E>& fragment, float (&w)[2][8]) {
  if constexpr (E == Element::F32) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const auto v = *reinterpret_cast<const float4*>(&fragment.pieces[i]);
      float* place = &w[i / 2][i % 2 * 4];
      place[0] = v.x, place[1] = v.y, place[2] = v.z, place[3] = v.w;
    }
  } else if constexpr (E == Element::BF16) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {  // Register i: half, pair, row half.
      const auto* words = reinterpret_cast<const unsigned*>(&fragment.pieces[i / 4]);
      const unsigned word = words[i % 4];
      float* place = &w[i % 2][i / 4 * 4 + i % 4 / 2 * 2];
      place[0] = __uint_as_float(word << 16);
      place[1] = __uint_as_float(word & 0xFFFF0000U);
    }
  } else {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&fragment.pieces[0]);
#pragma unroll
    for (int i = 0; i < 16; ++i) w[i % 2][i / 2] = static_cast<float>(bytes[i]) - 128.0F;
  }
}

template <Element E>
__device__ inline void load_operands(const Activations& x, int index, float (&v)[8]) {
  using Type = typename Operand<E>::Type;
  const auto* values = static_cast<const Type*>(x.values) + index;
#pragma unroll
  for (int i = 0; i < 8; ++i) v[i] = static_cast<float>(__ldcg(values + i));
}

/// A warp's sums of one row group and 8 columns: a lane has rows g and g + 8, and a quarter of each depth.
template <Element E>
struct PlainSums {
  float sums[2][kTileColumns] = {};

  __device__ void add(const Fragment<E>& fragment, const Activations& x, int first_column, int tile,
                      int lane) {
    float w[2][8];
    unpack(fragment, w);
#pragma unroll
    for (int i = 0; i < kTileColumns; ++i) {
      if (first_column + i >= x.columns) break;
      float v[8];
      load_operands<E>(x, (tile * x.columns + first_column + i) * kTileDepth + lane % 4 * 8, v);
#pragma unroll
      for (int k = 0; k < 8; ++k) {
        sums[0][i] = fmaf(w[0][k], v[k], sums[0][i]);
        sums[1][i] = fmaf(w[1][k], v[k], sums[1][i]);
      }
    }
  }
  __device__ void store(float* part, int stride, int lane) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
#pragma unroll
      for (int i = 0; i < kTileColumns; ++i) {
        float sum = sums[half][i];
        sum += __shfl_xor_sync(~0U, sum, 1);
        sum += __shfl_xor_sync(~0U, sum, 2);
        if (lane % 4 == 0) part[(lane / 4 + 8 * half) * stride + i] = sum;
      }
    }
  }
};

// ------------------------------------------------------------------------------------------ results

__device__ inline float activate(Activation kind, float x) {
  switch (kind) {
    case Activation::Silu:
      return x / (1.0F + expf(-x));
    case Activation::Gelu:
      return 0.5F * x * (1.0F + erff(x * 0.70710678118654752F));
    case Activation::Relu:
      return fmaxf(x, 0.0F);
    case Activation::Sigmoid:
      return 1.0F / (1.0F + expf(-x));
    case Activation::Tanh:
      return tanhf(x);
    case Activation::LeakyRelu:
      return x > 0 ? x : 0.01F * x;
    case Activation::Elu:
      return x > 0 ? x : expm1f(x);
    case Activation::Mish:
      return x * tanhf(log1pf(expf(x)));
    case Activation::Softsign:
      return x / (1.0F + fabsf(x));
    case Activation::Identity:
      break;
  }
  return x;
}

/// The chains' sums of a block's rows and columns, which it adds up.
struct ChainSums {
  const float* parts;  ///< [kChains][rows][stride].
  int rows;
  int stride;
  const float* scale;  ///< Of the block's first row, or null.
  const float* bias;

  __device__ float operator()(int row, int column) const {
    float sum = parts[row * stride + column];
    for (int chain = 1; chain < kChains; ++chain) sum += parts[(chain * rows + row) * stride + column];
    if (scale != nullptr) sum *= scale[row];
    return bias != nullptr ? sum + bias[row] : sum;
  }
};

__device__ inline float looked_up(const Output& output, int row, int token) {
  if (token < 0) return 0.0F;
  const size_t index = static_cast<size_t>(token) * output.stride + row;
  return output.table_bf16 ? __bfloat162float(static_cast<const __nv_bfloat16*>(output.table)[index])
                           : static_cast<const float*>(output.table)[index];
}

template <Element E>
__device__ inline void write_next(const Output& output, int feature, int column, float value) {
  auto* next = static_cast<typename Operand<E>::Type*>(output.next.values);
  store(next[activation_index(feature, column, output.next.columns)], value, output.overflows);
}

/// Row and column are those of the whole product.
template <Element E>
__device__ inline void write(const Output& output, int row, int column, float y) {
  float* value = output.values + static_cast<size_t>(column) * output.stride + row;
  switch (output.kind) {
    case Output::Kind::Store:
      *value = y;
      break;
    case Output::Kind::Add:
      // Past the first cache: its line may be older than what another kernel's block wrote to it.
      *value = __ldcg(value) + (output.scale != nullptr ? output.scale[row] * y : y);
      break;
    case Output::Kind::Lookup:
      *value = y + looked_up(output, row, __ldcg(output.tokens + column));
      break;
    default:
      write_next<E>(output, row, column, activate(output.activation, y));
  }
}

template <Element E>
__device__ inline void write_all(const Output& output, const ChainSums& sums, int rows_in_all, int first_row,
                                 int first_column, int columns) {
  if (output.kind == Output::Kind::Gate) {
    for (int i = threadIdx.x; i < sums.rows / 2 * columns; i += blockDim.x) {
      const int j = i % (sums.rows / 2);
      const int row = j / 8 * kTileRows + j % 8;
      if (first_row + row + 8 >= rows_in_all) continue;
      const int column = i / (sums.rows / 2);
      const float gated = activate(output.activation, sums(row, column)) * sums(row + 8, column);
      write_next<E>(output, first_row / 2 + j, first_column + column, gated);
    }
    return;
  }
  for (int i = threadIdx.x; i < sums.rows * columns; i += blockDim.x) {
    const int row = i % sums.rows;
    if (first_row + row >= rows_in_all) continue;
    const int column = i / sums.rows;
    write<E>(output, first_row + row, first_column + column, sums(row, column));
  }
}

// ------------------------------------------------------------------------------------------ kernels

/// Walks a warp's chain: `use(i, fragments)` for tile chain + 8 i of each row group, weights read ahead.
template <Element E, int RowGroups, int Ahead, typename Use>
__device__ inline void walk_chain(const Matrix& w, int first_group, int chain, int lane, const Use& use) {
  const int tiles = w.depth / kTileDepth;
  const int count = (tiles - chain + kChains - 1) / kChains;
  const char* groups[RowGroups];
#pragma unroll
  for (int r = 0; r < RowGroups; ++r) {
    const int group = min(first_group + r, w.row_groups() - 1);
    groups[r] = static_cast<const char*>(w.tiles) +
                (static_cast<size_t>(group) * tiles + chain) * Fragment<E>::kTileBytes;
  }
  Fragment<E> stages[2][Ahead][RowGroups];
  const auto load = [&](int stage, int base) {
#pragma unroll
    for (int s = 0; s < Ahead; ++s) {
      if (base + s >= count) break;
#pragma unroll
      for (int r = 0; r < RowGroups; ++r) {
        stages[stage][s][r].load(
            groups[r] + static_cast<size_t>(base + s) * kChains * Fragment<E>::kTileBytes, lane);
      }
    }
  };
  const auto consume = [&](int stage, int base) {
#pragma unroll
    for (int s = 0; s < Ahead; ++s) {
      if (base + s >= count) break;
      use(chain + (base + s) * kChains, stages[stage][s]);
    }
  };
  load(0, 0);
  load(1, Ahead);
  wait_for_previous();  // Weights are nobody's result; activations are.
  for (int base = 0; base < count; base += 2 * Ahead) {
    consume(0, base);
    load(0, base + 2 * Ahead);
    consume(1, base + Ahead);
    load(1, base + 3 * Ahead);
  }
}

template <Element E, int RowGroups, int ColumnTiles>
__global__ void __launch_bounds__(kChains* kWarp) tensor_kernel(Matrix w, Activations x, Output output) {
  extern __shared__ float parts[];
  constexpr int kRows = RowGroups * kTileRows;
  constexpr int kStride = ColumnTiles * kTileColumns + 1;
  const int chain = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const int first_group = blockIdx.x * RowGroups;
  let_next_start();
  TensorSums<E, ColumnTiles> sums[RowGroups];
  walk_chain<E, RowGroups, 4 / RowGroups>(w, first_group, chain, lane,
                                          [&](int tile, const Fragment<E>(&fragments)[RowGroups]) {
                                            uint4 columns[ColumnTiles];
                                            load_columns(x, 0, tile, lane, columns);
#pragma unroll
                                            for (int r = 0; r < RowGroups; ++r)
                                              sums[r].add(fragments[r], columns);
                                          });
#pragma unroll
  for (int r = 0; r < RowGroups; ++r) {
    sums[r].store(parts + (chain * kRows + r * kTileRows) * kStride, kStride, lane);
  }
  __syncthreads();
  const int first_row = first_group * kTileRows;
  const ChainSums all{parts, kRows, kStride, w.scale != nullptr ? w.scale + first_row : nullptr,
                      output.bias != nullptr ? output.bias + first_row : nullptr};
  write_all<E>(output, all, w.rows, first_row, 0, x.columns);
}

template <Element E>
__global__ void __launch_bounds__(kChains* kWarp) plain_kernel(Matrix w, Activations x, Output output) {
  constexpr int kStride = kTileColumns + 1;
  __shared__ float parts[kChains * kTileRows * kStride];
  const int chain = threadIdx.x / kWarp;
  const int lane = threadIdx.x % kWarp;
  const int first_column = blockIdx.y * kTileColumns;
  let_next_start();
  PlainSums<E> sums;
  walk_chain<E, 1, E == Element::F32 ? 2 : 4>(w, blockIdx.x, chain, lane,
                                              [&](int tile, const Fragment<E>(&fragments)[1]) {
                                                sums.add(fragments[0], x, first_column, tile, lane);
                                              });
  sums.store(parts + chain * kTileRows * kStride, kStride, lane);
  __syncthreads();
  const int first_row = blockIdx.x * kTileRows;
  const ChainSums all{parts, kTileRows, kStride, w.scale != nullptr ? w.scale + first_row : nullptr,
                      output.bias != nullptr ? output.bias + first_row : nullptr};
  write_all<E>(output, all, w.rows, first_row, first_column, min(kTileColumns, x.columns - first_column));
}

bool has_tensor_cores() {
  int device = 0;
  int major = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  return major >= 8;  // mma of bf16 and of 16 x 8 x 16.
}

template <Element E>
int launch_plain(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  const dim3 grid(w.row_groups(), (x.columns + kTileColumns - 1) / kTileColumns);
  return Launch(grid, kChains * kWarp, 0, overlap, stream)(plain_kernel<E>, w, x, output);
}

template <Element E, int RowGroups, int ColumnTiles>
int launch_tensor(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  constexpr size_t shared =
      sizeof(float) * kChains * RowGroups * kTileRows * (ColumnTiles * kTileColumns + 1);
  const auto kernel = tensor_kernel<E, RowGroups, ColumnTiles>;
  if constexpr (shared > 48 * 1024) {  // What a kernel may take unasked.
    const cudaError_t status =
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared);
    if (status != cudaSuccess) return static_cast<int>(status);
  }
  const dim3 grid((w.row_groups() + RowGroups - 1) / RowGroups);
  return Launch(grid, kChains * kWarp, shared, overlap, stream)(kernel, w, x, output);
}

template <Element E>
int launch(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  static const bool tensor_cores = has_tensor_cores();
  if (!tensor_cores) return launch_plain<E>(w, x, output, overlap, stream);
  if (x.columns <= 8) return launch_tensor<E, 1, 1>(w, x, output, overlap, stream);
  if (x.columns <= 16) return launch_tensor<E, 2, 2>(w, x, output, overlap, stream);
  if (x.columns <= 32) return launch_tensor<E, 2, 4>(w, x, output, overlap, stream);
  return launch_tensor<E, 2, 8>(w, x, output, overlap, stream);
}

}  // namespace

int multiply(const Matrix& w, const Activations& x, const Output& output, bool overlap, void* stream) {
  if (x.columns < 1 || x.columns > kMostColumns || x.depth != w.depth) return cudaErrorInvalidValue;
  switch (w.element) {
    case Element::BF16:
      return launch<Element::BF16>(w, x, output, overlap, stream);
    case Element::Int8:
      return launch<Element::Int8>(w, x, output, overlap, stream);
    case Element::F32:
      break;
  }
  return launch_plain<Element::F32>(w, x, output, overlap, stream);
}

}  // namespace moshi::cuda
