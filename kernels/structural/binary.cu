// Addition, subtraction, multiplication and division.
#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/structural/broadcast.h"
#include "kernels/structural/structural.h"

namespace latent {

struct AddF {
  static constexpr const char* name = "add";
  template <class T>
  static LATENT_HD T apply(T a, T b) {
    return a + b;
  }
  static Var left(const Pullback& p) { return p.cotangents[0]; }
  static Var right(const Pullback& p) { return p.cotangents[0]; }
};

struct SubF {
  static constexpr const char* name = "sub";
  template <class T>
  static LATENT_HD T apply(T a, T b) {
    return a - b;
  }
  static Var left(const Pullback& p) { return p.cotangents[0]; }
  static Var right(const Pullback& p) { return -p.cotangents[0]; }
};

struct MulF {
  static constexpr const char* name = "mul";
  template <class T>
  static LATENT_HD T apply(T a, T b) {
    return a * b;
  }
  static Var left(const Pullback& p) { return p.cotangents[0] * p.in[1]; }
  static Var right(const Pullback& p) { return p.cotangents[0] * p.in[0]; }
};

struct DivF {
  static constexpr const char* name = "div";
  template <class T>
  static LATENT_HD T apply(T a, T b) {
    return a / b;
  }
  static Var left(const Pullback& p) { return p.cotangents[0] / p.in[1]; }
  static Var right(const Pullback& p) { return -(p.cotangents[0] / p.in[1] * p.out[0]); }
};

template <class F>
const char* const Binary<F>::name = F::name;

template <class F>
std::vector<Type> Binary<F>::infer(Types in) const {
  require_reals(name, in, 2);
  return {{in[0].dtype, broadcast_shapes(name, in)}};
}

template <class F>
Kernel Binary<F>::prepare(const Signature& s, Device&) const {
  const Walk walk = make_walk(name, s.in[0], s.in[1], s.out[0]);
  return real_kernel(s.in[0].dtype, [walk](const Args& args, auto real) {
    using T = decltype(real);
    broadcast<F>(args.stream, walk, args.input<T>(0), args.input<T>(1), args.output<T>(0));
  });
}

template <class F>
std::vector<Var> Binary<F>::vjp(const Pullback& p) const {
  // Autodiff sums over the axes along which an input was repeated.
  return {p.needs[0] ? F::left(p) : Var{}, p.needs[1] ? F::right(p) : Var{}};
}

template struct Binary<AddF>;
template struct Binary<SubF>;
template struct Binary<MulF>;
template struct Binary<DivF>;

Var add(Var a, Var b) { return apply(Add{}, {a, b}); }
Var sub(Var a, Var b) { return apply(Sub{}, {a, b}); }
Var mul(Var a, Var b) { return apply(Mul{}, {a, b}); }
Var div(Var a, Var b) { return apply(Div{}, {a, b}); }

namespace {

template <class F>
void add_samples(std::vector<Sample>& samples) {
  const Sample::Range away_from_zero{0.5, 2};
  auto sample = [&](std::string size, Shape a, Shape b, bool bench = false) {
    samples.push_back({.name = cat(F::name, "/", size),
                       .op = Binary<F>{},
                       .in = {{DType::f32, a}, {DType::f32, b}},
                       .range = {away_from_zero, away_from_zero},
                       .bench = bench});
  };
  sample("same", {33, 67}, {33, 67});
  sample("one", {}, {1});
  sample("row", {5, 37}, {37});
  sample("row_left", {1, 37}, {5, 37});
  sample("column", {5, 37}, {5, 1});
  sample("scalar", {37}, {});
  sample("outer", {7, 1}, {1, 9});
  sample("middle", {3, 5, 7}, {3, 1, 7});
  sample("deep", {2, 1, 3, 1, 5}, {1, 4, 1, 3, 5});
  sample("256x784", {256, 784}, {256, 784}, true);
  sample("row/256x784", {256, 784}, {784}, true);
}

const RegisterSamples samples{"structural/binary", [] {
                                std::vector<Sample> all;
                                add_samples<AddF>(all);
                                add_samples<SubF>(all);
                                add_samples<MulF>(all);
                                add_samples<DivF>(all);
                                return all;
                              }};

}  // namespace
}  // namespace latent
