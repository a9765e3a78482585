// Slice, Pad and Concat: contiguous pieces of one axis.

#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/structural/structural.h"
#include "kernels/words.h"

namespace latent {
namespace {

/// A tensor seen around one axis, as [outer, axis, inner].
struct Around {
  int64_t outer = 1, size = 1, inner = 1;
  Around(const Type& t, int axis) {
    for (int i = 0; i < t.rank(); ++i) (i < axis ? inner : i == axis ? size : outer) *= t.dim(i);
  }
};

/// Copies `cols` elements of each row from one matrix into another.
template <class W>
struct CopyRows {
  const W* in;
  W* out;
  int64_t in_stride, out_stride;
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    out[r * out_stride + c] = in[r * in_stride + c];
  }
};

/// A row of `out` is zeros but for the columns [begin, begin + cols), which are a row of `in`.
template <class W>
struct PadRows {
  const W* in;
  W* out;
  int64_t begin, cols, out_cols;
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    const bool inside = c >= begin && c < begin + cols;
    out[r * out_cols + c] = inside ? in[r * cols + c - begin] : W(0);
  }
};

Type with_size(Type t, int axis, int64_t size) {
  t.shape[t.rank() - 1 - axis] = size;
  return t;
}

void require_axis(std::string_view op, Types in, int axis) {
  if (in.empty() || axis < 0 || axis >= in[0].rank())
    throw op_error(op, cat("has no axis ", axis, " from the right"), in);
}

}  // namespace

std::vector<Type> Slice::infer(Types in) const {
  require_axis(name, in, axis);
  if (in.size() != 1 || begin < 0 || begin > end || end > in[0].dim(axis))
    throw op_error(name, cat("no [", begin, ", ", end, ") of axis ", axis), in);
  return {with_size(in[0], axis, end - begin)};
}

Kernel Slice::prepare(const Signature& s, Device&) const {
  const Around from(s.in[0], axis), to(s.out[0], axis);
  return word_kernel(s.in[0].dtype, [from, to, first = begin](const Args& args, auto word) {
    using W = decltype(word);
    for_each_row(args.stream, from.outer, to.size * to.inner,
                 CopyRows<W>{args.input<W>(0) + first * from.inner, args.output<W>(0),
                             from.size * from.inner, to.size * to.inner});
  });
}

std::vector<Var> Slice::vjp(const Pullback& p) const {
  return {pad(p.cotangents[0], axis, begin, p.in[0].type().dim(axis) - end)};
}

Cost Slice::cost(const Signature& s) const {
  return {.flops = 0, .bytes = 2.0 * static_cast<double>(s.out[0].bytes())};
}

std::vector<Type> Pad::infer(Types in) const {
  require_reals(name, in, 1);
  require_axis(name, in, axis);
  if (before < 0 || after < 0) throw op_error(name, "a negative width", in);
  return {with_size(in[0], axis, before + in[0].dim(axis) + after)};
}

Kernel Pad::prepare(const Signature& s, Device&) const {
  const Around from(s.in[0], axis), to(s.out[0], axis);
  return word_kernel(s.in[0].dtype, [from, to, first = before](const Args& args, auto word) {
    using W = decltype(word);
    for_each_row(args.stream, to.outer, to.size * to.inner,
                 PadRows<W>{args.input<W>(0), args.output<W>(0), first * from.inner,
                            from.size * from.inner, to.size * to.inner});
  });
}

std::vector<Var> Pad::vjp(const Pullback& p) const {
  return {slice(p.cotangents[0], axis, before, before + p.in[0].type().dim(axis))};
}

std::vector<Type> Concat::infer(Types in) const {
  require_axis(name, in, axis);
  int64_t size = 0;
  for (const Type& t : in) {
    if (t.rank() != in[0].rank() || with_size(t, axis, 0) != with_size(in[0], axis, 0))
      throw op_error(name, cat("differ beside axis ", axis), in);
    size += t.dim(axis);
  }
  return {with_size(in[0], axis, size)};
}

Kernel Concat::prepare(const Signature& s, Device&) const {
  std::vector<Around> from;
  for (const Type& t : s.in) from.emplace_back(t, axis);
  const Around to(s.out[0], axis);
  return word_kernel(s.in[0].dtype, [from, to](const Args& args, auto word) {
    using W = decltype(word);
    W* out = args.output<W>(0);
    for (size_t i = 0; i < from.size(); ++i) {
      const int64_t cols = from[i].size * from[i].inner;
      for_each_row(args.stream, to.outer, cols,
                   CopyRows<W>{args.input<W>(static_cast<int>(i)), out, cols, to.size * to.inner});
      out += cols;
    }
  });
}

std::vector<Var> Concat::vjp(const Pullback& p) const {
  std::vector<Var> result;
  int64_t begin = 0;
  for (size_t i = 0; i < p.in.size(); ++i) {
    const int64_t end = begin + p.in[i].type().dim(axis);
    result.push_back(p.needs[i] ? slice(p.cotangents[0], axis, begin, end) : Var{});
    begin = end;
  }
  return result;
}

Cost Concat::cost(const Signature& s) const {
  Cost cost = streaming_cost(s, 0);
  cost.launches = static_cast<int>(s.in.size());
  return cost;
}

Var slice(Var x, int axis, int64_t begin, int64_t end) {
  return apply(Slice{.axis = axis, .begin = begin, .end = end}, {x});
}
Var pad(Var x, int axis, int64_t before, int64_t after) {
  return apply(Pad{.axis = axis, .before = before, .after = after}, {x});
}
Var concat(std::span<const Var> parts, int axis) { return latent::apply(Concat{axis}, parts); }

namespace {
const RegisterSamples samples{
    "structural/slice", [] {
      const Type matrix{DType::f32, {5, 37}}, cube{DType::f32, {3, 5, 7}};
      return std::vector<Sample>{
          {.name = "slice/last", .op = Slice{0, 4, 33}, .in = {matrix}},
          {.name = "slice/first", .op = Slice{1, 4, 5}, .in = {matrix}},
          {.name = "slice/middle", .op = Slice{1, 1, 4}, .in = {cube}},
          {.name = "slice/u8", .op = Slice{0, 0, 3}, .in = {{DType::u8, {5, 7}}}, .order = 0},
          {.name = "pad/last", .op = Pad{0, 3, 1}, .in = {matrix}},
          {.name = "pad/middle", .op = Pad{1, 0, 2}, .in = {cube}},
          {.name = "concat/last", .op = Concat{0}, .in = {matrix, {DType::f32, {5, 1}}, matrix}},
          {.name = "concat/middle", .op = Concat{1}, .in = {cube, {DType::f32, {3, 2, 7}}}},
      };
    }};
}  // namespace

}  // namespace latent
