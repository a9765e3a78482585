#include "kernels/random/dropout.h"

#include "core/graph/samples.h"
#include "core/random/philox.h"
#include "kernels/ops.h"
#include "kernels/random/draw.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"

namespace latent {
namespace {

/// Elements 4 block to 4 block + 3 of row r of x [rows, n]. Whole: all four are there, as a loop
/// needs that shall vectorise; else what is beyond the end is left out.
template <class T, bool Whole>
struct DropBlock {
  const uint64_t *seed, *step;
  const T* x;
  T* y;
  uint64_t stream;
  int64_t first, n;
  float keep;
  T scale;

  LATENT_HD void operator()(int64_t r, int64_t i) const {
    const int64_t block = first + i;
    const Float4 mask = bernoulli4(*seed, *step, stream, static_cast<uint64_t>(block), keep);
    for (int k = 0; k < 4; ++k) {
      const int64_t at = r * n + 4 * block + k;
      // A product, not a choice: what is not finite stays so.
      if (Whole || 4 * block + k < n) y[at] = x[at] * (T(mask.v[k]) * scale);
    }
  }
};

/// The type of the mask.
Type masked(const Type& x, int leading) {
  return {DType::f32, {x.shape.begin() + leading, x.shape.end()}};
}

const RegisterSamples samples{
    "random/dropout", [] {
      std::vector<Sample> all;
      const Type counter{DType::u64, {1}};
      const auto add = [&](const Shape& shape, double rate, int leading = 0, bool bench = false) {
        all.push_back({.name = cat("dropout/", to_string(shape), "/", leading),
                       .op = Dropout{.rate = rate, .stream = stream_of("x"), .leading = leading},
                       .in = {counter, counter, {DType::f32, shape}},
                       .range = {{0, 1e9}, {0, 1e6}, {-1, 1}},
                       .bench = bench});
      };
      add({}, 0.25);
      add({1, 37}, 0.5);
      add({37, 1}, 0);
      add({33, 67}, 0.9);
      add({3, 5, 7}, 0.5, 1);
      add({256, 784}, 0.2, 0, true);
      return all;
    }};

}  // namespace

std::vector<Type> Dropout::infer(Types in) const {
  const Type counter{DType::u64, {1}};
  if (in.size() != 3 || in[0] != counter || in[1] != counter)
    throw op_error(name, "takes seed u64[1], step u64[1] and x", in);
  require_reals(name, in.subspan(2), 1);
  if (!(rate >= 0 && rate < 1)) throw op_error(name, cat("rate ", rate, " is not in [0, 1)"), in);
  if (leading > in[2].rank()) throw op_error(name, "has too few axes", in);
  return {in[2]};
}

Kernel Dropout::prepare(const Signature& s, Device&) const {
  const int64_t n = masked(s.in[2], leading).elements();
  const int64_t rows = n ? s.in[2].elements() / n : 0;
  return real_kernel(s.in[2].dtype, [n, rows, op = *this](const Args& a, auto real) {
    using T = decltype(real);
    DropBlock<T, false> some{.seed = a.input<uint64_t>(0),
                             .step = a.input<uint64_t>(1),
                             .x = a.input<T>(2),
                             .y = a.output<T>(0),
                             .stream = op.stream,
                             .first = 0,
                             .n = n,
                             .keep = static_cast<float>(1 - op.rate),
                             .scale = static_cast<T>(1 / (1 - op.rate))};
    if (a.stream.gpu) return for_each_row(a.stream, rows, (n + 3) / 4, some);
    const DropBlock<T, true> whole{some.seed,  some.step, some.x,    some.y,    some.stream,
                                   some.first, some.n,    some.keep, some.scale};
    for_each_row(a.stream, rows, n / 4, whole);
    some.first = n / 4;
    for_each_row(a.stream, rows, n % 4 ? 1 : 0, some);
  });
}

std::vector<Var> Dropout::vjp(const Pullback& p) const {
  Dropout again = *this;
  again.leading += p.batch_axes;
  return {{}, {}, apply(again, {p.in[0], p.in[1], p.cotangents[0]})};
}

std::vector<Var> Dropout::reference(std::span<const Var> in) const {
  const Type mask = masked(in[2].type(), leading);
  const Var drawn = apply(Draw{.kind = Draw::Kind::bernoulli,
                               .stream = stream,
                               .shape = mask.shape,
                               .p = static_cast<float>(1 - rate)},
                          {in[0], in[1]});
  return {in[2] * (cast(drawn, in[2].type().dtype) * (1 / (1 - rate)))};
}

Var dropout(Var seed, Var step, Var x, double rate, uint64_t stream) {
  return apply(Dropout{.rate = rate, .stream = stream}, {seed, step, x});
}

}  // namespace latent
