// Walks on the CPU: a task is a block of rows, and goes through all its steps on one thread. For .cu files only.
#pragma once

#include <algorithm>

#include "kernels/matmul/block.h"
#include "kernels/matmul/team.h"
#include "kernels/recurrent/walk.h"
#include "kernels/skeleton/cpu.h"

namespace latent {

/// The product that a block of rows makes at each step: with w' forward, with w backward.
template <class T>
class StepProduct {
 public:
  static constexpr int64_t kRows = 32;

  StepProduct(bool forward, bool bias, int64_t rows, int64_t gates, int64_t units, Device& device)
      : rows_(rows), scratch_(0) {
    for (const int64_t block : {std::min(rows, kRows), rows % kRows}) {
      auto& made = block == std::min(rows, kRows) ? whole_ : rest_;
      if (block == 0 || made) continue;
      const int64_t wide = gates * units;
      const BlockShape shape{block,
                             forward ? wide : units,
                             forward ? units : wide,
                             false,
                             forward,
                             forward ? units : wide,
                             units,
                             forward ? wide : units};
      if constexpr (std::is_same_v<T, float>)
        made = onednn_block(shape, bias, static_cast<int>(tasks()), device);
      if (!made) made = plain_block<T>(shape, bias);
      scratch_ = std::max(scratch_, made->scratch());
    }
  }

  int64_t tasks() const { return (rows_ + kRows - 1) / kRows; }
  int64_t first(int64_t task) const { return task * kRows; }
  int64_t rows(int64_t task) const { return std::min(kRows, rows_ - first(task)); }
  size_t scratch() const { return scratch_; }
  void run(int64_t task, const T* a, const T* w, const T* bias, T* out, void* scratch) const {
    const BlockProduct<T>& product = rows(task) == std::min(rows_, kRows) ? *whole_ : *rest_;
    product.run(static_cast<int>(task), a, w, bias, out, scratch);
  }

 private:
  int64_t rows_;
  size_t scratch_;
  std::shared_ptr<BlockProduct<T>> whole_, rest_;  ///< shared, as kernels are copied
};

/// Pieces of a task's part of the workspace, each from a cache line's start.
class TaskMemory {
 public:
  explicit TaskMemory(void* at) : at_(static_cast<std::byte*>(at)) {}
  template <class T>
  T* take(int64_t n) {
    T* piece = reinterpret_cast<T*>(at_);
    at_ += size<T>(n);
    return piece;
  }
  template <class T>
  static size_t size(int64_t n) {
    return (sizeof(T) * static_cast<size_t>(n) + 63) / 64 * 64;
  }

 private:
  std::byte* at_;
};

/// All units of a block of rows at one step. `a` holds the product; state and carry [rows, units] are
/// of the step before, then of this one. What a unit does is a function of its own: locals of a simd
/// loop's body would not be kept in registers.
template <class Cell, class T>
struct CpuForwardStep {
  ForwardWalk<Cell, T> walk;
  int64_t first, rows, at;
  const T* a;
  T *state, *carry;

  LATENT_CPU_BODY void operator()(int64_t) const {
    for (int64_t r = 0; r < rows; ++r) {
#pragma omp simd
      for (int64_t j = 0; j < walk.units; ++j) unit(r, j);
    }
  }

 private:
  LATENT_CPU_BODY void unit(int64_t r, int64_t j) const {
    const int64_t units = walk.units, i = r * units + j;
    T x[Cell::kGates], product[Cell::kGates];
    walk.load(first + r, at, j, x);
    for (int k = 0; k < Cell::kGates; ++k) product[k] = a[(r * Cell::kGates + k) * units + j];
    T carried = carry[i];
    state[i] = walk.step(first + r, at, j, x, product, state[i], carried);
    carry[i] = carried;
  }
};

/// The same backward. `product` is what the step behind sends through w; da [rows, gates * units]
/// goes into the next.
template <class Cell, class T, bool kFirst>
struct CpuBackwardStep {
  BackwardWalk<Cell, T> walk;
  int64_t first, rows, at;
  const T* product;
  T *da, *carry;

  LATENT_CPU_BODY void operator()(int64_t) const {
    for (int64_t r = 0; r < rows; ++r) {
#pragma omp simd
      for (int64_t j = 0; j < walk.units; ++j) unit(r, j);
    }
  }

 private:
  LATENT_CPU_BODY void unit(int64_t r, int64_t j) const {
    const int64_t units = walk.units, i = r * units + j;
    T of_a[Cell::kGates], carried = carry[i];
    walk.step(first + r, at, j, walk.template load<kFirst>(first + r, at, j), product[i], carried,
              of_a);
    carry[i] = carried;
    for (int k = 0; k < Cell::kGates; ++k) da[(r * Cell::kGates + k) * units + j] = of_a[k];
  }
};

/// `make_walk(args)` gives the walk. A task has memory for the product, the two running values and what comes of them.
template <class Cell, class T, class MakeWalk>
Kernel cpu_forward(const WalkSize& size, bool bias, Device& device, MakeWalk make_walk) {
  const StepProduct<T> product(true, bias, size.rows, Cell::kGates, size.units, device);
  const int64_t values = StepProduct<T>::kRows * size.units;
  const size_t bytes = TaskMemory::size<T>(Cell::kGates * values) +
                       2 * TaskMemory::size<T>(values) +
                       TaskMemory::size<std::byte>(static_cast<int64_t>(product.scratch()));
  const auto run = [=](const Args& args) {
    const ForwardWalk<Cell, T> walk = make_walk(args, T{});
    parallel_tasks(product.tasks(), static_cast<int>(product.tasks()), [&](int64_t task, int) {
      TaskMemory memory(static_cast<std::byte*>(args.workspace) + task * bytes);
      T* const a = memory.take<T>(Cell::kGates * values);
      T *const state = memory.take<T>(values), *const carry = memory.take<T>(values);
      std::fill_n(state, values, T(0));
      std::fill_n(carry, values, T(0));
      for (int64_t step = 0; step < size.steps; ++step) {
        product.run(task, state, walk.w, walk.b, a, memory.take<std::byte>(0));
        cpu::run_tasks(1, 0,
                       CpuForwardStep<Cell, T>{walk, product.first(task), product.rows(task), step,
                                               a, state, carry});
      }
    });
  };
  return {.run = run, .workspace = bytes * static_cast<size_t>(product.tasks())};
}

template <class Cell, class T, class MakeWalk>
Kernel cpu_backward(const WalkSize& size, Device& device, MakeWalk make_walk) {
  const StepProduct<T> product(false, false, size.rows, Cell::kGates, size.units, device);
  const int64_t values = StepProduct<T>::kRows * size.units;
  const size_t bytes = TaskMemory::size<T>(Cell::kGates * values) +
                       2 * TaskMemory::size<T>(values) +
                       TaskMemory::size<std::byte>(static_cast<int64_t>(product.scratch()));
  const auto run = [=](const Args& args) {
    const BackwardWalk<Cell, T> walk = make_walk(args, T{});
    parallel_tasks(product.tasks(), static_cast<int>(product.tasks()), [&](int64_t task, int) {
      TaskMemory memory(static_cast<std::byte*>(args.workspace) + task * bytes);
      T* const da = memory.take<T>(Cell::kGates * values);
      T *const sent = memory.take<T>(values), *const carry = memory.take<T>(values);
      std::fill_n(sent, values, T(0));
      std::fill_n(carry, values, T(0));
      const int64_t first = product.first(task), rows = product.rows(task);
      for (int64_t step = size.steps - 1; step > 0; --step) {
        cpu::run_tasks(1, 0,
                       CpuBackwardStep<Cell, T, false>{walk, first, rows, step, sent, da, carry});
        product.run(task, da, walk.w, nullptr, sent, memory.take<std::byte>(0));
      }
      cpu::run_tasks(1, 0, CpuBackwardStep<Cell, T, true>{walk, first, rows, 0, sent, da, carry});
    });
  };
  return {.run = run, .workspace = bytes * static_cast<size_t>(product.tasks())};
}

}  // namespace latent
