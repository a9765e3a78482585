// The structural ops: closed under differentiation. Binary ops broadcast from the right; axes are
// counted from the right (0 is the last), so a vjp with extra leading axes names the same ones.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.h"

namespace latent {

/// Functors of two variables (binary.cu).
struct AddF;
struct SubF;
struct MulF;
struct DivF;

/// out = F(a, b), f32 or f64, broadcast from the right.
template <class F>
struct Binary {
  static const char* const name;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const;
  int overwrites(int) const { return 0; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 1); }
  bool operator==(const Binary&) const = default;
};
using Add = Binary<AddF>;
using Sub = Binary<SubF>;
using Mul = Binary<MulF>;
using Div = Binary<DivF>;

/// a x + b.
struct Affine {
  static constexpr const char* name = "affine";
  double a = 1, b = 0;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const;
  int overwrites(int) const { return 0; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 2); }
  bool operator==(const Affine&) const = default;
};

/// A constant; no inputs.
struct Fill {
  static constexpr const char* name = "fill";
  double value = 0;
  Type type;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback&) const { return {}; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 0); }
  bool operator==(const Fill&) const = default;
};

/// Between f32, f64, u8 and i32. Reals become integers by truncation. A gradient flows between
/// reals.
struct Cast {
  static constexpr const char* name = "cast";
  DType to = DType::f32;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 0); }
  bool operator==(const Cast&) const = default;
};

/// The same memory under another shape.
struct Reshape {
  static constexpr const char* name = "reshape";
  Shape shape;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const;
  bool is_view() const { return true; }
  Cost cost(const Signature&) const { return {.flops = 0, .bytes = 0, .launches = 0}; }
  bool operator==(const Reshape&) const = default;
};

/// x aligned from the right with `shape`; dimensions of size 1 and missing ones are repeated.
struct BroadcastTo {
  static constexpr const char* name = "broadcast_to";
  Shape shape;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 0); }
  bool operator==(const BroadcastTo&) const = default;
};

/// Sums over `axes` (ascending, from the right), which stay with size 1. Fixed order of summation.
struct ReduceSum {
  static constexpr const char* name = "sum";
  std::vector<int> axes;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const;
  bool operator==(const ReduceSum&) const = default;
};

/// [begin, end) of one axis.
struct Slice {
  static constexpr const char* name = "slice";
  int axis = 0;
  int64_t begin = 0, end = 0;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const;
  bool operator==(const Slice&) const = default;
};

/// Zeros before and after along one axis: the adjoint of Slice.
struct Pad {
  static constexpr const char* name = "pad";
  int axis = 0;
  int64_t before = 0, after = 0;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 0); }
  bool operator==(const Pad&) const = default;
};

/// One axis backwards.
struct Flip {
  static constexpr const char* name = "flip";
  int axis = 0;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 0); }
  bool operator==(const Flip&) const = default;
};

/// Inputs one after the other along one axis.
struct Concat {
  static constexpr const char* name = "concat";
  int axis = 0;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const;
  bool operator==(const Concat&) const = default;
};

/// The last two axes change places.
struct Transpose {
  static constexpr const char* name = "transpose";
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const { return streaming_cost(s, 0); }
  bool operator==(const Transpose&) const = default;
};

/// Inputs of any shapes at `offsets` (elements, ascending) of one vector [size]; zeros between
/// them. The planner may have inputs produced in place; where all of them are, nothing is launched,
/// and whoever placed them keeps the gaps zero.
struct Pack {
  static constexpr const char* name = "pack";
  std::vector<int64_t> offsets;
  int64_t size = 0;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const;
  std::vector<size_t> packs(const Signature& s) const;
  Cost cost(const Signature& s) const;
  bool operator==(const Pack&) const = default;
};

/// 1 where x > threshold, else 0. No gradient flows.
struct Greater {
  static constexpr const char* name = "greater";
  double threshold = 0;
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const { return std::vector<Var>(p.in.size()); }
  Cost cost(const Signature& s) const { return streaming_cost(s, 1); }
  bool operator==(const Greater&) const = default;
};

/// (x [rows, d], running [d]) -> max(running, column maxima of x) [d]. No gradient flows.
struct MaxCols {
  static constexpr const char* name = "max_cols";
  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& d) const;
  std::vector<Var> vjp(const Pullback& p) const { return std::vector<Var>(p.in.size()); }
  Cost cost(const Signature& s) const { return streaming_cost(s, 0); }
  bool operator==(const MaxCols&) const = default;
};

/// numpy's rule; GraphError naming `op` when the shapes do not fit.
Shape broadcast_shapes(std::string_view op, Types in);
/// Sums a cotangent of a broadcast result back to `shape` behind its `batch_axes` leading axes.
Var unbroadcast(Var cotangent, const Shape& shape, int batch_axes);
/// The cotangent's batch axes followed by `shape`.
Shape with_batch(Var cotangent, int batch_axes, const Shape& shape);

}  // namespace latent
