// Every unit vector of n units, for each of some rows: the seeds of a whole Jacobian.
#include "core/graph/samples.h"
#include "kernels/penalty/penalty.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"

namespace latent {
namespace {

template <class T>
struct UnitSeed {
  T* out;
  int64_t n, rows;
  LATENT_HD void operator()(int64_t r, int64_t c) const { out[r * n + c] = T(r / rows == c); }
};

/// No inputs -> [n, rows, n]: 1 where the first place is the last.
struct UnitSeeds {
  static constexpr const char* name = "unit_seeds";
  DType real = DType::f32;
  int64_t n = 1, rows = 1;

  std::vector<Type> infer(Types in) const {
    require_reals(name, in, 0);
    return {{real, {n, rows, n}}};
  }
  Kernel prepare(const Signature&, Device&) const {
    return real_kernel(real, [op = *this](const Args& a, auto zero) {
      using T = decltype(zero);
      for_each_row(a.stream, op.n * op.rows, op.n, UnitSeed<T>{a.output<T>(0), op.n, op.rows});
    });
  }
  std::vector<Var> vjp(const Pullback&) const { return {}; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 0); }
  bool operator==(const UnitSeeds&) const = default;
};

const RegisterSamples samples{
    "penalty/unit_seeds", [] {
      auto sample = [](int64_t n, int64_t rows, bool bench = false) {
        return Sample{.name = cat("unit_seeds/", n, "x", rows),
                      .op = UnitSeeds{.n = n, .rows = rows},
                      .in = {},
                      .order = 0,
                      .bench = bench};
      };
      return std::vector<Sample>{sample(1, 1), sample(37, 5), sample(30, 256, true)};
    }};

}  // namespace

Var unit_seeds(Graph& graph, DType real, int64_t n, int64_t rows) {
  return graph.apply(UnitSeeds{.real = real, .n = n, .rows = rows}, {})[0];
}

}  // namespace latent
