// ReduceSum: sums over any axes, in an order that depends on the shape alone.
#include <algorithm>

#include "core/graph/samples.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"
#include "kernels/structural/structural.h"

namespace latent {
namespace {

/// The axes of the input, innermost first, kept and summed ones taken apart; neighbours of one kind
/// are folded.
struct SumWalk {
  static constexpr int kMax = 8;
  int kept = 0, summed = 0;
  int64_t kept_size[kMax] = {}, kept_stride[kMax] = {};
  int64_t sum_size[kMax] = {}, sum_stride[kMax] = {};
  int64_t outputs = 1, terms = 1;
  bool summed_inside = false;  ///< the innermost axis is a summed one

  static LATENT_HD int64_t offset(int64_t index, int axes, const int64_t* size,
                                  const int64_t* stride) {
    int64_t at = 0;
    for (int i = 0; i < axes; ++i) {
      at += index % size[i] * stride[i];
      index /= size[i];
    }
    return at;
  }
};

SumWalk make_sum_walk(Types in, const std::vector<int>& axes) {
  SumWalk w;
  int64_t stride = 1;
  int before = -1;  // kind of the last axis: 0 kept, 1 summed
  for (int axis = 0; axis < in[0].rank(); ++axis) {
    const int64_t size = in[0].dim(axis);
    if (size == 1) continue;
    const bool sum = std::ranges::find(axes, axis) != axes.end();
    int& n = sum ? w.summed : w.kept;
    if (before < 0) w.summed_inside = sum;
    if (before == int(sum)) {
      (sum ? w.sum_size : w.kept_size)[n - 1] *= size;
    } else {
      if (n == SumWalk::kMax) throw op_error(ReduceSum::name, "more than 8 axes", in);
      (sum ? w.sum_size : w.kept_size)[n] = size;
      (sum ? w.sum_stride : w.kept_stride)[n++] = stride;
    }
    (sum ? w.terms : w.outputs) *= size;
    stride *= size;
    before = sum;
  }
  return w;
}

/// Any other choice of axes: each output adds up its terms one after the other.
template <class T>
struct SumSerially {
  const T* x;
  T* out;
  SumWalk w;
  LATENT_HD void operator()(int64_t i) const {
    const T* first = x + SumWalk::offset(i, w.kept, w.kept_size, w.kept_stride);
    T total = 0;
    for (int64_t j = 0; j < w.terms; ++j)
      total += first[SumWalk::offset(j, w.summed, w.sum_size, w.sum_stride)];
    out[i] = total;
  }
};

enum class Way { all, rows, cols, cols_of_each, serially };

/// Whether the summed axis lies between two kept ones, and a block has enough to do.
bool is_middle(const SumWalk& w) {
  constexpr int64_t kWide = 16, kLong = 16;
  return w.kept == 2 && w.summed == 1 && !w.summed_inside && w.kept_size[0] >= kWide &&
         w.terms >= kLong && w.kept_size[1] <= kMostMatrices;
}

Way way_of(const SumWalk& w) {
  if (w.kept == 0) return Way::all;
  if (is_middle(w)) return Way::cols_of_each;
  if (w.kept > 1 || w.summed > 1) return Way::serially;
  return w.summed_inside ? Way::rows : Way::cols;
}

template <class T>
size_t workspace_of(const SumWalk& w) {
  if (way_of(w) == Way::all) return reduce_all_workspace<T>(w.terms);
  return way_of(w) == Way::cols ? reduce_cols_workspace<T>(w.terms, w.outputs) : 0;
}

template <class T>
void run_sum(const SumWalk& w, const T* x, T* out, void* workspace, Stream& stream) {
  switch (way_of(w)) {
    case Way::all:
      return reduce_all(stream, w.terms, Sum{}, MatrixOf<T>{x, 0}, skeleton::Store<T>{out},
                        workspace);
    case Way::rows:
      return reduce_rows(stream, w.outputs, w.terms, Sum{}, MatrixOf<T>{x, w.terms},
                         skeleton::Store<T>{out});
    case Way::cols:
      return reduce_cols(stream, w.terms, w.outputs, Sum{}, MatrixOf<T>{x, w.outputs},
                         skeleton::Store<T>{out}, workspace);
    case Way::cols_of_each:
      return reduce_cols_of_each(stream, w.kept_size[1], w.terms, w.kept_size[0], Sum{},
                                 MatrixOf<T>{x, w.kept_size[0]}, skeleton::Store<T>{out});
    case Way::serially:
      return for_each(stream, w.outputs, SumSerially<T>{x, out, w});
  }
}

}  // namespace

std::vector<Type> ReduceSum::infer(Types in) const {
  require_reals(name, in, 1);
  Type out = in[0];
  for (int axis : axes) {
    if (axis < 0 || axis >= out.rank())
      throw op_error(name, cat("has no axis ", axis, " from the right"), in);
    out.shape[out.rank() - 1 - axis] = 1;
  }
  return {out};
}

Kernel ReduceSum::prepare(const Signature& s, Device&) const {
  const SumWalk walk = make_sum_walk(s.in, axes);
  const size_t workspace =
      s.in[0].dtype == DType::f64 ? workspace_of<double>(walk) : workspace_of<float>(walk);
  return real_kernel(
      s.in[0].dtype,
      [walk](const Args& args, auto real) {
        using T = decltype(real);
        run_sum(walk, args.input<T>(0), args.output<T>(0), args.workspace, args.stream);
      },
      workspace);
}

std::vector<Var> ReduceSum::vjp(const Pullback& p) const {
  const Var c = p.cotangents[0];
  return {broadcast_to(c, with_batch(c, p.batch_axes, p.in[0].shape()))};
}

Cost ReduceSum::cost(const Signature& s) const {
  const SumWalk w = make_sum_walk(s.in, axes);
  Cost cost = streaming_cost(s, static_cast<double>(w.terms));
  if (way_of(w) == Way::all) cost.launches = reduce_all_launches(w.terms);
  if (way_of(w) == Way::cols) cost.launches = reduce_cols_launches(w.terms);
  return cost;
}

Var sum_axes(Var x, std::span<const int> axes, bool keep) {
  std::vector<int> sorted(axes.begin(), axes.end());
  std::ranges::sort(sorted);
  const bool any = std::ranges::any_of(sorted, [&](int axis) { return x.type().dim(axis) != 1; });
  const Var total = any ? apply(ReduceSum{sorted}, {x}) : x;
  if (keep) return total;
  Shape rest;
  for (int axis = x.type().rank() - 1; axis >= 0; --axis)
    if (!std::ranges::binary_search(sorted, axis)) rest.push_back(x.type().dim(axis));
  return reshape(total, rest);
}

namespace {
const RegisterSamples samples{"structural/sum", [] {
                                auto sample = [](std::string label, std::vector<int> axes,
                                                 Shape shape, bool bench = false) {
                                  return Sample{.name = "sum/" + label,
                                                .op = ReduceSum{axes},
                                                .in = {{DType::f32, shape}},
                                                .bench = bench};
                                };
                                return std::vector<Sample>{
                                    sample("one", {0}, {1}),
                                    sample("all", {0, 1}, {33, 67}),
                                    sample("rows", {0}, {33, 67}),
                                    sample("long_rows", {0}, {3, 1100}),
                                    sample("cols", {1}, {33, 67}),
                                    sample("tall_cols", {1}, {1100, 5}),
                                    sample("middle", {1}, {3, 5, 7}),
                                    sample("middle/long", {1}, {3, 40, 70}),
                                    sample("ends", {0, 2}, {3, 5, 7}),
                                    sample("nothing", {}, {3, 5}),
                                    sample("all/256x784", {0, 1}, {256, 784}, true),
                                    sample("rows/256x784", {0}, {256, 784}, true),
                                    sample("cols/256x784", {1}, {256, 784}, true),
                                    sample("middle/128x140x256", {1}, {128, 140, 256}, true),
                                };
                              }};
}  // namespace

}  // namespace latent
