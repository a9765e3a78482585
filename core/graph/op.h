// What an op is: one typed struct T with defaulted equality and the members below, wrapped in an
// AnyOp.
//
//   static constexpr const char* name;                        "matmul", with its variant if a
//   template std::vector<Type> infer(Types in) const;                  throws op_error(...) on
//   types it does not take Kernel prepare(const Signature&, Device&) const;          library
//   primitives, algorithm, workspace; `run` of the Kernel does it std::vector<Var> vjp(const
//   Pullback&) const;              optional: one cotangent an input, as graph ops std::vector<Var>
//   reference(std::span<const Var>) const;   optional: the same in plain graph ops; the gradient
//   where vjp is missing int overwrites(int output) const;                         optional: the
//   input whose memory that output may take, or -1 bool is_view() const; optional: the output is
//   the input's memory, under another shape std::vector<size_t> packs(const Signature&) const;
//   optional: the byte offset in output 0 where each input may be produced Cost cost(const
//   Signature&) const;                        FLOPs, bytes, launches on CUDA
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "core/device/device.h"
#include "core/tensor/type.h"

namespace latent {

class Graph;

/// One output of one node of a graph.
struct Var {
  Graph* graph = nullptr;
  int node = -1;
  int output = 0;

  explicit operator bool() const { return graph != nullptr; }
  const Type& type() const;
  const Shape& shape() const { return type().shape; }
  bool operator==(const Var&) const = default;
};

using Types = std::span<const Type>;

/// Types of a node's inputs and outputs.
struct Signature {
  std::vector<Type> in, out;
};

/// What one execution costs. `bytes`: what must move to and from memory; `launches`: kernels on
/// CUDA.
struct Cost {
  double flops = 0, bytes = 0;
  int launches = 1;
};

/// Pointers for one execution. Inputs and outputs do not overlap but where `overwrites` allowed it.
struct Args {
  std::span<const void* const> in;
  std::span<void* const> out;
  void* workspace = nullptr;
  Stream& stream;

  template <class T>
  const T* input(int i) const {
    return static_cast<const T*>(in[i]);
  }
  template <class T>
  T* output(int i) const {
    return static_cast<T*>(out[i]);
  }
};

/// What `prepare` made for one node of one plan.
struct Kernel {
  std::function<void(const Args&)> run;
  size_t workspace = 0;  ///< bytes; the planner places them
};

/// What a vjp is told. Cotangents may carry extra leading axes (a batch of pullbacks).
struct Pullback {
  std::span<const Var> in;          ///< the node's inputs
  std::span<const Var> out;         ///< the node's outputs
  std::span<const Var> cotangents;  ///< one an output; empty Var where none flows
  std::vector<bool> needs;          ///< per input: is its cotangent wanted
  int batch_axes = 0;               ///< extra leading axes of the cotangents
};

/// `throw op_error("matmul", "inner sizes differ", in)`.
GraphError op_error(std::string_view op, std::string_view why, Types types);

/// Cost of an op that reads its inputs and writes its outputs once, with `flops_per_element` of the
/// first output.
Cost streaming_cost(const Signature& s, double flops_per_element);

class AnyOp {
 public:
  AnyOp() = default;
  template <class T>
  requires(!std::same_as<std::decay_t<T>, AnyOp>) AnyOp(T op)
      : self_(std::make_shared<Model<T>>(std::move(op))) {}  // NOLINT: implicit by design

  explicit operator bool() const { return self_ != nullptr; }
  std::string name() const { return self_->name(); }
  std::vector<Type> infer(Types in) const { return self_->infer(in); }
  Kernel prepare(const Signature& s, Device& d) const { return self_->prepare(s, d); }
  bool has_vjp() const { return self_->has_vjp(); }
  std::vector<Var> vjp(const Pullback& p) const { return self_->vjp(p); }
  bool has_reference() const { return self_->has_reference(); }
  std::vector<Var> reference(std::span<const Var> in) const { return self_->reference(in); }
  int overwrites(int output) const { return self_->overwrites(output); }
  bool is_view() const { return self_->is_view(); }
  std::vector<size_t> packs(const Signature& s) const { return self_->packs(s); }
  Cost cost(const Signature& s) const { return self_->cost(s); }
  bool operator==(const AnyOp& other) const {
    return self_ == other.self_ || (self_ && other.self_ && self_->equals(*other.self_));
  }
  /// The struct itself where it is a T, else nullptr.
  template <class T>
  const T* as() const {
    auto* model = dynamic_cast<const Model<T>*>(self_.get());
    return model ? &model->op : nullptr;
  }

 private:
  struct Concept {
    virtual ~Concept() = default;
    virtual std::string name() const = 0;
    virtual std::vector<Type> infer(Types in) const = 0;
    virtual Kernel prepare(const Signature& s, Device& d) const = 0;
    virtual bool has_vjp() const = 0;
    virtual std::vector<Var> vjp(const Pullback& p) const = 0;
    virtual bool has_reference() const = 0;
    virtual std::vector<Var> reference(std::span<const Var> in) const = 0;
    virtual int overwrites(int output) const = 0;
    virtual bool is_view() const = 0;
    virtual std::vector<size_t> packs(const Signature& s) const = 0;
    virtual Cost cost(const Signature& s) const = 0;
    virtual bool equals(const Concept& other) const = 0;
  };

  template <class T>
  struct Model final : Concept {
    T op;
    explicit Model(T o) : op(std::move(o)) {}
    static constexpr bool kVjp = requires(const T& t, const Pullback& p) { t.vjp(p); };
    static constexpr bool kReference = requires(const T& t, std::span<const Var> v) {
      t.reference(v);
    };
    std::string name() const override { return std::string(T::name); }
    std::vector<Type> infer(Types in) const override { return op.infer(in); }
    Kernel prepare(const Signature& s, Device& d) const override { return op.prepare(s, d); }
    bool has_vjp() const override { return kVjp; }
    std::vector<Var> vjp(const Pullback& p) const override {
      if constexpr (kVjp) return op.vjp(p);
      throw std::logic_error(name() + ": has no gradient");
    }
    bool has_reference() const override { return kReference; }
    std::vector<Var> reference(std::span<const Var> in) const override {
      if constexpr (kReference) return op.reference(in);
      throw std::logic_error(name() + ": has no reference");
    }
    int overwrites(int output) const override {
      if constexpr (requires { op.overwrites(output); }) return op.overwrites(output);
      return -1;
    }
    bool is_view() const override {
      if constexpr (requires { op.is_view(); }) return op.is_view();
      return false;
    }
    std::vector<size_t> packs(const Signature& s) const override {
      if constexpr (requires { op.packs(s); }) return op.packs(s);
      return {};
    }
    Cost cost(const Signature& s) const override { return op.cost(s); }
    bool equals(const Concept& other) const override {
      auto* same = dynamic_cast<const Model*>(&other);
      return same && same->op == op;
    }
  };

  std::shared_ptr<const Concept> self_;
};

}  // namespace latent
