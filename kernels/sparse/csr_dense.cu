// CsrDense: the rows of a batch written out.
#include "core/graph/samples.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"
#include "kernels/sparse/add_entries.h"
#include "kernels/sparse/corrupted_entries.h"

namespace latent {
namespace {

template <class T, class Entries>
struct CpuCsrDense {
  Entries entries;
  T* out;
  int64_t width;
  LATENT_CPU_BODY void operator()(int64_t r) const {
    const auto x = entries.now();
    T* row = out + r * width;
    std::fill_n(row, width, T(0));
    for (int64_t k = x.begin(r); k < x.end(r); ++k) row[x.columns[k]] += x.value(r, k);
  }
};

/// A block a row.
template <class T, class Entries>
struct GpuCsrDense {
  static constexpr int max_threads = 256;
  Entries entries;
  T* out;
  int64_t width;
  LATENT_KERNEL void operator()(Thread& t) const {
    T* row = out + t.block() * width;
    for (int64_t c = t.thread(); c < width; c += max_threads) row[c] = T(0);
    t.sync();
    if (t.warp() == 0) add_entries(t, entries.now(), t.block(), T(1), row);
  }
};

/// (ids, starts, columns, values[, seed, step]) -> [rows, width]
struct CsrDense {
  static constexpr const char* name = "csr_dense";
  int64_t width = 1;
  CsrNoise noise = {};

  std::vector<Type> infer(Types in) const {
    if (in.size() < 4) throw op_error(name, "takes ids, starts, columns and values", in);
    require_csr_batch(name, in, 0, in[3].dtype, noise);
    return {{in[3].dtype, {in[0].elements(), width}}};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const int64_t rows = s.in[0].elements();
    return real_kernel(s.in[3].dtype, [op = *this, rows](const Args& a, auto real) {
      using T = decltype(real);
      with_entries<T>(a, op.noise, op.width, [&]<class Entries>(const Entries& x) {
        T* out = a.output<T>(0);
        if (!a.stream.gpu) {
          cpu::run_tasks(rows, rows * op.width, CpuCsrDense<T, Entries>{x, out, op.width});
        } else if constexpr (cpu_only_v<CsrEntries<T>>) {
          no_gpu_body(a.stream);
        } else if (rows > 0) {
          launch(a.stream, {.blocks = rows, .threads = 256},
                 GpuCsrDense<T, Entries>{x, out, op.width});
        }
      });
    });
  }
  /// Data have no gradient.
  std::vector<Var> vjp(const Pullback& p) const { return std::vector<Var>(p.in.size()); }
  Cost cost(const Signature& s) const {
    return {.flops = 0,
            .bytes = static_cast<double>(s.out[0].bytes()) +
                     8 * entries_a_row(s, 0) * static_cast<double>(s.in[0].elements())};
  }
  bool operator==(const CsrDense&) const = default;
};

const RegisterSamples samples{
    "sparse/csr_dense", [] {
      const auto sample = [](int64_t rows, int64_t n, int64_t entries, int64_t width) {
        return Sample{.name = cat("csr_dense/", rows, "x", width, "/", entries),
                      .op = CsrDense{width},
                      .in = {{DType::i32, {rows}},
                             {DType::u64, {n + 1}},
                             {DType::i32, {entries}},
                             {DType::f32, {entries}}},
                      .range = {{0, n - 1.0}, {0, 1.0 * entries}, {0, width - 1.0}, {-1, 1}},
                      .order = 0};
      };
      std::vector<Sample> all{sample(1, 1, 3, 5), sample(7, 20, 40, 1), sample(33, 50, 500, 67)};
      for (const bool fixed : {false, true}) {
        Sample& noisy = all.emplace_back(sample(33, 50, 500, 67));
        noisy.name += fixed ? "/fixed_noise" : "/noise";
        noisy.op = CsrDense{67, sample_noise(fixed)};
        noisy.in.insert(noisy.in.end(), 2, {DType::u64, {1}});
        noisy.range.insert(noisy.range.end(), {{0, 1e6}, {0, 9}});
      }
      return all;
    }};

}  // namespace

std::optional<CsrBatch> csr_rows(Var v) {
  const Node& node = v.graph->node(v);
  const CsrDense* dense = node.leaf() ? nullptr : node.op.as<CsrDense>();
  if (!dense) return std::nullopt;
  return csr_batch(node.inputs, dense->noise);
}

Var csr_dense(const CsrBatch& x, int64_t width) {
  return x.ids.graph->apply(CsrDense{width, x.noise}, x.inputs())[0];
}
Var csr_dense(const CsrRows& x, int64_t width) { return csr_dense(CsrBatch(x), width); }

}  // namespace latent
