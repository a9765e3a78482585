// The ops of one recurrent cell. A layer is the product of its input with weight_ih for all steps at once, then a walk:
//
// Recurrence<Cell>          (x, w [, b])     -> h, kept     one launch for all steps
// RecurrenceGradient<Cell>  (g, h, kept, w)  -> dx [, da]   the same backward; dw is one product over all steps
//
// What a step keeps is an output, so that the gradient is an op of plain inputs, whose own gradient is that of its
// reference: the walk in graph ops, a few a step. Gradients of `kept` (they come of second orders alone) go through the
// reference of the forward walk. For .cu files only.
#pragma once

#include "core/graph/samples.h"
#include "kernels/real.h"
#include "kernels/recurrent/cpu.h"
#include "kernels/recurrent/gpu.h"
#include "kernels/structural/structural.h"

namespace latent {

/// Step `t` of [..., steps, size] as [..., size].
inline Var step_of(Var v, int64_t t) {
  Shape shape = v.shape();
  shape.erase(shape.end() - 2);
  return reshape(slice(v, 1, t, t + 1), shape);
}

/// The inverse: [..., size], one a step, as [..., steps, size].
inline Var along_steps(const std::vector<Var>& steps) {
  Shape shape = steps.front().shape();
  shape.insert(shape.end() - 1, 1);
  std::vector<Var> parts;
  for (const Var& v : steps) parts.push_back(reshape(v, shape));
  return concat(parts, 1);
}

template <class Cell>
struct RecurrenceGradient {
  static inline const std::string name = cat(Cell::name, ".gradient");
  static constexpr bool kKeeps = Cell::kKept > 0;

  /// g [..., rows, steps, units], h [rows, steps, units], kept [rows, steps, kept * units] where the cell keeps
  /// anything, w [gates * units, units].
  std::vector<Type> infer(Types in) const {
    require_reals(name, in, kKeeps ? 4 : 3);
    const Shape &g = in[0].shape, &h = in[1].shape;
    if (h.size() != 3 || g.size() < 3 || !std::equal(h.rbegin(), h.rend(), g.rbegin()))
      throw op_error(name, "g must be [..., rows, steps, units], h as its end", in);
    const int64_t units = h[2];
    if (kKeeps && in[2].shape != Shape{h[0], h[1], Cell::kKept * units})
      throw op_error(name, "kept does not fit", in);
    if (in.back().shape != Shape{Cell::kGates * units, units})
      throw op_error(name, "w must be [gates * units, units]", in);
    Type out = in[0];
    out.shape.back() = Cell::kGates * units;
    return std::vector<Type>(Cell::kTwoGradients ? 2 : 1, out);
  }
  Kernel prepare(const Signature& s, Device& device) const {
    const WalkSize size = walk_size(s);
    const int64_t batch = s.in[1].shape[0];
    const auto walk = [size, batch](const Args& a, auto real) {
      using T = decltype(real);
      return BackwardWalk<Cell, T>{a.input<T>(0),
                                   a.input<T>(1),
                                   kKeeps ? a.input<T>(2) : nullptr,
                                   a.input<T>(kKeeps ? 3 : 2),
                                   a.output<T>(0),
                                   a.output<T>(Cell::kTwoGradients ? 1 : 0),
                                   size.rows,
                                   batch,
                                   size.steps,
                                   size.units};
    };
    if (!device.gpu())
      return s.in[0].dtype == DType::f64 ? cpu_backward<Cell, double>(size, device, walk)
                                         : cpu_backward<Cell, float>(size, device, walk);
    if (s.in[0].dtype == DType::f64) throw std::logic_error(cat(name, ": f64 on a GPU"));
    return {.run = [size, walk](
                       const Args& a) { gpu_backward(a.stream, size, walk(a, 0.0f), a.workspace); },
            .workspace = gpu_backward_workspace<Cell>(size)};
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var g = in[0], h = in[1], kept = kKeeps ? in[2] : Var{}, w = in.back();
    const int64_t steps = h.shape()[1], units = h.shape()[2];
    const Var zero = fill(*g.graph, {h.type().dtype, {h.shape()[0], units}}, 0);
    std::vector<Var> dx(steps), da(steps);
    Var carry;
    for (int64_t t = steps - 1; t >= 0; --t) {
      Var dh = step_of(g, t);
      if (t + 1 < steps) dh = dh + matmul(da[t + 1], w);
      CellReferenceState state{t > 0 ? step_of(h, t - 1) : zero, step_of(h, t), zero, {}};
      if (kKeeps) state.kept = step_of(kept, t);
      if (Cell::kCarries && t > 0)
        state.carried = piece(step_of(kept, t - 1), Cell::kKept - 1, Cell::kKept);
      const CellGradient step = Cell::gradient(state, dh, carry);
      dx[t] = step.dx, da[t] = step.da, carry = step.carry;
    }
    if (!Cell::kTwoGradients) return {along_steps(dx)};
    return {along_steps(dx), along_steps(da)};
  }
  Cost cost(const Signature& s) const {
    const WalkSize size = walk_size(s);
    Cost cost = streaming_cost(s, 0);
    cost.flops = static_cast<double>(size.rows * size.steps * size.units) *
                 (2.0 * Cell::kGates * static_cast<double>(size.units) + 10 * Cell::kGates);
    cost.launches = size.units > recurrent::kHeldUnits ? 2 : 1;
    return cost;
  }
  bool operator==(const RecurrenceGradient&) const = default;

 private:
  static WalkSize walk_size(const Signature& s) {
    const int64_t steps = s.in[1].shape[1], units = s.in[1].shape[2];
    const int64_t one = steps * units;
    return {one ? s.in[0].elements() / one : 0, steps, units};
  }
};

template <class Cell>
struct Recurrence {
  static constexpr const char* name = Cell::name;
  static constexpr bool kKeeps = Cell::kKept > 0;
  int64_t steps = 1;

  /// x [rows, steps or 1, gates * units], w [gates * units, units] and, optionally, b [gates * units] -> h [rows, steps,
  /// units] from zeros, and what the steps keep.
  std::vector<Type> infer(Types in) const {
    require_reals(name, in, in.size() == 3 ? 3 : 2);
    const Shape& w = in[1].shape;
    if (w.size() != 2 || w[0] != Cell::kGates * w[1])
      throw op_error(name, "w must be [gates * units, units]", in);
    const Shape& x = in[0].shape;
    if (x.size() != 3 || (x[1] != steps && x[1] != 1) || x[2] != w[0])
      throw op_error(name, cat("x must be [rows, ", steps, " or 1, ", w[0], "]"), in);
    if (in.size() == 3 && in[2].shape != Shape{w[0]})
      throw op_error(name, cat("b must have ", w[0], " elements"), in);
    std::vector<Type> out{{in[0].dtype, {x[0], steps, w[1]}}};
    if (kKeeps) out.push_back({in[0].dtype, {x[0], steps, Cell::kKept * w[1]}});
    return out;
  }
  Kernel prepare(const Signature& s, Device& device) const {
    const WalkSize size = walk_size(s);
    const bool bias = s.in.size() == 3, repeated = s.in[0].shape[1] != steps;
    const auto walk = [size, bias, repeated](const Args& a, auto real) {
      using T = decltype(real);
      return ForwardWalk<Cell, T>{a.input<T>(0),
                                  a.input<T>(1),
                                  bias ? a.input<T>(2) : nullptr,
                                  a.output<T>(0),
                                  kKeeps ? a.output<T>(1) : nullptr,
                                  size.rows,
                                  size.steps,
                                  size.units,
                                  repeated};
    };
    if (!device.gpu())
      return s.in[0].dtype == DType::f64 ? cpu_forward<Cell, double>(size, bias, device, walk)
                                         : cpu_forward<Cell, float>(size, bias, device, walk);
    if (s.in[0].dtype == DType::f64) throw std::logic_error(cat(name, ": f64 on a GPU"));
    return {.run = [size, walk](const Args& a) { gpu_forward(a.stream, size, walk(a, 0.0f)); }};
  }
  std::vector<Var> vjp(const Pullback& p) const {
    if (kKeeps && p.cotangents[1]) return {};  // through the reference
    std::vector<Var> in{p.cotangents[0], p.out[0]};
    if (kKeeps) in.push_back(p.out[1]);
    in.push_back(p.in[1]);
    const std::vector<Var> d = latent::apply_all(RecurrenceGradient<Cell>{}, in);
    std::vector<Var> result(p.in.size());
    result[0] = d.front();  // autodiff sums over the steps where x has one
    // Rows and steps as one axis: the gradients of w and b are then a layer's, fused where b is not batched.
    const int64_t all = p.out[0].shape()[0] * steps, units = p.out[0].shape()[2];
    const Var da =
        reshape(d.back(), with_batch(d.back(), p.batch_axes, {all, Cell::kGates * units}));
    if (p.needs[1]) {
      const Var before = pad(slice(p.out[0], 1, 0, steps - 1), 1, 1, 0);
      result[1] = matmul(da, reshape(before, {all, units}), true, false);
    }
    if (p.in.size() == 3) result[2] = da;
    return result;
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var x = in[0], w = in[1], b = in.size() == 3 ? in[2] : Var{};
    const bool repeated = x.shape()[1] != steps;
    Var h = fill(*x.graph, {x.type().dtype, {x.shape()[0], w.shape()[1]}}, 0), carry = h;
    std::vector<Var> hs, kept;
    for (int64_t t = 0; t < steps; ++t) {
      const CellStep step = Cell::step(step_of(x, repeated ? 0 : t), linear(h, w, b), h, carry);
      hs.push_back(h = step.h);
      kept.push_back(step.kept);
      carry = step.carry;
    }
    if (!kKeeps) return {along_steps(hs)};
    return {along_steps(hs), along_steps(kept)};
  }
  Cost cost(const Signature& s) const {
    const WalkSize size = walk_size(s);
    Cost cost = streaming_cost(s, 0);
    cost.flops = static_cast<double>(size.rows * size.steps * size.units) *
                 (2.0 * Cell::kGates * static_cast<double>(size.units) + 30 * Cell::kGates);
    return cost;
  }
  bool operator==(const Recurrence&) const = default;

 private:
  WalkSize walk_size(const Signature& s) const {
    return {s.in[0].shape[0], steps, s.in[1].shape[1]};
  }
};

/// h of all steps.
template <class Cell>
Var walk(Var x, Var w, Var b, int64_t steps) {
  std::vector<Var> in{x, w};
  if (b) in.push_back(b);
  return apply_all(Recurrence<Cell>{steps}, in).front();
}

template <class Cell>
std::vector<Sample> recurrence_samples() {
  std::vector<Sample> all;
  const auto f32 = [](Shape shape) { return Type{DType::f32, std::move(shape)}; };
  constexpr int64_t kGates = Cell::kGates;
  // Long walks with large weights are chaotic: rounding grows from step to step.
  const Sample::Range plain{}, weights{-0.1, 0.1};
  const auto forward = [&](const std::string& size, int64_t rows, int64_t x_steps, int64_t steps,
                           int64_t units, bool bias, int order, bool bench = false) {
    Sample s{.name = cat(Cell::name, "/", size),
             .op = Recurrence<Cell>{steps},
             .in = {f32({rows, x_steps, kGates * units}), f32({kGates * units, units})},
             .range = {plain, steps > 10 ? weights : plain},
             .order = order,
             .bench = bench};
    if (bias) s.in.push_back(f32({kGates * units}));
    all.push_back(std::move(s));
  };
  const auto gradient = [&](const std::string& size, Shape leading, int64_t rows, int64_t steps,
                            int64_t units, int order, bool bench = false) {
    Shape g = std::move(leading);
    g.insert(g.end(), {rows, steps, units});
    Sample s{.name = cat(Cell::name, "/gradient/", size),
             .op = RecurrenceGradient<Cell>{},
             .in = {f32(g), f32({rows, steps, units})},
             .range = {plain, plain},
             .order = order,
             .bench = bench};
    if (Cell::kKept > 0) {
      s.in.push_back(f32({rows, steps, Cell::kKept * units}));
      s.range.push_back({0, 0.9});
    }
    s.in.push_back(f32({kGates * units, units}));
    s.range.push_back(steps > 10 ? weights : plain);
    all.push_back(std::move(s));
  };
  forward("one", 1, 1, 1, 1, true, 2);
  forward("odd", 3, 3, 3, 5, true, 2);
  forward("no_bias", 2, 2, 2, 3, false, 2);
  forward("repeated", 2, 1, 3, 3, true, 2);
  forward("33x7x37", 33, 7, 7, 37, true, 0);
  forward("5x3x67", 5, 3, 3, 67, true, 0);
  forward("2x2x1030", 2, 1, 2, 1030, false, 0);
  forward("128x140x64", 128, 140, 140, 64, true, 0, true);
  gradient("one", {}, 1, 1, 1, 2);
  gradient("odd", {}, 3, 3, 5, 2);
  gradient("batch", {2}, 2, 2, 3, 2);
  gradient("33x7x37", {}, 33, 7, 37, 0);
  gradient("batch/5x3x67", {3}, 5, 3, 67, 0);
  gradient("2x2x1030", {}, 2, 2, 1030, 0);
  gradient("128x140x64", {}, 128, 140, 64, 0, true);
  return all;
}

}  // namespace latent
