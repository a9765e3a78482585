// KL sparsity (Ng, CS294A lecture notes, 2011): sum over units of KL(Bernoulli(rho) || Bernoulli(rho_hat)), with rho_hat
// the mean activation of a unit over the batch. Its gradient is the same row for all of the batch's rows, so it reads
// rho_hat alone.
#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/adding.h"
#include "kernels/ops.h"
#include "kernels/penalty/penalty.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

Shape joined(Shape a, const Shape& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// q kept 2^-23 away from 0 and 1, so that units that are always off or on have a large but finite divergence. NaN
/// where q is no mean of numbers in [0, 1]: the loss is not finite then, and the training stops.
template <class T>
LATENT_HD T inside(T q) {
  constexpr T kEdge = T(0x1p-23), kRounding = T(1e-5);
  const T kept = math::min(math::max(q, kEdge), T(1) - kEdge);
  return math::select(q >= -kRounding && q <= T(1) + kRounding, kept, T(__builtin_nan("")));
}

template <class T>
struct Element {
  const T* h;
  int64_t cols;
  LATENT_HD T operator()(int64_t r, int64_t c) const { return h[r * cols + c]; }
};

template <class T>
struct StoreMean {
  const T* offset;  // may be missing
  T* rho_hat;
  T share;
  LATENT_HD void operator()(int64_t c, T sum) const {
    rho_hat[c] = offset ? share * sum + offset[c] : share * sum;
  }
};

template <class T>
struct Divergence {
  const T* rho_hat;
  T rho;
  LATENT_HD T operator()(int64_t i) const {
    const T q = inside(rho_hat[i]);
    return rho * math::log(rho / q) + (T(1) - rho) * math::log((T(1) - rho) / (T(1) - q));
  }
};

/// out[b, r, c] = g[b] d KL / d rho_hat[c] / rows.
template <class T, bool kAdds>
struct DivergenceGradient {
  const T *g, *rho_hat, *more;
  T* out;
  T rho, share;
  int64_t rows, cols;
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    const T q = inside(rho_hat[c]);
    const T value = share * g[r / rows] * ((q - rho) / (q * (T(1) - q)));
    out[r * cols + c] = kAdds ? value + more[r * cols + c] : value;
  }
};

/// (g [...], rho_hat [units...]) -> [..., rows, units...]; a third input, where there is one, is added.
struct KlSparsityGradient {
  static constexpr const char* name = "kl_sparsity.gradient";
  double rho = 0.05;
  int64_t rows = 1;
  bool adds = false;

  std::vector<Type> infer(Types in) const {
    require_reals(name, in, adds ? 3 : 2);
    const Type out{in[0].dtype, joined(joined(in[0].shape, {rows}), in[1].shape)};
    if (adds && in[2] != out)
      throw op_error(name, cat("what is added must be ", to_string(out)), in);
    return {out};
  }
  Kernel prepare(const Signature& s, Device&) const {
    return adds ? kernel<true>(s) : kernel<false>(s);
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var q = in[1], slope = (1 - rho) * reciprocal(1 - q) - rho * reciprocal(q);
    const Shape wide = joined(in[0].shape(), Shape(1 + q.shape().size(), 1)),
                full = joined(joined(in[0].shape(), {rows}), q.shape());
    const Var g = broadcast_to(reshape(in[0], wide) * (slope / static_cast<double>(rows)), full);
    return {adds ? g + in[2] : g};
  }
  int overwrites(int) const { return adds ? 2 : -1; }
  Cost cost(const Signature& s) const { return streaming_cost(s, adds ? 8 : 7); }
  bool operator==(const KlSparsityGradient&) const = default;

 private:
  template <bool kAdds>
  Kernel kernel(const Signature& s) const {
    return real_kernel(s.in[0].dtype, [op = *this, count = s.in[0].elements(),
                                       cols = s.in[1].elements()](const Args& a, auto real) {
      using T = decltype(real);
      for_each_row(
          a.stream, count * op.rows, cols,
          DivergenceGradient<T, kAdds>{a.input<T>(0), a.input<T>(1),
                                       kAdds ? a.input<T>(2) : nullptr, a.output<T>(0), T(op.rho),
                                       T(1 / static_cast<double>(op.rows)), op.rows, cols});
    });
  }
};

/// (h [rows, units...], [offset [units...]]) -> the divergence [], and rho_hat [units...] = mean of h + offset.
struct KlSparsity {
  static constexpr const char* name = "kl_sparsity";
  double rho = 0.05;

  std::vector<Type> infer(Types in) const {
    require_reals(name, in, in.size() == 2 ? 2 : 1);
    if (in[0].rank() < 2) throw op_error(name, "takes h [rows, units...]", in);
    if (!(rho > 0 && rho < 1)) throw op_error(name, cat("rho ", rho, " is not in (0, 1)"), in);
    const Type unit{in[0].dtype, {in[0].shape.begin() + 1, in[0].shape.end()}};
    if (in.size() == 2 && in[1] != unit)
      throw op_error(name, cat("offset must be ", to_string(unit)), in);
    return {{in[0].dtype, {}}, unit};
  }
  Kernel prepare(const Signature& s, Device&) const {
    const int64_t rows = s.in[0].shape[0], cols = s.out[1].elements();
    return s.in[0].dtype == DType::f64 ? kernel<double>(s, rows, cols)
                                       : kernel<float>(s, rows, cols);
  }
  std::vector<Var> vjp(const Pullback& p) const {
    std::vector<Var> result(p.in.size());
    if (p.needs[0]) result[0] = pulled(p, p.in[0].shape()[0], false);
    if (p.in.size() == 2 && p.needs[1]) result[1] = pulled(p, 1, true);
    return result;
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    Var q = mean_cols(in[0]);
    if (in.size() == 2) q = q + in[1];
    const double entropy = rho * std::log(rho) + (1 - rho) * std::log(1 - rho);
    const Var cross = rho * log(q) + (1 - rho) * log(1 - q);
    return {sum(entropy - cross), q};
  }
  Cost cost(const Signature& s) const {
    const auto elements = static_cast<double>(s.in[0].elements());
    Cost cost = streaming_cost(s, elements + 40 * static_cast<double>(s.out[1].elements()));
    cost.launches =
        reduce_cols_launches(s.in[0].shape[0]) + reduce_all_launches(s.out[1].elements());
    return cost;
  }
  bool operator==(const KlSparsity&) const = default;

 private:
  /// The cotangent of one of the rows that rho_hat is the mean of, for each of them; without an axis for one that is all.
  Var pulled(const Pullback& p, int64_t rows, bool squeeze) const {
    const Var c = p.cotangents[0], of_mean = p.cotangents[1], rho_hat = p.out[1];
    const Shape behind = squeeze ? rho_hat.shape() : joined({rows}, rho_hat.shape());
    Var g;
    if (c)
      g = reshape(apply(KlSparsityGradient{rho, rows}, {c, rho_hat}),
                  with_batch(c, p.batch_axes, behind));
    if (!of_mean) return g;
    const Var a_row =
        reshape(of_mean / static_cast<double>(rows),
                with_batch(of_mean, p.batch_axes, squeeze ? behind : joined({1}, rho_hat.shape())));
    const Var more = broadcast_to(a_row, with_batch(of_mean, p.batch_axes, behind));
    return g ? g + more : more;
  }
  template <class T>
  Kernel kernel(const Signature& s, int64_t rows, int64_t cols) const {
    const size_t slabs = reduce_cols_workspace<T>(rows, cols);
    const bool offset = s.in.size() == 2;
    return {.run =
                [=, rho = rho](const Args& a) {
                  T* rho_hat = a.output<T>(1);
                  reduce_cols(a.stream, rows, cols, Sum{}, Element<T>{a.input<T>(0), cols},
                              StoreMean<T>{offset ? a.input<T>(1) : nullptr, rho_hat,
                                           T(1 / static_cast<double>(rows))},
                              a.workspace);
                  reduce_all(a.stream, cols, Sum{}, Divergence<T>{rho_hat, T(rho)},
                             skeleton::Store<T>{a.output<T>(0)}, a.workspace);
                },
            .workspace = std::max(slabs, reduce_all_workspace<T>(cols))};
  }
};

Sample sample(const std::string& size, Shape shape, bool offset, bool bench = false) {
  Sample s{.name = cat("kl_sparsity/", size),
           .op = KlSparsity{.rho = 0.1},
           .in = {{DType::f32, shape}},
           .range = {{0.2, 0.8}, {-0.1, 0.1}},
           .bench = bench};
  if (offset) s.in.push_back({DType::f32, {shape.begin() + 1, shape.end()}});
  return s;
}

const RegisterAdding<KlSparsityGradient> registered;
const RegisterSamples samples{
    "penalty/kl_sparsity", [] {
      std::vector<Sample> all{sample("1x37", {1, 37}, false),
                              sample("37x1", {37, 1}, false),
                              sample("3x5x7", {3, 5, 7}, false),
                              sample("1100x33", {1100, 33}, false),
                              sample("5x70000", {5, 70000}, false),
                              sample("offset/3x5", {3, 5}, true),
                              sample("offset/33x2x7", {33, 2, 7}, true),
                              sample("256x1000", {256, 1000}, false, true)};
      const auto gradient = [&](const std::string& size, int64_t rows, Shape batch, Shape units,
                                bool bench = false) {
        all.push_back({.name = cat("kl_sparsity/gradient/", size),
                       .op = KlSparsityGradient{.rho = 0.1, .rows = rows},
                       .in = {{DType::f32, batch}, {DType::f32, units}},
                       .range = {{-1, 1}, {0.1, 0.9}},
                       .bench = bench});
      };
      gradient("one", 1, {}, {1});
      gradient("odd", 5, {}, {7});
      gradient("batched", 3, {2}, {3, 5});
      gradient("256x1000", 256, {}, {1000}, true);
      all.push_back({.name = "kl_sparsity/gradient/adds",
                     .op = KlSparsityGradient{.rho = 0.1, .rows = 3, .adds = true},
                     .in = {{DType::f32, {2}}, {DType::f32, {5}}, {DType::f32, {2, 3, 5}}},
                     .range = {{-1, 1}, {0.1, 0.9}, {-1, 1}}});
      return all;
    }};

}  // namespace

Var kl_sparsity(Var h, double rho, Var offset) {
  const KlSparsity op{.rho = rho};
  const std::vector<Var> in = offset ? std::vector<Var>{h, offset} : std::vector<Var>{h};
  return apply_all(op, in)[0];
}

}  // namespace latent
