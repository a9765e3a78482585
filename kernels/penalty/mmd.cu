// Maximum mean discrepancy between two sets of rows (Gretton et al. 2012): all pairs in one pass, and one for the
// gradient. Distances and kernel values are never in memory.
#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/ops.h"
#include "kernels/penalty/penalty.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"
#include "kernels/skeleton/sum_pairs.h"

namespace latent {
namespace {

/// The sum over bandwidths C of C / (C + d) or exp(-d / C), and its slope, of a squared distance d.
template <class T>
struct Kernels {
  bool rbf;
  int count;
  T inverse[MmdKernel::kMost];  ///< 1 / C

  explicit Kernels(const MmdKernel& kernel)
      : rbf(kernel.shape == MmdKernel::Shape::rbf),
        count(static_cast<int>(kernel.bandwidths.size())) {
    for (int k = 0; k < count; ++k) inverse[k] = T(1 / kernel.bandwidths[static_cast<size_t>(k)]);
  }
  LATENT_HD T one(int k, T d) const {
    return rbf ? math::exp(-d * inverse[k]) : T(1) / math::fma(d, inverse[k], T(1));
  }
  LATENT_HD T value(T d) const {
    T sum = 0;
    for (int k = 0; k < count; ++k) sum += one(k, d);
    return sum;
  }
  LATENT_HD T slope(T d) const {
    T sum = 0;
    for (int k = 0; k < count; ++k) {
      const T v = one(k, d);
      sum -= inverse[k] * (rbf ? v : v * v);
    }
    return sum;
  }
};

template <class T>
struct SquaredDifference {
  const T *a, *b;
  LATENT_HD T operator()(int64_t u) const {
    const T d = a[u] - b[u];
    return d * d;
  }
};

template <class T>
LATENT_HD T squared_distance(const T* a, const T* b, int64_t units) {
  return skeleton::sum_units<T>(units, SquaredDifference<T>{a, b});
}

/// What the pairs (i, j) of both sets and between them count in the estimate.
template <class T>
struct PairValue {
  const T *x, *y;
  Kernels<T> kernels;
  int64_t units;
  T within, between;  ///< 1 / (n (n - 1)), 2 / n^2

  LATENT_HD T operator()(int64_t i, int64_t j) const {
    const T *xi = x + i * units, *yi = y + i * units, *xj = x + j * units, *yj = y + j * units;
    const T cross = kernels.value(squared_distance(xi, yj, units));
    if (i == j) return -between * cross;
    const T inside = kernels.value(squared_distance(xi, xj, units)) +
                     kernels.value(squared_distance(yi, yj, units));
    return within * inside - between * cross;
  }
};

/// d mmd / dx_i = sum over both sets' rows p_j of w_ij (x_i - p_j).
template <class T>
struct PairSlope {
  static constexpr int kSums = 1;
  const T *g, *x, *y;
  Kernels<T> kernels;
  T* out;
  int64_t rows, units;
  T within, between;

  LATENT_HD const T* point(int64_t j) const {
    return (j < rows ? x + j * units : y + (j - rows) * units);
  }
  LATENT_HD T weight(int64_t i, int64_t j) const {
    const T slope = kernels.slope(squared_distance(x + i * units, point(j), units));
    return *g * (j < rows ? T(4) * within : -T(2) * between) * slope;
  }
  LATENT_HD skeleton::PairTerms<T, 1> terms(int64_t i, int64_t j, int64_t u, T weight) const {
    return {weight * (x[i * units + u] - point(j)[u])};
  }
  LATENT_HD T* output(int64_t i, int) const { return out + i * units; }
};

template <class T>
T within_of(int64_t n) {
  return T(1 / (static_cast<double>(n) * static_cast<double>(n - 1)));
}
template <class T>
T between_of(int64_t n) {
  return T(2 / (static_cast<double>(n) * static_cast<double>(n)));
}

/// Checks x and y [n, units] at in[first...], n > 1.
void require_sets(std::string_view op, Types in, size_t first, const MmdKernel& kernel) {
  require_reals(op, in, first + 2);
  const Type& x = in[first];
  if (x.rank() != 2 || x.dim(1) < 2 || x.dim(0) < 1 || in[first + 1] != x)
    throw op_error(op, "takes x and y [n, units], n > 1", in);
  const auto count = kernel.bandwidths.size();
  if (count == 0 || count > MmdKernel::kMost)
    throw op_error(op, cat("1 to ", MmdKernel::kMost, " bandwidths, not ", count), in);
}

/// |x_i - y_j|^2, [rows of x, rows of y].
Var squared_distances(Var x, Var y) {
  const int64_t n = x.shape()[0], m = y.shape()[0];
  const Var xx = reshape(sum_rows(square(x)), {n, 1}), yy = reshape(sum_rows(square(y)), {1, m});
  return xx + yy - 2 * matmul(x, y, false, true);
}

/// f(d, C) over all bandwidths, added up.
template <class F>
Var over_bandwidths(const MmdKernel& kernel, Var d, F f) {
  Var total;
  for (const double c : kernel.bandwidths) {
    const Var term =
        f(kernel.shape == MmdKernel::Shape::rbf ? exp(d / -c) : reciprocal(d / c + 1), c);
    total = total ? total + term : term;
  }
  return total;
}

Var kernel_sum(const MmdKernel& kernel, Var x, Var y) {
  return sum(over_bandwidths(kernel, squared_distances(x, y), [](Var k, double) { return k; }));
}

Var kernel_slope(const MmdKernel& kernel, Var x, Var y) {
  const bool rbf = kernel.shape == MmdKernel::Shape::rbf;
  return over_bandwidths(kernel, squared_distances(x, y),
                         [&](Var k, double c) { return (rbf ? k : square(k)) / -c; });
}

double pair_flops(Types sets, size_t first, const MmdKernel& kernel) {
  const auto n = static_cast<double>(sets[first].dim(1)),
             units = static_cast<double>(sets[first].dim(0));
  return n * n * (3 * units + 10 * static_cast<double>(kernel.bandwidths.size()));
}

/// (g [], x [n, units], y [n, units]) -> the cotangent of x.
struct MmdGradient {
  static constexpr const char* name = "mmd.gradient";
  MmdKernel kernel;

  std::vector<Type> infer(Types in) const {
    require_sets(name, in, 1, kernel);
    if (in[0].elements() != 1) throw op_error(name, "takes the cotangent of one number", in);
    return {in[1]};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const int64_t rows = s.in[1].dim(1), units = s.in[1].dim(0);
    return real_kernel(s.in[0].dtype, [=, kernel = kernel](const Args& a, auto real) {
      using T = decltype(real);
      sum_pairs<T>(
          a.stream, rows, 2 * rows, units,
          PairSlope<T>{a.input<T>(0), a.input<T>(1), a.input<T>(2), Kernels<T>(kernel),
                       a.output<T>(0), rows, units, within_of<T>(rows), between_of<T>(rows)});
    });
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var x = in[1], y = in[2];
    const int64_t n = x.shape()[0];
    const Var inside = (4 * within_of<double>(n)) * kernel_slope(kernel, x, x),
              cross = (-2 * between_of<double>(n)) * kernel_slope(kernel, x, y);
    const auto pulled = [&](Var w, Var p) {
      return reshape(sum_rows(w), {n, 1}) * x - matmul(w, p);
    };
    return {reshape(in[0], {1, 1}) * (pulled(inside, x) + pulled(cross, y))};
  }
  Cost cost(const Signature& s) const {
    Cost cost = streaming_cost(s, 0);
    cost.flops = 2 * pair_flops(s.in, 1, kernel);
    return cost;
  }
  bool operator==(const MmdGradient&) const = default;
};

/// (x [n, units], y [n, units]) -> the estimate [].
struct Mmd {
  static constexpr const char* name = "mmd";
  MmdKernel kernel;

  std::vector<Type> infer(Types in) const {
    require_sets(name, in, 0, kernel);
    return {{in[0].dtype, {}}};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const int64_t rows = s.in[0].dim(1), units = s.in[0].dim(0);
    const size_t of_rows = (s.in[0].bytes() / static_cast<size_t>(units) + 255) / 256 * 256;
    return real_kernel(
        s.in[0].dtype,
        [=, kernel = kernel](const Args& a, auto real) {
          using T = decltype(real);
          T* const values = static_cast<T*>(a.workspace);
          reduce_rows(a.stream, rows, rows, Sum{},
                      PairValue<T>{a.input<T>(0), a.input<T>(1), Kernels<T>(kernel), units,
                                   within_of<T>(rows), between_of<T>(rows)},
                      skeleton::Store<T>{values});
          reduce_all(a.stream, rows, Sum{}, skeleton::Load<T>{values},
                     skeleton::Store<T>{a.output<T>(0)},
                     static_cast<std::byte*>(a.workspace) + of_rows);
        },
        of_rows + reduce_all_workspace<double>(rows));
  }
  std::vector<Var> vjp(const Pullback& p) const {
    if (p.batch_axes > 0 || p.needs[1]) return {};
    return {latent::apply(MmdGradient{kernel}, {p.cotangents[0], p.in[0], p.in[1]}), {}};
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var x = in[0], y = in[1];
    const int64_t n = x.shape()[0];
    const auto itself = static_cast<double>(n) * static_cast<double>(kernel.bandwidths.size());
    const Var within = kernel_sum(kernel, x, x) + kernel_sum(kernel, y, y) - 2 * itself;
    return {within * within_of<double>(n) - kernel_sum(kernel, x, y) * between_of<double>(n)};
  }
  Cost cost(const Signature& s) const {
    Cost cost = streaming_cost(s, 0);
    cost.flops = 3 * pair_flops(s.in, 0, kernel);
    cost.launches = 1 + reduce_all_launches(s.in[0].dim(1));
    return cost;
  }
  bool operator==(const Mmd&) const = default;
};

const RegisterSamples samples{
    "penalty/mmd", [] {
      std::vector<Sample> all;
      const auto add = [&](int64_t rows, int64_t units, const MmdKernel& kernel,
                           bool bench = false) {
        const Type set{DType::f32, {rows, units}};
        const std::string size =
            cat(kernel.shape == MmdKernel::Shape::rbf ? "rbf/" : "imq/", rows, "x", units);
        // Sets that lie apart: of alike ones little is left of the sums.
        all.push_back({.name = cat("mmd/", size),
                       .op = Mmd{kernel},
                       .in = {set, set},
                       .range = {{-1, 1}, {0, 3}},
                       .bench = bench});
        all.push_back({.name = cat("mmd/gradient/", size),
                       .op = MmdGradient{kernel},
                       .in = {{DType::f32, {}}, set, set},
                       .bench = bench});
      };
      for (const auto shape : {MmdKernel::Shape::imq, MmdKernel::Shape::rbf}) {
        add(2, 1, {shape, {0.5}});
        add(7, 3, {shape, {1, 4}});
        add(5, 33, {shape, {20}});
        add(37, 70, {shape, {10, 100, 1000}});
      }
      add(300, 5, {MmdKernel::Shape::imq, {10}});
      add(256, 64, {MmdKernel::Shape::imq, {12.8, 25.6, 64, 128, 256, 640, 1280}}, true);
      return all;
    }};

}  // namespace

Var mmd(Var x, Var y, const MmdKernel& kernel) { return apply(Mmd{kernel}, {x, y}); }

}  // namespace latent
