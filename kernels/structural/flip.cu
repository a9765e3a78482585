// Flip: one axis backwards, its own adjoint.
#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/structural/structural.h"
#include "kernels/words.h"

namespace latent {
namespace {

/// [outer, size, inner]: row r of the output is row r of the input, its middle axis counted from the end.
template <class W>
struct FlipRows {
  const W* in;
  W* out;
  int64_t size, inner;
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    const int64_t from = r + (size - 1 - 2 * (r % size));
    out[r * inner + c] = in[from * inner + c];
  }
};

}  // namespace

std::vector<Type> Flip::infer(Types in) const {
  if (in.size() != 1 || axis < 0 || axis >= in[0].rank())
    throw op_error(name, cat("has no axis ", axis, " from the right"), in);
  return {in[0]};
}

Kernel Flip::prepare(const Signature& s, Device&) const {
  const int64_t size = s.in[0].dim(axis);
  int64_t inner = 1;
  for (int i = 0; i < axis; ++i) inner *= s.in[0].dim(i);
  const int64_t rows = inner ? s.in[0].elements() / inner : 0;
  return word_kernel(s.in[0].dtype, [rows, size, inner](const Args& args, auto word) {
    using W = decltype(word);
    for_each_row(args.stream, rows, inner,
                 FlipRows<W>{args.input<W>(0), args.output<W>(0), size, inner});
  });
}

std::vector<Var> Flip::vjp(const Pullback& p) const { return {flip(p.cotangents[0], axis)}; }

Var flip(Var x, int axis) { return apply(Flip{.axis = axis}, {x}); }

namespace {
const RegisterSamples samples{
    "structural/flip", [] {
      return std::vector<Sample>{
          {.name = "flip/vector", .op = Flip{0}, .in = {{DType::f32, {7}}}},
          {.name = "flip/last", .op = Flip{0}, .in = {{DType::f32, {5, 37}}}},
          {.name = "flip/first", .op = Flip{1}, .in = {{DType::f32, {6, 5}}}},
          {.name = "flip/middle", .op = Flip{1}, .in = {{DType::f32, {3, 5, 7}}}},
          {.name = "flip/u8", .op = Flip{1}, .in = {{DType::u8, {5, 7}}}, .order = 0},
          {.name = "flip/128x140x1",
           .op = Flip{1},
           .in = {{DType::f32, {128, 140, 1}}},
           .bench = true},
      };
    }};
}  // namespace

}  // namespace latent
