// CsrLinear: the linear layer of sparse rows, and the gradient of its weight.
#include "core/graph/samples.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"
#include "kernels/sparse/corrupted_entries.h"

namespace latent {
namespace {

/// A weight [layers, out, in] (trans_w) or [layers, in, out]: an entry's column meets `out` numbers.
struct WeightShape {
  int64_t layers = 1, out = 1, in = 1;
  bool trans_w = true;
  LATENT_HD int64_t at(int64_t layer, int64_t o, int64_t column) const {
    return layer * out * in + (trans_w ? o * in + column : column * out + o);
  }
};
WeightShape weight_shape(const Type& w, bool trans_w) {
  WeightShape shape{
      .out = w.dim(trans_w ? 1 : 0), .in = w.dim(trans_w ? 0 : 1), .trans_w = trans_w};
  shape.layers = w.elements() / std::max<int64_t>(1, shape.out * shape.in);
  return shape;
}

template <class T, class Entries>
struct CpuCsrLinear {
  static constexpr int64_t kPiece = 256;  ///< entries whose values are made at once
  Entries entries;
  const T* w;
  T* y;
  WeightShape shape;
  int64_t rows;
  LATENT_CPU_BODY void operator()(int64_t task) const {
    const auto x = entries.now();
    const int64_t layer = task / rows, r = task % rows, end = x.end(r);
    T* row = y + task * shape.out;
    std::fill_n(row, shape.out, T(0));
    T values[kPiece];
    for (int64_t first = x.begin(r); first < end; first += kPiece) {
      const int64_t n = std::min(kPiece, end - first);
      const int32_t* columns = x.columns + first;
      for (int64_t k = 0; k < n; ++k) values[k] = x.value(r, first + k);
      if (shape.trans_w) {
        for (int64_t o = 0; o < shape.out; ++o)
          for (int64_t k = 0; k < n; ++k) row[o] += values[k] * w[shape.at(layer, o, columns[k])];
        continue;
      }
      for (int64_t k = 0; k < n; ++k) {
        const T value = values[k];
        const T* from = w + shape.at(layer, 0, columns[k]);
#pragma omp simd
        for (int64_t o = 0; o < shape.out; ++o) row[o] += value * from[o];
      }
    }
  }
};

/// A block a row, a thread an output; the threads make the values of a piece of entries together, so that noise is drawn
/// once for all of them. Blocks: (layers x rows, outputs / threads).
template <class T, class Entries>
struct GpuCsrLinear {
  static constexpr int max_threads = 256, kPiece = 256;
  Entries entries;
  const T* w;
  T* y;
  WeightShape shape;
  int64_t rows;

  static int threads(int64_t out) {
    return static_cast<int>(std::min<int64_t>(max_threads, fold::ceil_div(out, 32) * 32));
  }
  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(T, values, kPiece);
    SHARED(int32_t, columns, kPiece);
    const auto x = entries.now();
    const int64_t task = t.block(), layer = task / rows, r = task % rows, end = x.end(r);
    const int64_t o = t.block_y() * t.threads() + t.thread();
    T sum = 0;
    for (int64_t first = x.begin(r); first < end; first += kPiece) {
      const int n = static_cast<int>(kPiece < end - first ? kPiece : end - first);
      t.sync();  // the piece before has been read
      for (int k = t.thread(); k < n; k += t.threads()) {
        values[k] = x.value(r, first + k);
        columns[k] = x.columns[first + k];
      }
      t.sync();
      if (o < shape.out)
        for (int k = 0; k < n; ++k) sum += values[k] * w[shape.at(layer, o, columns[k])];
    }
    if (o < shape.out) y[task * shape.out + o] = sum;
  }
};

/// Columns that one task (one warp) of the weight gradient owns; it looks for them in all entries of
/// the batch, row by row, so that every sum has one order and nothing is shared.
constexpr int64_t kTile = 256;

template <class T, class Entries>
struct CpuCsrWeightGradient {
  Entries entries;
  const T* g;
  T* dw;
  WeightShape shape;
  int64_t rows, tiles;
  LATENT_CPU_BODY void operator()(int64_t task) const {
    const auto x = entries.now();
    const int64_t layer = task / tiles, first = task % tiles * kTile;
    const int64_t last = std::min(shape.in, first + kTile), out = shape.out;
    for (int64_t o = 0; o < out; ++o)
      for (int64_t c = first; c < last; ++c) dw[shape.at(layer, o, c)] = T(0);
    const int64_t step = shape.trans_w ? shape.in : 1;
    for (int64_t r = 0; r < rows; ++r) {
      const T* from = g + (layer * rows + r) * out;
      for (int64_t k = x.begin(r); k < x.end(r); ++k) {
        if (x.columns[k] < first || x.columns[k] >= last) continue;
        const T value = x.value(r, k);
        T* to = dw + shape.at(layer, 0, x.columns[k]);
        if (step == 1) {
#pragma omp simd
          for (int64_t o = 0; o < out; ++o) to[o] += value * from[o];
        } else {
          for (int64_t o = 0; o < out; ++o) to[o * step] += value * from[o];
        }
      }
    }
  }
};

/// A warp owns a tile of columns for 32 outputs, one a lane. Blocks: (tiles / 8, outputs / 32, layers).
template <class T, class Entries>
struct GpuCsrWeightGradient {
  static constexpr int max_threads = 256;
  Entries entries;
  const T* g;
  T* dw;
  WeightShape shape;
  int64_t rows;
  LATENT_KERNEL void operator()(Thread& t) const {
    const int64_t first = (t.block() * t.warps() + t.warp()) * kTile, layer = t.block_z();
    if (first >= shape.in) return;
    const auto x = entries.now();
    const int64_t last = first + kTile < shape.in ? first + kTile : shape.in;
    const int64_t o = t.block_y() * 32 + t.lane();
    if (o < shape.out)
      for (int64_t c = first; c < last; ++c) dw[shape.at(layer, o, c)] = T(0);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t end = x.end(r);
      const T from = o < shape.out ? g[(layer * rows + r) * shape.out + o] : T(0);
      for (int64_t k0 = x.begin(r); k0 < end; k0 += 32) {
        const int64_t k = k0 + t.lane();
        const int64_t column = k < end ? x.columns[k] : -1;
        const bool hit = column >= first && column < last;
        const T value = hit ? x.value(r, k) : T(0);
        uint32_t hits = t.ballot(hit);
        for (int l = 0; hits != 0; ++l, hits >>= 1) {
          if ((hits & 1u) == 0) continue;
          const int64_t c = t.shuffle(column, l);
          const T v = t.shuffle(value, l);
          if (o < shape.out) dw[shape.at(layer, o, c)] += v * from;
        }
      }
    }
  }
};

/// (ids, starts, columns, values, w[, seed, step]) -> [..., rows, out]
struct CsrLinear {
  static constexpr const char* name = "csr_linear";
  bool trans_w = true;  ///< the weight is [..., out, in], else [..., in, out]
  CsrNoise noise = {};

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  std::vector<Var> vjp(const Pullback& p) const;
  std::vector<Var> reference(std::span<const Var> in) const {
    const WeightShape shape = weight_shape(in[4].type(), trans_w);
    return {matmul(csr_dense(csr_batch(in, noise), shape.in), in[4], false, trans_w)};
  }
  Cost cost(const Signature& s) const {
    const double terms = entries_a_row(s, 0) * static_cast<double>(s.out[0].elements());
    return {.flops = 2 * terms, .bytes = 4 * terms + static_cast<double>(s.out[0].bytes())};
  }
  bool operator==(const CsrLinear&) const = default;
};

/// (ids, starts, columns, values, g [..., rows, out][, seed, step]) -> d / d weight; its own gradient is csr_linear.
struct CsrWeightGradient {
  static constexpr const char* name = "csr_linear.weight_gradient";
  int64_t in_size = 1;
  bool trans_w = true;
  CsrNoise noise = {};

  std::vector<Type> infer(Types in) const {
    if (in.size() < 5) throw op_error(name, "takes ids, starts, columns, values and g", in);
    require_csr_batch(name, in, 1, in[4].dtype, noise);
    if (in[4].rank() < 2 || in[4].dim(1) != in[0].elements())
      throw op_error(name, "g must be [..., rows, out]", in);
    Type out = in[4];
    const int64_t units = out.dim(0);
    out.shape.resize(out.shape.size() - 2);
    out.shape.insert(out.shape.end(), {trans_w ? units : in_size, trans_w ? in_size : units});
    return {out};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const WeightShape shape = weight_shape(s.out[0], trans_w);
    const int64_t rows = s.in[0].elements(), tiles = fold::ceil_div(shape.in, kTile);
    return real_kernel(
        s.in[4].dtype, [shape, rows, tiles, noise = noise](const Args& a, auto real) {
          using T = decltype(real);
          with_entries<T>(a, noise, shape.in, [&]<class Entries>(const Entries& x) {
            const T* g = a.input<T>(4);
            T* dw = a.output<T>(0);
            if (!a.stream.gpu) {
              cpu::run_tasks(shape.layers * tiles, shape.layers * shape.out * shape.in,
                             CpuCsrWeightGradient<T, Entries>{x, g, dw, shape, rows, tiles});
            } else if constexpr (cpu_only_v<CsrEntries<T>>) {
              no_gpu_body(a.stream);
            } else {
              launch(a.stream,
                     {.blocks = fold::ceil_div(tiles, 8),
                      .threads = 256,
                      .blocks_y = fold::ceil_div(shape.out, 32),
                      .blocks_z = shape.layers},
                     GpuCsrWeightGradient<T, Entries>{x, g, dw, shape, rows});
            }
          });
        });
  }
  std::vector<Var> vjp(const Pullback& p) const {
    std::vector<Var> result(p.in.size());
    result[4] = csr_linear(csr_batch(p.in, noise), p.cotangents[0], trans_w);
    return result;
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var x = csr_dense(csr_batch(in, noise), in_size), g = in[4];
    return {trans_w ? matmul(g, x, true, false) : matmul(x, g, true, false)};
  }
  Cost cost(const Signature& s) const {
    const double terms = entries_a_row(s, 0) * static_cast<double>(s.in[4].elements());
    return {.flops = 2 * terms, .bytes = 8 * terms + static_cast<double>(s.out[0].bytes())};
  }
  bool operator==(const CsrWeightGradient&) const = default;
};

std::vector<Type> CsrLinear::infer(Types in) const {
  if (in.size() < 5) throw op_error(name, "takes ids, starts, columns, values and a weight", in);
  require_csr_batch(name, in, 1, in[4].dtype, noise);
  if (in[4].rank() < 2) throw op_error(name, "the weight must be a matrix", in);
  const WeightShape shape = weight_shape(in[4], trans_w);
  Type out = in[4];
  out.shape.resize(out.shape.size() - 2);
  out.shape.insert(out.shape.end(), {in[0].elements(), shape.out});
  return {out};
}

Kernel CsrLinear::prepare(const Signature& s, Device&) const {
  const WeightShape shape = weight_shape(s.in[4], trans_w);
  const int64_t rows = s.in[0].elements(), tasks = shape.layers * rows;
  return real_kernel(s.in[4].dtype, [shape, rows, tasks, noise = noise](const Args& a, auto real) {
    using T = decltype(real);
    with_entries<T>(a, noise, shape.in, [&]<class Entries>(const Entries& x) {
      const T* w = a.input<T>(4);
      T* y = a.output<T>(0);
      if (!a.stream.gpu) {
        cpu::run_tasks(tasks, tasks * shape.out, CpuCsrLinear<T, Entries>{x, w, y, shape, rows});
      } else if constexpr (cpu_only_v<CsrEntries<T>>) {
        no_gpu_body(a.stream);
      } else if (tasks * shape.out > 0) {
        const int threads = GpuCsrLinear<T, Entries>::threads(shape.out);
        launch(
            a.stream,
            {.blocks = tasks, .threads = threads, .blocks_y = fold::ceil_div(shape.out, threads)},
            GpuCsrLinear<T, Entries>{x, w, y, shape, rows});
      }
    });
  });
}

std::vector<Var> CsrLinear::vjp(const Pullback& p) const {
  const WeightShape shape = weight_shape(p.in[4].type(), trans_w);
  std::vector<Var> result(p.in.size());
  result[4] = csr_weight_gradient(csr_batch(p.in, noise), p.cotangents[0], shape.in, trans_w);
  return result;
}

const RegisterSamples samples{
    "sparse/csr_linear", [] {
      std::vector<Sample> all;
      const auto add = [&](int64_t rows, int64_t n, int64_t entries, int64_t in, int64_t out,
                           bool trans_w, Shape batch = {}, bool bench = false) {
        std::vector<Type> types{{DType::i32, {rows}},
                                {DType::u64, {n + 1}},
                                {DType::i32, {entries}},
                                {DType::f32, {entries}}};
        const std::vector<Sample::Range> range{
            {0, n - 1.0}, {0, 1.0 * entries}, {0, in - 1.0}, {-1, 1}, {-1, 1}};
        const auto sample = [&](const AnyOp& op, Shape matrix, bool noise = false) {
          Shape last = batch;
          last.insert(last.end(), matrix.begin(), matrix.end());
          types.push_back({DType::f32, last});
          all.push_back({.name = cat(op.name(), trans_w ? "/out_in/" : "/in_out/", rows, "x", in,
                                     "x", out, batch.empty() ? "" : "/batched"),
                         .op = op,
                         .in = types,
                         .range = range,
                         .wrt = {false, false, false, false, true},
                         .bench = bench});
          types.pop_back();
          if (!noise) return;
          Sample& noisy = all.back();
          noisy.name += "/noise";
          noisy.in.insert(noisy.in.end(), 2, {DType::u64, {1}});
          noisy.range.insert(noisy.range.end(), {{0, 1e6}, {0, 9}});
        };
        const Shape weight = trans_w ? Shape{out, in} : Shape{in, out}, g{rows, out};
        sample(CsrLinear{trans_w}, weight);
        sample(CsrWeightGradient{in, trans_w}, g);
        if (bench) return;
        sample(CsrLinear{trans_w, sample_noise(batch.empty())}, weight, true);
        sample(CsrWeightGradient{in, trans_w, sample_noise(batch.empty())}, g, true);
      };
      for (const bool trans_w : {true, false}) {
        add(1, 1, 5, 37, 3, trans_w);
        add(37, 9, 40, 1, 33, trans_w);
        add(5, 20, 60, 600, 7, trans_w);
        add(7, 5, 3000, 50, 300, trans_w);
        add(3, 7, 30, 11, 5, trans_w, {2});
        add(256, 6, 300, 5000, 200, trans_w, {}, true);  // drawn rows have a sixth of the entries
      }
      return all;
    }};

}  // namespace

Var csr_weight_gradient(const CsrBatch& x, Var g, int64_t in, bool trans_w) {
  return g.graph->apply(CsrWeightGradient{in, trans_w, x.noise}, x.inputs(g))[0];
}

Var csr_linear(const CsrBatch& x, Var w, bool trans_w) {
  return w.graph->apply(CsrLinear{trans_w, x.noise}, x.inputs(w))[0];
}
Var csr_linear(const CsrRows& x, Var w, bool trans_w) {
  return csr_linear(CsrBatch(x), w, trans_w);
}

}  // namespace latent
