// A block of a simulated GPU: its threads, where each waits, and its shared memory.
#pragma once

#include "core/device/simt.h"

#if defined(LATENT_GPU_SIMT)

#include <array>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "core/device/simt_fiber.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// Runs the blocks of one launch, one after the other.
class SimtBlock {
 public:
  using Body = void (*)(const void* kernel, Thread& thread);
  using Here = Thread::Here;

  /// `descending`: threads run from the last to the first.
  SimtBlock(const Grid& grid, std::string kernel_name, const void* kernel, Body body,
            bool descending);
  ~SimtBlock();
  SimtBlock(const SimtBlock&) = delete;
  SimtBlock& operator=(const SimtBlock&) = delete;

  void run(int64_t x, int64_t y, int64_t z);

  /// The block that runs on this OS thread.
  static SimtBlock& running();

  // Called by the threads of the block.
  void wait_block(int thread, Here here);
  const std::byte* publish(int thread, const void* value, size_t bytes, Here here);
  void* shared_memory(const void* site, size_t bytes);

 private:
  enum class State { fresh, ready, at_block, at_warp, done };
  struct Lane {
    Thread thread;
    State state = State::fresh;
    Here where;
    simt::Fiber* fiber = nullptr;
    int64_t publications = 0;
  };
  struct SharedPiece {
    const void* site;
    std::byte* base;  ///< of the guard in front
    size_t bytes;     ///< without the guards
  };
  static constexpr size_t kSlot = Thread::kSlot;
  /// Two sets of slots in turn: a lane may publish again while others still read.
  using Slots = std::array<std::array<std::byte, 32 * kSlot>, 2>;

  void run_warp(int warp);
  void start_lanes(int warp);
  void resume_lanes(int warp);
  bool release_warp(int warp);
  bool release_block();
  void step(simt::Fiber& fiber);
  void work();
  void wait(int thread, State state, Here here);
  [[noreturn]] void diverged(const char* barrier, int first, int second) const;
  std::string whereabouts(int thread) const;
  std::string block_name() const;
  void check_shared_guards() const;
  void free_shared();
  int in_order(int i, int n) const { return descending_ ? n - 1 - i : i; }

  const Grid grid_;
  const std::string kernel_name_;
  const void* const kernel_;
  const Body body_;
  const bool descending_;
  std::vector<Lane> lanes_;
  std::vector<Slots> slots_;  ///< a warp's
  std::vector<SharedPiece> shared_;
  int warp_ = 0, begun_ = 0;  ///< the warp that runs, and how many of its lanes have begun
  simt::Fiber* fiber_ = nullptr;
  std::exception_ptr error_;
};

}  // namespace LATENT_BACKEND
}  // namespace latent

#endif
