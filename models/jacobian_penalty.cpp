// The contractive penalty (Rifai et al., ICML 2011): the mean over rows of ||d at / d x||_F^2, x what the encoder is given,
// behind a corruption if there is one.
//
// closed      one dense layer between x and `at`: sum_j f'(a_j)^2 ||W_j||^2, a fused kernel.
// exact       any layers: a unit vector for each unit of `at` pulled back, or for each element of x pushed forward, whichever
//             are fewer, all at once as rows of the same products.
// hutchinson  `probes` random vectors of +-1 instead: unbiased, as E ||u' J||^2 = ||J||_F^2 where E u u' = I. They are of the
//             side with fewer elements, whose estimate varies less, and new in each step.
//
// hessian: the second term of CAE+H (Rifai et al., ECML 2011), E_eps ||J(x) - J(x + eps)||_F^2 with eps Gaussian: the
// penalty is weight (||J||^2 + hessian.weight E_eps ||J(x) - J(x + eps)||^2), the mean over `samples` standing for E.
#include "kernels/ops.h"
#include "kernels/penalty/penalty.h"
#include "kernels/random/draw.h"
#include "models/jacobian.h"
#include "models/model.h"
#include "models/penalty.h"

namespace latent {
namespace {

using namespace schema;
using Side = JacobianSeeds::Side;

/// `auto` computes a Jacobian as a whole up to so many seeds.
constexpr int64_t kMostSeeds = 32;

enum class Estimator { closed, exact, hutchinson };

/// What the Jacobian is of, and how it is had.
struct Method {
  Var x, h;
  std::optional<DenseBetween> layer;  ///< where one dense layer lies between them
  Estimator estimator = Estimator::exact;
  Side side = Side::outputs;
};

std::string count_of(int64_t n, Side side) {
  return cat(n, side == Side::outputs ? " cotangents" : " tangents");
}

/// The estimator, and why: a note for the user where it was not named.
Method method_of(const Choice& choice, const PenaltyInput& in, Var h) {
  Method method{.x = in.input, .h = h, .layer = dense_between(in.input, h)};
  if (h.shape()[0] != method.x.shape()[0])
    throw error_at(choice.option("at").mark(), "model.penalties.jacobian.at",
                   "must name a layer that is there once for each row: with several samples of the "
                   "code, one of the encoder, or the code");
  if (mixes_rows(method.x, h))
    throw error_at(choice.option("at").mark(), "model.penalties.jacobian.at",
                   cat(in.address,
                       " lies behind batch_norm, whose statistics make each row depend on "
                       "the others: a row has no Jacobian of its own. Use layer_norm"));
  method.side = cheaper_side(method.x, h);
  const int64_t seeds = elements_of_row(method.side == Side::outputs ? h : method.x),
                probes = choice.option("probes").as_int();
  const Value& wanted = choice.option("estimator");
  const std::string& where = in.address;
  if (wanted.is("closed") && !method.layer)
    throw error_at(wanted.mark(), "model.penalties.jacobian.estimator",
                   cat("closed is for one dense layer between the encoder's input and ", where,
                       "; here stands more: take auto, exact or hutchinson"));
  if (wanted.is("closed") || (wanted.is("auto") && method.layer))
    method.estimator = Estimator::closed;
  else if (wanted.is("hutchinson") || (wanted.is("auto") && seeds > kMostSeeds))
    method.estimator = Estimator::hutchinson;
  if (!wanted.is("auto")) return method;
  std::string why;
  if (method.estimator == Estimator::closed)
    why = cat("closed: one dense layer between input and ", where);
  else if (method.estimator == Estimator::exact)
    why = cat("exact: several layers before ", where, ", ", count_of(seeds, method.side),
              " a row (at most ", kMostSeeds, ")");
  else
    why = cat("hutchinson: several layers before ", where, ", ", count_of(seeds, method.side),
              " a row would be more than ", kMostSeeds, "; ", probes, " random ",
              probes == 1 ? "one instead" : "ones instead");
  in.build.notes.push_back(cat(penalty_label(choice), ": estimator ", why));
  return method;
}

JacobianSeeds make_seeds(const Method& method, const Choice& choice, const PenaltyInput& in) {
  if (method.estimator == Estimator::exact) return unit_seeds(method.x, method.h, method.side);
  const Var of = method.side == Side::outputs ? method.h : method.x;
  Shape shape{choice.option("probes").as_int()};
  shape.insert(shape.end(), of.shape().begin(), of.shape().end());
  const Draw draw{.kind = Draw::Kind::rademacher,
                  .stream = in.build.stream(penalty_label(choice) + ".probes"),
                  .shape = shape};
  const Var probes = apply(draw, {in.build.seed, in.build.step});
  return {method.side, of.type().dtype == DType::f32 ? probes : cast(probes, of.type().dtype)};
}

/// A sum over seeds is the squared norm, or `probes` estimates of it.
double weight_of(const Method& method, const Choice& choice) {
  return method.estimator == Estimator::hutchinson
             ? 1 / static_cast<double>(choice.option("probes").as_int())
             : 1;
}

/// The same place of the encoder, given x + eps for `samples` eps a row: rows are [samples, rows].
Method perturbed(const Method& method, const Choice& choice, const PenaltyInput& in, double std,
                 int64_t samples) {
  Shape shape = method.x.shape(), wide = shape;
  wide.insert(wide.begin(), samples);
  shape[0] *= samples;
  const Draw draw{.kind = Draw::Kind::normal,
                  .stream = in.build.stream(penalty_label(choice) + ".hessian"),
                  .shape = shape};
  Var eps = apply(draw, {in.build.seed, in.build.step});
  if (method.x.type().dtype != DType::f32) eps = cast(eps, method.x.type().dtype);
  Build other{.graph = in.graph,
              .training = in.build.training,
              .real = in.build.real,
              .averaged = in.build.averaged,
              .seed = in.build.seed,
              .step = in.build.step};
  Method result{.x = reshape(broadcast_to(method.x, wide), shape) + std * eps};
  const Code code = in.model.encode(other, result.x);
  if (method.h == in.code.mean) result.h = code.mean;
  for (const auto& [address, v] : in.build.taps)
    if (v == method.h && other.taps.contains(address)) result.h = other.taps.at(address);
  if (!result.h)
    throw error_at(choice.option("at").mark(), "model.penalties.jacobian.at",
                   "with `hessian` it must name a layer of the encoder, or the code");
  result.layer = dense_between(result.x, result.h);
  return result;
}

/// f'(a) of a dense layer.
Var slopes(const DenseBetween& layer) {
  return apply(layer.family->gradient, {fill_like(layer.a, 1), layer.a});
}

/// Seeds of method once more for each sample.
JacobianSeeds repeated(const JacobianSeeds& seeds, int64_t samples) {
  Shape wide = seeds.seeds.shape(), full = wide;
  wide.insert(wide.begin() + 1, 1);
  Shape repeat = wide;
  repeat[1] = samples;
  full[1] *= samples;
  return {seeds.side, reshape(broadcast_to(reshape(seeds.seeds, wide), repeat), full)};
}

/// v [..., samples rows, n...] - of [..., rows, n...] for each sample, as [count, rows, n].
Var differences(Var v, Var of, int64_t count, int64_t samples, int64_t rows) {
  const Var a = reshape(v, {count, samples, rows, -1}), b = reshape(of, {count, 1, rows, -1});
  return reshape(a - b, {count * samples, rows, -1});
}

/// E_eps ||J(x) - J(x + eps)||_F^2 of each row.
Var curvature(const Method& method, const Value& hessian, const Choice& choice,
              const PenaltyInput& in, const JacobianSeeds& seeds, Var products) {
  const int64_t samples = hessian.at("samples").as_int(), rows = method.x.shape().front();
  const Method other = perturbed(method, choice, in, hessian.at("std").as_real(), samples);
  const double mean = weight_of(method, choice) / static_cast<double>(samples);
  if (method.estimator == Estimator::closed) {
    const Var d = differences(slopes(*other.layer), slopes(*method.layer), 1, samples, rows);
    const Var weighted = reshape(square(d) * sum_squares(method.layer->w), {samples * rows, -1});
    return mean * sum_cols(reshape(sum_rows(weighted), {samples, rows}));
  }
  const Var moved = jacobian_products(other.x, other.h, repeated(seeds, samples));
  return mean * sum_squares_of_rows(differences(moved, products, moved.shape()[0], samples, rows));
}

Var jacobian_term(const Choice& choice, const PenaltyInput& in) {
  // A sampled code is given by its mean: the sample's Jacobian would depend on the noise.
  const bool sampled = in.at == in.code.value && !(in.code.mean == in.code.value);
  const Method method = method_of(choice, in, sampled ? in.code.mean : in.at);
  const Value& hessian = choice.option("hessian");
  JacobianSeeds seeds;
  Var products, term;
  if (method.estimator == Estimator::closed) {
    term = squared_jacobian(*method.layer);
  } else {
    seeds = make_seeds(method, choice, in);
    products = jacobian_products(method.x, method.h, seeds);
    term = weight_of(method, choice) * sum_squares_of_rows(products);
  }
  if (hessian.is("none")) return term;
  return term +
         hessian.at("weight").as_real() * curvature(method, hessian, choice, in, seeds, products);
}

const RegisterPenalty jacobian{
    {"jacobian",
     "||d at / d x||_F^2, x what the encoder is given; mean over rows",
     {option("estimator", words({"auto", "closed", "exact", "hutchinson"}), "auto",
             "closed: one dense layer; exact: any; hutchinson: random probes; auto: the first that "
             "costs little"),
      option("probes", integer("[1, inf)"), "1", "random vectors of hutchinson, new in each step"),
      option("hessian",
             words({"none"}) |
                 record({option("std", real("(0, inf)"), "0.1", "of the Gaussian eps"),
                         option("samples", integer("[1, inf)"), "2", "of eps, for each row"),
                         option("weight", real("[0, inf)"), "1", "beside the Jacobian's own")}),
             "none", "adds weight times E ||J(x) - J(x + eps)||_F^2 (CAE+H)")},
     {"at"},
     ""},
    jacobian_term};

}  // namespace
}  // namespace latent
