// CsrDense: the rows of a batch written out.
#include "core/graph/samples.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"
#include "kernels/sparse/add_entries.h"

namespace latent {
namespace {

template <class T>
struct CpuCsrDense {
  CsrEntries<T> entries;
  T* out;
  int64_t width;
  LATENT_CPU_BODY void operator()(int64_t r) const {
    T* row = out + r * width;
    std::fill_n(row, width, T(0));
    for (int64_t k = entries.begin(r); k < entries.end(r); ++k)
      row[entries.columns[k]] += entries.values[k];
  }
};

/// A block a row.
template <class T>
struct GpuCsrDense {
  static constexpr int max_threads = 256;
  CsrEntries<T> entries;
  T* out;
  int64_t width;
  LATENT_KERNEL void operator()(Thread& t) const {
    T* row = out + t.block() * width;
    for (int64_t c = t.thread(); c < width; c += max_threads) row[c] = T(0);
    t.sync();
    if (t.warp() == 0) add_entries(t, entries, t.block(), T(1), row);
  }
};

struct CsrDense {
  static constexpr const char* name = "csr_dense";
  int64_t width = 1;

  std::vector<Type> infer(Types in) const {
    if (in.size() != 4) throw op_error(name, "takes 4 inputs", in);
    require_csr(name, in, 0, in[3].dtype);
    return {{in[3].dtype, {in[0].elements(), width}}};
  }
  Kernel prepare(const Signature& s, Device&) const {
    return real_kernel(
        s.in[3].dtype, [rows = s.in[0].elements(), width = width](const Args& a, auto real) {
          using T = decltype(real);
          const CsrEntries<T> entries(a, 0);
          if (!a.stream.gpu) {
            cpu::run_tasks(rows, rows * width, CpuCsrDense<T>{entries, a.output<T>(0), width});
          } else if constexpr (cpu_only_v<CsrEntries<T>>) {
            no_gpu_body(a.stream);
          } else if (rows > 0) {
            launch(a.stream, {.blocks = rows, .threads = 256},
                   GpuCsrDense<T>{entries, a.output<T>(0), width});
          }
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
      return std::vector<Sample>{sample(1, 1, 3, 5), sample(7, 20, 40, 1), sample(33, 50, 500, 67)};
    }};

}  // namespace

std::optional<CsrRows> csr_rows(Var v) {
  const Node& node = v.graph->node(v);
  if (node.leaf() || !node.op.as<CsrDense>()) return std::nullopt;
  return CsrRows{node.inputs[0], node.inputs[1], node.inputs[2], node.inputs[3]};
}

Var csr_dense(const CsrRows& x, int64_t width) {
  return apply(CsrDense{width}, {x.ids, x.starts, x.columns, x.values});
}

}  // namespace latent
