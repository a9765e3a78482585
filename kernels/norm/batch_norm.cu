#include "kernels/norm/batch_norm.h"

#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/norm/norm.h"
#include "kernels/norm/reduce_map.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

/// Sums are of x - x[0, c]: a channel's offset cancels before anything is squared.
template <class T>
struct BatchNormBody {
  const T *x, *weight, *bias, *running_mean, *running_var;
  T *y, *mean, *var, *new_mean, *new_var;
  int64_t rows, cols;
  T eps, momentum;

  struct Numbers {
    T mean, var, scale, bias;
  };
  LATENT_HD Sums<T, 2> term(int64_t r, int64_t c) const {
    const T d = x[r * cols + c] - x[c];
    return {{d, d * d}};
  }
  LATENT_HD Numbers finish(int64_t c, const Sums<T, 2>& a) const {
    const T n = T(rows), shifted = a.v[0] / n;
    const T variance = math::max(a.v[1] / n - shifted * shifted, T(0));
    return {x[c] + shifted, variance, weight[c] * math::rsqrt(variance + eps), bias[c]};
  }
  LATENT_HD void keep(int64_t c, const Numbers& v) const {
    mean[c] = v.mean;
    var[c] = v.var;
    const T unbiased = v.var * (T(rows) / T(rows - 1));
    const T old_mean = running_mean[c], old_var = running_var[c];
    new_mean[c] = math::fma(momentum, v.mean - old_mean, old_mean);
    new_var[c] = math::fma(momentum, unbiased - old_var, old_var);
  }
  LATENT_HD void map(int64_t r, int64_t c, const Numbers& v) const {
    y[r * cols + c] = math::fma(x[r * cols + c] - v.mean, v.scale, v.bias);
  }
};

/// Column k cols + c is channel c of the k-th batch of g.
template <class T, bool kBatched>
struct BatchNormGradientBody {
  const T *g, *x, *weight, *mean, *var;
  T *dx, *dweight, *dbias;
  int64_t rows, cols;
  T eps;

  struct Numbers {
    T scale, mean, mean_g, slope;  ///< dx = scale (g - mean_g - slope (x - mean))
    T dweight, dbias;
  };
  struct Place {
    int64_t g, x, c;
  };
  LATENT_HD Place at(int64_t r, int64_t column) const {
    const int64_t k = kBatched ? column / cols : 0, c = kBatched ? column % cols : column;
    return {(k * rows + r) * cols + c, r * cols + c, c};
  }
  LATENT_HD Sums<T, 2> term(int64_t r, int64_t column) const {
    const Place p = at(r, column);
    return {{g[p.g], g[p.g] * (x[p.x] - mean[p.c])}};
  }
  LATENT_HD Numbers finish(int64_t column, const Sums<T, 2>& s) const {
    const int64_t c = at(0, column).c;
    const T rstd = math::rsqrt(var[c] + eps), n = T(rows), along = s.v[1] * rstd;
    return {weight[c] * rstd, mean[c], s.v[0] / n, rstd * (along / n), along, s.v[0]};
  }
  LATENT_HD void keep(int64_t column, const Numbers& v) const {
    dweight[column] = v.dweight;
    dbias[column] = v.dbias;
  }
  LATENT_HD void map(int64_t r, int64_t column, const Numbers& v) const {
    const Place p = at(r, column);
    dx[p.g] = v.scale * (g[p.g] - v.mean_g - v.slope * (x[p.x] - v.mean));
  }
};

template <class T>
struct FixedNormBody {
  const T *x, *weight, *bias, *mean, *var;
  T* y;
  int64_t cols;
  T eps;
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    y[r * cols + c] =
        math::fma(x[r * cols + c] - mean[c], weight[c] * math::rsqrt(var[c] + eps), bias[c]);
  }
};

template <class T>
size_t sums_workspace(int64_t rows, int64_t cols) {
  return reduce_map_cols_workspace<Sums<T, 2>>(rows, cols);
}
size_t sums_workspace(DType dtype, int64_t rows, int64_t cols) {
  return dtype == DType::f64 ? sums_workspace<double>(rows, cols)
                             : sums_workspace<float>(rows, cols);
}

template <bool kBatched>
Kernel gradient_kernel(const Signature& s, const NormShape& n, double eps) {
  return real_kernel(
      s.in[0].dtype,
      [n, eps](const Args& a, auto real) {
        using T = decltype(real);
        const BatchNormGradientBody<T, kBatched> body{
            a.input<T>(0), a.input<T>(1),  a.input<T>(2),  a.input<T>(3),
            a.input<T>(4), a.output<T>(0), a.output<T>(1), a.output<T>(2),
            n.rows,        n.cols,         T(eps)};
        reduce_map_cols(a.stream, n.rows, n.batch * n.cols, body, a.workspace);
      },
      sums_workspace(s.in[0].dtype, n.rows, n.batch * n.cols));
}

Var inverse_deviation(Var var, double eps) { return reciprocal(sqrt(var + eps)); }

/// [batch..., c] as [batch..., 1, ..., c], to be repeated over the rows of x behind its batch.
Var across_rows(Var v, int batch_axes, int x_rank) {
  Shape shape(v.shape().begin(), v.shape().begin() + batch_axes);
  shape.resize(batch_axes + x_rank - 1, 1);
  shape.push_back(v.type().dim(0));
  return reshape(v, shape);
}

Var plus(Var a, Var b) { return a && b ? a + b : a ? a : b; }

}  // namespace

// ---- Statistics of the batch ---------------------------------------------------------------------

std::vector<Type> BatchNorm::infer(Types in) const {
  require_norm_types(name, in, 4);
  if (norm_shape(in[0]).rows < 2)
    throw op_error(name, "a channel has one value, which has no variance", in);
  return {in[0], in[1], in[1], in[1], in[1]};
}

Kernel BatchNorm::prepare(const Signature& s, Device&) const {
  const NormShape n = norm_shape(s.in[0]);
  return real_kernel(
      s.in[0].dtype,
      [n, op = *this](const Args& a, auto real) {
        using T = decltype(real);
        const BatchNormBody<T> body{a.input<T>(0),  a.input<T>(1),  a.input<T>(2),  a.input<T>(3),
                                    a.input<T>(4),  a.output<T>(0), a.output<T>(1), a.output<T>(2),
                                    a.output<T>(3), a.output<T>(4), n.rows,         n.cols,
                                    T(op.eps),      T(op.momentum)};
        reduce_map_cols(a.stream, n.rows, n.cols, body, a.workspace);
      },
      sums_workspace(s.in[0].dtype, n.rows, n.cols));
}

std::vector<Var> BatchNorm::vjp(const Pullback& p) const {
  const Var x = p.in[0], mean = p.out[1], var = p.out[2];
  const double n = static_cast<double>(norm_shape(x.type()).rows);
  std::vector<Var> result(5);
  if (p.cotangents[0]) {
    const std::vector<Var> g =
        apply_all(BatchNormGradient{eps}, std::vector{p.cotangents[0], x, p.in[1], mean, var});
    std::ranges::copy(g, result.begin());
  }
  // What flows through the statistics themselves: in gradients of gradients alone.
  Var of_mean = p.cotangents[1], of_var = p.cotangents[2];
  if (const Var c = p.cotangents[3]) {
    of_mean = plus(of_mean, momentum * c);
    result[3] = (1 - momentum) * c;
  }
  if (const Var c = p.cotangents[4]) {
    of_var = plus(of_var, momentum * n / (n - 1) * c);
    result[4] = (1 - momentum) * c;
  }
  const int rank = x.type().rank();
  const auto repeated = [&](Var c) {
    return broadcast_to(across_rows(c, p.batch_axes, rank), with_batch(c, p.batch_axes, x.shape()));
  };
  if (of_mean) result[0] = plus(result[0], repeated(of_mean * (1 / n)));
  if (of_var) result[0] = plus(result[0], repeated(of_var * (2 / n)) * (x - mean));
  return result;
}

std::vector<Var> BatchNorm::reference(std::span<const Var> in) const {
  const Var x = in[0];
  const int rank = x.type().rank();
  const double n = static_cast<double>(norm_shape(x.type()).rows);
  const Var mean = sum_norm_rows(x, rank, false) * (1 / n), centred = x - mean;
  const Var var = sum_norm_rows(square(centred), rank, false) * (1 / n);
  return {centred * (in[1] * inverse_deviation(var, eps)) + in[2], mean, var,
          (1 - momentum) * in[3] + momentum * mean,
          (1 - momentum) * in[4] + momentum * n / (n - 1) * var};
}

Cost BatchNorm::cost(const Signature& s) const {
  Cost cost = streaming_cost(s, 6);
  cost.launches = reduce_map_cols_launches(norm_shape(s.in[0]).rows);
  return cost;
}

// ---- Its gradient --------------------------------------------------------------------------------

std::vector<Type> BatchNormGradient::infer(Types in) const {
  require_reals(name, in, 5);
  require_norm_types(name, in.subspan(1), 3);
  const Type vector{in[0].dtype, with_lead(leading_axes(name, in, in[0], in[1]), in[1].dim(0))};
  return {in[0], vector, vector};
}

Kernel BatchNormGradient::prepare(const Signature& s, Device&) const {
  const NormShape n = norm_shape(s.in[0], s.in[1]);
  return n.batch == 1 ? gradient_kernel<false>(s, n, eps) : gradient_kernel<true>(s, n, eps);
}

std::vector<Var> BatchNormGradient::reference(std::span<const Var> in) const {
  const Var g = in[0], x = in[1];
  const int rank = x.type().rank();
  const double n = static_cast<double>(norm_shape(x.type()).rows);
  const Var rstd = inverse_deviation(in[4], eps), hat = (x - in[3]) * rstd;
  const Var of_bias = sum_norm_rows(g, rank, true), of_weight = sum_norm_rows(g * hat, rank, true);
  const auto narrow = [&](Var v) {
    Shape shape(g.shape().begin(), g.shape().end() - rank);
    return reshape(v, with_lead(shape, x.type().dim(0)));
  };
  return {in[2] * rstd * (g - of_bias * (1 / n) - hat * of_weight * (1 / n)), narrow(of_weight),
          narrow(of_bias)};
}

Cost BatchNormGradient::cost(const Signature& s) const {
  Cost cost = streaming_cost(s, 9);
  cost.launches = reduce_map_cols_launches(norm_shape(s.in[1]).rows);
  return cost;
}

// ---- Given statistics ----------------------------------------------------------------------------

std::vector<Type> FixedNorm::infer(Types in) const {
  require_norm_types(name, in, 4);
  return {in[0]};
}

Kernel FixedNorm::prepare(const Signature& s, Device&) const {
  const NormShape n = norm_shape(s.in[0]);
  return real_kernel(s.in[0].dtype, [n, eps = eps](const Args& a, auto real) {
    using T = decltype(real);
    for_each_row(a.stream, n.rows, n.cols,
                 FixedNormBody<T>{a.input<T>(0), a.input<T>(1), a.input<T>(2), a.input<T>(3),
                                  a.input<T>(4), a.output<T>(0), n.cols, T(eps)});
  });
}

std::vector<Var> FixedNorm::reference(std::span<const Var> in) const {
  return {(in[0] - in[3]) * (in[1] * inverse_deviation(in[4], eps)) + in[2]};
}

namespace {

const RegisterSamples samples{
    "norm/batch_norm", [] {
      std::vector<Sample> all;
      const Sample::Range one{-1, 1}, x_range{2, 4}, var{0.5, 2};
      const auto add = [&](const Shape& shape, bool bench = false) {
        const Type x{DType::f32, shape}, vector{DType::f32, {shape.back()}};
        all.push_back({.name = cat("batch_norm/", to_string(shape)),
                       .op = BatchNorm{},
                       .in = {x, vector, vector, vector, vector},
                       .range = {x_range, one, one, one, var},
                       .bench = bench});
        all.push_back({.name = cat("batch_norm/gradient/", to_string(shape)),
                       .op = BatchNormGradient{},
                       .in = {x, x, vector, vector, vector},
                       .range = {one, x_range, one, x_range, var},
                       .bench = bench});
        all.push_back({.name = cat("batch_norm/fixed/", to_string(shape)),
                       .op = FixedNorm{},
                       .in = {x, vector, vector, vector, vector},
                       .range = {x_range, one, one, x_range, var},
                       .bench = bench});
      };
      add({3, 37});
      add({37, 1});
      add({33, 67});
      add({1100, 5});
      add({3, 5, 2, 7});
      add({256, 512}, true);
      add({64, 14, 14, 32}, true);
      const Type x{DType::f32, {3, 5, 7}}, vector{DType::f32, {7}};
      all.push_back({.name = "batch_norm/gradient/batched",
                     .op = BatchNormGradient{},
                     .in = {{DType::f32, {2, 3, 5, 7}}, x, vector, vector, vector},
                     .range = {one, x_range, one, x_range, var}});
      return all;
    }};

}  // namespace

Var batch_norm(Var x, Var weight, Var bias, Var mean, Var var, double eps) {
  return apply(FixedNorm{eps}, {x, weight, bias, mean, var});
}

}  // namespace latent
