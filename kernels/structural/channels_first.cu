#include "kernels/structural/channels_first.h"

#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/words.h"

namespace latent {
namespace {

/// out [image, cols, rows] = in [image, rows, cols]; r counts (image, column).
template <class W>
struct Transpose {
  const W* in;
  W* out;
  int64_t rows, cols;
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    out[r * rows + c] = in[(r / cols * rows + c) * cols + r % cols];
  }
};

}  // namespace

std::vector<Type> ChannelsFirst::infer(Types in) const {
  require_reals(name, in, 1);
  Type t = in[0];
  if (t.rank() < 3) throw op_error(name, "takes a map", in);
  if (inverse)
    std::rotate(t.shape.end() - 3, t.shape.end() - 2, t.shape.end());
  else
    std::rotate(t.shape.end() - 3, t.shape.end() - 1, t.shape.end());
  return {t};
}

Kernel ChannelsFirst::prepare(const Signature& s, Device&) const {
  const Type& t = s.in[0];
  const int64_t cols = inverse ? t.dim(0) * t.dim(1) : t.dim(0);
  const int64_t rows = inverse ? t.dim(2) : t.dim(1) * t.dim(2);
  const int64_t images = rows * cols > 0 ? t.elements() / (rows * cols) : 0;
  return word_kernel(t.dtype, [=](const Args& args, auto word) {
    using W = decltype(word);
    for_each_row(args.stream, images * cols, rows,
                 Transpose<W>{args.input<W>(0), args.output<W>(0), rows, cols});
  });
}

std::vector<Var> ChannelsFirst::vjp(const Pullback& p) const {
  return {apply(ChannelsFirst{!inverse}, {p.cotangents[0]})};
}

Var channels_first(Var x) { return apply(ChannelsFirst{false}, {x}); }
Var channels_last(Var x) { return apply(ChannelsFirst{true}, {x}); }

namespace {
const RegisterSamples samples{
    "structural/channels_first", [] {
      std::vector<Sample> all;
      for (const bool inverse : {false, true})
        for (const Shape& shape : {Shape{1, 1, 1}, Shape{3, 5, 7}, Shape{2, 3, 4, 5, 37}})
          all.push_back({.name = cat(inverse ? "channels_last/" : "channels_first/", shape.back()),
                         .op = ChannelsFirst{inverse},
                         .in = {{DType::f32, shape}}});
      return all;
    }};
}  // namespace

}  // namespace latent
