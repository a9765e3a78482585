// Transpose: the last two axes change places.
#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/structural/structural.h"
#include "kernels/words.h"

namespace latent {
namespace {

/// Row r of out, of all matrices: out[m, i, j] = in[m, j, i], r = m rows + i.
template <class W>
struct TransposeRow {
  const W* in;
  W* out;
  int64_t rows, cols;  // of out
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    const int64_t matrix = r / rows, i = r % rows;
    out[r * cols + c] = in[matrix * rows * cols + c * rows + i];
  }
};

}  // namespace

std::vector<Type> Transpose::infer(Types in) const {
  if (in.size() != 1 || in[0].rank() < 2)
    throw op_error(name, "takes a tensor of two axes or more", in);
  Type out = in[0];
  std::swap(out.shape[out.rank() - 1], out.shape[out.rank() - 2]);
  return {out};
}

Kernel Transpose::prepare(const Signature& s, Device&) const {
  const int64_t rows = s.out[0].dim(1), cols = s.out[0].dim(0), n = s.out[0].elements();
  return word_kernel(s.in[0].dtype, [=](const Args& args, auto word) {
    using W = decltype(word);
    for_each_row(args.stream, cols ? n / cols : 0, cols,
                 TransposeRow<W>{args.input<W>(0), args.output<W>(0), rows, cols});
  });
}

std::vector<Var> Transpose::vjp(const Pullback& p) const { return {transpose(p.cotangents[0])}; }

Var transpose(Var x) { return apply(Transpose{}, {x}); }

namespace {
const RegisterSamples samples{
    "structural/transpose", [] {
      std::vector<Sample> all;
      for (const Shape& shape : {Shape{1, 7}, Shape{7, 1}, Shape{33, 67}, Shape{2, 3, 4, 5}})
        all.push_back({.name = cat("transpose/", to_string(shape)),
                       .op = Transpose{},
                       .in = {{DType::f32, shape}}});
      return all;
    }};
}  // namespace

}  // namespace latent
