// Total correlation of a Gaussian code, KL(q(z) || prod_u q(z_u)), estimated on the batch (Chen et al., NeurIPS 2018). The
// densities of all pairs and units, [rows, rows, units], are never in memory: the gradient computes them again.

#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/loss/log_sum_exp.h"
#include "kernels/ops.h"
#include "kernels/penalty/penalty.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"
#include "kernels/skeleton/sum_pairs.h"

namespace latent {
namespace {

constexpr double kLogTwoPi = 1.8378770664093453;

/// The logarithm of what q(z_i | x_j) weighs in the estimate of q(z_i), of a batch of M + 1 among N examples.
/// weighted (eq. 5): 1 / (N (M + 1)). stratified (appendix C.2): 1 / N for i's own x, (N - M) / (N M) for the x behind
/// it, 1 / M for the others.
struct LogWeights {
  double own, next, other;

  LogWeights(int64_t batch, int64_t rows, bool stratified) {
    const auto m = static_cast<double>(batch - 1), n = static_cast<double>(rows);
    own = next = other = -std::log(n * static_cast<double>(batch));
    if (!stratified) return;
    own = -std::log(n);
    next = std::log((n - m) / (n * m));
    other = -std::log(m);
  }
};

/// Codes of a batch: z [rows, units] and h [rows, 2 units], means and log-variances.
template <class T>
struct Codes {
  const T *z, *h;
  int64_t rows, units;
  T own, next, other;

  Codes(const T* z, const T* h, int64_t rows, int64_t units, const LogWeights& w)
      : z(z), h(h), rows(rows), units(units), own(T(w.own)), next(T(w.next)), other(T(w.other)) {}

  LATENT_HD T log_weight(int64_t i, int64_t j) const {
    if (i == j) return own;
    return j == (i + 1 == rows ? 0 : i + 1) ? next : other;
  }
  /// z_i - mu_j and the precision of x_j, of one unit.
  LATENT_HD T offset(int64_t i, int64_t j, int64_t u) const {
    return z[i * units + u] - h[j * 2 * units + u];
  }
  LATENT_HD T logvar(int64_t j, int64_t u) const { return h[(j * 2 + 1) * units + u]; }
  LATENT_HD T precision(int64_t j, int64_t u) const { return math::exp(-logvar(j, u)); }
  LATENT_HD T log_density(T offset, T precision, T logvar) const {
    return T(-0.5) * (offset * offset * precision + logvar + T(kLogTwoPi));
  }
  /// log q(z_iu | x_j).
  LATENT_HD T log_density(int64_t i, int64_t j, int64_t u) const {
    return log_density(offset(i, j, u), precision(j, u), logvar(j, u));
  }
};

template <class T>
struct OfPair {
  Codes<T> codes;
  int64_t i, j;
  LATENT_HD T operator()(int64_t u) const { return codes.log_density(i, j, u); }
};

/// log w q(z_i | x_j), a term of the sum over j.
template <class T>
struct JointTerm {
  Codes<T> codes;
  int64_t i;
  LATENT_HD ScaledSum<T> operator()(int64_t j) const {
    return {codes.log_weight(i, j) + skeleton::sum_units<T>(codes.units, OfPair<T>{codes, i, j}),
            T(1)};
  }
};

template <class T>
struct Estimates {
  Codes<T> codes;
  T *tc, *joint, *marginals;

  LATENT_HD void store(int64_t i, T log_joint, T sum_of_marginals) const {
    joint[i] = log_joint;
    tc[i] = log_joint - sum_of_marginals;
  }
};

constexpr int kWarps = skeleton::kRowWarps;

template <class T>
struct CpuEstimates : Estimates<T> {
  static constexpr int kUnits = 64;
  LATENT_CPU_BODY void operator()(int64_t i) const {
    const Codes<T>& codes = this->codes;
    const auto log_joint =
        fold::cpu_block<LogSumExpMonoid, kWarps, ScaledSum<T>>(codes.rows, JointTerm<T>{codes, i})
            .log();
    T total = 0;
    for (int64_t begin = 0; begin < codes.units; begin += kUnits) {
      const auto count = static_cast<int>(std::min<int64_t>(kUnits, codes.units - begin));
      ScaledSum<T> sums[kUnits];
      for (int u = 0; u < count; ++u) sums[u] = LogSumExpMonoid::identity<ScaledSum<T>>();
      for (int64_t j = 0; j < codes.rows; ++j) {
        const T weight = codes.log_weight(i, j);
#pragma omp simd
        for (int u = 0; u < count; ++u)
          sums[u] = LogSumExpMonoid::combine(
              sums[u], ScaledSum<T>{weight + codes.log_density(i, j, begin + u), T(1)});
      }
      for (int u = 0; u < count; ++u) {
        const T marginal = sums[u].log();
        this->marginals[i * codes.units + begin + u] = marginal;
        total += marginal;
      }
    }
    this->store(i, log_joint, total);
  }
};

/// A block a row: a thread has a pair for the joint density; a warp a share of the pairs for the marginal ones, a lane a
/// unit.
template <class T>
struct GpuEstimates : Estimates<T> {
  static constexpr int max_threads = fold::kLanes * kWarps;
  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(ScaledSum<T>, of_warps, fold::kLanes * kWarps);
    const Codes<T>& codes = this->codes;
    const int64_t i = t.block();
    const T log_joint = fold::gpu_block<LogSumExpMonoid, kWarps, ScaledSum<T>>(
                            t, codes.rows, JointTerm<T>{codes, i})
                            .log();
    const int64_t piece = fold::ceil_div(codes.rows, kWarps), first = t.warp() * piece;
    const int64_t end = first + piece < codes.rows ? first + piece : codes.rows;
    T total = 0;
    for (int64_t begin = 0; begin < codes.units; begin += fold::kLanes) {
      const int64_t u = begin + t.lane();
      auto sum = LogSumExpMonoid::identity<ScaledSum<T>>();
      for (int64_t j = first; j < end && u < codes.units; ++j)
        sum = LogSumExpMonoid::combine(
            sum, ScaledSum<T>{codes.log_weight(i, j) + codes.log_density(i, j, u), T(1)});
      of_warps[t.thread()] = sum;
      t.sync();
      if (t.warp() == 0 && u < codes.units) {
        for (int w = 1; w < kWarps; ++w)
          sum = LogSumExpMonoid::combine(sum, of_warps[w * fold::kLanes + t.lane()]);
        const T marginal = sum.log();
        this->marginals[i * codes.units + u] = marginal;
        total += marginal;
      }
      t.sync();
    }
    if (t.warp() > 0) return;
    total = fold::gpu_tree<Sum>(t, total);
    if (t.lane() == 0) this->store(i, log_joint, total);
  }
};

/// The cotangents of z (row r < rows) and of mu and logvar (row rows + j). c_iju, the cotangent of log q(z_iu | x_j), is
/// g_i times x_j's share in the joint density less its share in the marginal one.
template <class T>
struct DensitySlope {
  static constexpr int kSums = 2;
  Codes<T> codes;
  const T *g, *joint, *marginals;
  T *dz, *dh;

  LATENT_HD int64_t drawn(int64_t r, int64_t other) const { return r < codes.rows ? r : other; }
  LATENT_HD int64_t of(int64_t r, int64_t other) const {
    return r < codes.rows ? other : r - codes.rows;
  }
  /// The share in the joint density.
  LATENT_HD T weight(int64_t r, int64_t other) const {
    const int64_t i = drawn(r, other), j = of(r, other);
    const T density = skeleton::sum_units<T>(codes.units, OfPair<T>{codes, i, j});
    return math::exp(codes.log_weight(i, j) + density - joint[i]);
  }
  LATENT_HD skeleton::PairTerms<T, 2> terms(int64_t r, int64_t other, int64_t u, T share) const {
    const int64_t i = drawn(r, other), j = of(r, other);
    const T offset = codes.offset(i, j, u), logvar = codes.logvar(j, u),
            precision = math::exp(-logvar);
    const T density = codes.log_density(offset, precision, logvar);
    const T c =
        g[i] *
        (share - math::exp(codes.log_weight(i, j) + density - marginals[i * codes.units + u]));
    const T slope = c * offset * precision;
    return {r < codes.rows ? -slope : slope, T(0.5) * (slope * offset - c)};
  }
  LATENT_HD T* output(int64_t r, int k) const {
    if (r < codes.rows) return k == 0 ? dz + r * codes.units : nullptr;
    return dh + ((r - codes.rows) * 2 + k) * codes.units;
  }
};

/// Checks z [n, units] and h [n, 2 units] at in[first...], n > 1; the other inputs are the op's own.
void require_codes(std::string_view op, Types in, size_t first, size_t count, int64_t rows) {
  require_reals(op, in, count);
  const Type &z = in[first], &h = in[first + 1];
  if (z.rank() != 2 || h.rank() != 2 || z.dim(1) < 2 || z.dim(0) < 1 || h.dim(1) != z.dim(1) ||
      h.dim(0) != 2 * z.dim(0))
    throw op_error(op, "takes z [n, units] and means and log-variances [n, 2 units], n > 1", in);
  if (rows < z.dim(1)) throw op_error(op, cat("a batch of ", rows, " examples"), in);
}

/// The parts in graph ops: [i, unit, j] where nothing else is said.
struct Parts {
  int64_t n, units;
  Var offset, precision, logvar;  ///< z_i - mu_j; of x_j, [unit, j]
  Var log_weights;                ///< [i, 1, j]
  Var densities;

  Parts(Var z, Var h, const LogWeights& w) : n(z.shape()[0]), units(z.shape()[1]) {
    const Var mu = transpose(slice(h, 0, 0, units));
    logvar = transpose(slice(h, 0, units, 2 * units));
    offset = reshape(z, {n, units, 1}) - mu;
    precision = exp(-logvar);
    densities = -0.5 * (square(offset) * precision + logvar + kLogTwoPi);
    const Var own = reshape(unit_seeds(*z.graph, z.type().dtype, n, 1), {n, n});
    const Var halves[] = {slice(own, 1, 1, n), slice(own, 1, 0, 1)};
    const Var next = concat(halves, 1);
    log_weights = reshape(own * (w.own - w.other) + next * (w.next - w.other) + w.other, {n, 1, n});
  }
  /// log w q(z_i | x_j), [i, 1, j].
  Var joint_terms() const {
    const int of_units[] = {1};
    return sum_axes(densities, of_units, true) + log_weights;
  }
  Var marginal_terms() const { return densities + log_weights; }
};

double pair_flops(const Type& z) {
  return 50 * static_cast<double>(z.dim(1)) * static_cast<double>(z.elements());
}

/// (g [n], z [n, units], h [n, 2 units], joint [n], marginals [n, units]) -> the cotangents of z and h.
struct TotalCorrelationGradient {
  static constexpr const char* name = "total_correlation.gradient";
  int64_t rows = 2;
  bool stratified = false;

  std::vector<Type> infer(Types in) const {
    require_codes(name, in, 1, 5, rows);
    const Type& z = in[1];
    if (in[0].shape != Shape{z.dim(1)} || in[3] != in[0] || in[4] != z)
      throw op_error(name, "takes g [n], z, h, joint [n], marginals [n, units]", in);
    return {z, in[2]};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const int64_t n = s.in[1].dim(1), units = s.in[1].dim(0);
    const LogWeights weights(n, rows, stratified);
    return real_kernel(s.in[0].dtype, [=](const Args& a, auto real) {
      using T = decltype(real);
      sum_pairs<T>(
          a.stream, 2 * n, n, units,
          DensitySlope<T>{Codes<T>(a.input<T>(1), a.input<T>(2), n, units, weights), a.input<T>(0),
                          a.input<T>(3), a.input<T>(4), a.output<T>(0), a.output<T>(1)});
    });
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Parts p(in[1], in[2], LogWeights(in[1].shape()[0], rows, stratified));
    const Var joint = exp(p.joint_terms() - reshape(in[3], {p.n, 1, 1})),
              marginal = exp(p.marginal_terms() - reshape(in[4], {p.n, p.units, 1}));
    const Var c = reshape(in[0], {p.n, 1, 1}) * (joint - marginal);
    const Var slope = c * p.offset * p.precision, bend = 0.5 * (slope * p.offset - c);
    const int over_j[] = {0}, over_i[] = {2};
    const Var halves[] = {transpose(sum_axes(slope, over_i, false)),
                          transpose(sum_axes(bend, over_i, false))};
    return {-sum_axes(slope, over_j, false), concat(halves, 0)};
  }
  Cost cost(const Signature& s) const {
    Cost cost = streaming_cost(s, 0);
    cost.flops = 2 * pair_flops(s.in[1]);
    return cost;
  }
  bool operator==(const TotalCorrelationGradient&) const = default;
};

/// (z [n, units], h [n, 2 units]) -> the estimate [n], and the logarithms that it is made of, of q(z_i) [n] and of
/// q(z_iu) [n, units].
struct TotalCorrelation {
  static constexpr const char* name = "total_correlation";
  int64_t rows = 2;
  bool stratified = false;

  std::vector<Type> infer(Types in) const {
    require_codes(name, in, 0, 2, rows);
    const Type row{in[0].dtype, {in[0].dim(1)}};
    return {row, row, in[0]};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const int64_t n = s.in[0].dim(1), units = s.in[0].dim(0);
    const LogWeights weights(n, rows, stratified);
    return real_kernel(s.in[0].dtype, [=](const Args& a, auto real) {
      using T = decltype(real);
      const Estimates<T> body{Codes<T>(a.input<T>(0), a.input<T>(1), n, units, weights),
                              a.output<T>(0), a.output<T>(1), a.output<T>(2)};
      if (!a.stream.gpu)
        cpu::run_tasks(n, n * n * units, CpuEstimates<T>{body});
      else if constexpr (cpu_only_v<Estimates<T>>)
        no_gpu_body(a.stream);
      else
        launch(a.stream, {.blocks = n, .threads = fold::kLanes * kWarps}, GpuEstimates<T>{body});
    });
  }
  std::vector<Var> vjp(const Pullback& p) const {
    if (p.batch_axes > 0 || p.cotangents[1] || p.cotangents[2]) return {};
    return latent::apply_all(TotalCorrelationGradient{rows, stratified},
                             std::vector{p.cotangents[0], p.in[0], p.in[1], p.out[1], p.out[2]});
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Parts p(in[0], in[1], LogWeights(in[0].shape()[0], rows, stratified));
    const Var joint = reshape(log_sum_exp(p.joint_terms()), {p.n}),
              marginals = log_sum_exp(p.marginal_terms());
    return {joint - sum_rows(marginals), joint, marginals};
  }
  Cost cost(const Signature& s) const {
    Cost cost = streaming_cost(s, 0);
    cost.flops = pair_flops(s.in[0]);
    return cost;
  }
  bool operator==(const TotalCorrelation&) const = default;
};

const RegisterSamples samples{
    "penalty/total_correlation", [] {
      std::vector<Sample> all;
      const auto add = [&](int64_t n, int64_t units, int64_t rows, bool stratified,
                           bool bench = false) {
        const Type row{DType::f32, {n}}, z{DType::f32, {n, units}}, h{DType::f32, {n, 2 * units}};
        const std::string size = cat(stratified ? "stratified/" : "weighted/", n, "x", units);
        all.push_back({.name = cat("total_correlation/", size),
                       .op = TotalCorrelation{rows, stratified},
                       .in = {z, h},
                       .range = {{-3, 3}, {-1, 1}},
                       .tolerance = 1e-5,  // the logarithms nearly cancel
                       .bench = bench});
        all.push_back({.name = cat("total_correlation/gradient/", size),
                       .op = TotalCorrelationGradient{rows, stratified},
                       .in = {row, z, h, row, z},
                       .bench = bench});
      };
      for (const bool stratified : {false, true}) {
        add(2, 1, 3, stratified);
        add(5, 3, 9, stratified);
        add(7, 33, 50, stratified);
      }
      add(37, 70, 1000, false);
      add(300, 5, 1000, true);
      add(256, 20, 60000, true, true);
      return all;
    }};

}  // namespace

Var total_correlation(Var z, Var h, int64_t rows, bool stratified) {
  return apply_all(TotalCorrelation{rows, stratified}, std::vector{z, h})[0];
}

}  // namespace latent
