#include "core/device/simt_block.h"

#if defined(LATENT_GPU_SIMT)

#include <algorithm>
#include <cstdlib>

#include "core/base/error.h"
#include "core/device/sanitizer.h"

namespace latent {
inline namespace LATENT_BACKEND {

namespace {

constexpr size_t kGuard = 256;
constexpr std::byte kCanary{0xA5};
/// What CUDA gives a block without asking.
constexpr size_t kSharedLimit = 48 << 10;

thread_local SimtBlock* running_block = nullptr;

/// Fibers are kept between launches: their stacks are what costs.
struct FiberPool {
  std::vector<std::unique_ptr<simt::Fiber>> all;
  std::vector<simt::Fiber*> free;

  simt::Fiber* take() {
    if (free.empty()) {
      all.push_back(std::make_unique<simt::Fiber>());
      return all.back().get();
    }
    simt::Fiber* fiber = free.back();
    free.pop_back();
    return fiber;
  }
};
thread_local FiberPool pool;

std::string place(const Thread::Here& here) {
  const std::string file = here.file_name();
  return cat(file.substr(file.rfind('/') + 1), ":", here.line());
}

bool same(const Thread::Here& a, const Thread::Here& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         std::strcmp(a.file_name(), b.file_name()) == 0;
}

}  // namespace

SimtBlock::SimtBlock(const Grid& grid, std::string kernel_name, const void* kernel, Body body,
                     bool descending)
    : grid_(grid),
      kernel_name_(std::move(kernel_name)),
      kernel_(kernel),
      body_(body),
      descending_(descending),
      lanes_(grid.threads),
      slots_(grid.threads / 32) {
  running_block = this;
}

SimtBlock::~SimtBlock() {
  free_shared();
  for (Lane& lane : lanes_)  // a launch that failed leaves them where they stood
    if (lane.fiber != nullptr) pool.free.push_back(lane.fiber);
  running_block = nullptr;
}

SimtBlock& SimtBlock::running() {
  if (running_block == nullptr) throw SimtError("simt: shared memory outside of a kernel");
  return *running_block;
}

void SimtBlock::run(int64_t x, int64_t y, int64_t z) {
  for (int i = 0; i < grid_.threads; ++i) {
    Lane& lane = lanes_[i];
    lane = Lane{};
    lane.thread.grid_ = &grid_;
    lane.thread.group_ = this;
    lane.thread.thread_ = i;
    lane.thread.block_ = x;
    lane.thread.block_y_ = y;
    lane.thread.block_z_ = z;
  }
  do {
    for (int i = 0; i < grid_.threads / 32; ++i) run_warp(in_order(i, grid_.threads / 32));
  } while (release_block());
  check_shared_guards();
  free_shared();
}

/// Runs the lanes of a warp until all have ended or wait for the block.
void SimtBlock::run_warp(int warp) {
  if (lanes_[warp * 32].state == State::fresh) {
    start_lanes(warp);
  } else {
    resume_lanes(warp);
  }
  while (release_warp(warp)) resume_lanes(warp);
}

/// One fiber runs lane after lane, until one waits on it; then another fiber goes on.
void SimtBlock::start_lanes(int warp) {
  warp_ = warp;
  begun_ = 0;
  while (begun_ < 32) {
    simt::Fiber* fiber = pool.take();
    fiber->start([](void* block) { static_cast<SimtBlock*>(block)->work(); }, this);
    step(*fiber);
  }
}

void SimtBlock::resume_lanes(int warp) {
  for (int i = 0; i < 32; ++i) {
    Lane& lane = lanes_[warp * 32 + in_order(i, 32)];
    if (lane.state == State::ready) step(*lane.fiber);
  }
}

void SimtBlock::step(simt::Fiber& fiber) {
  fiber_ = &fiber;
  if (!fiber.resume()) pool.free.push_back(&fiber);
  if (error_) std::rethrow_exception(error_);
}

/// On a fiber: the lanes of the warp that have not begun, in order.
void SimtBlock::work() {
  try {
    while (begun_ < 32) {
      Lane& lane = lanes_[warp_ * 32 + in_order(begun_++, 32)];
      lane.state = State::ready;
      lane.fiber = fiber_;
      body_(kernel_, lane.thread);
      lane.state = State::done;
      lane.fiber = nullptr;
    }
  } catch (...) {
    error_ = std::current_exception();
    for (Lane& lane : lanes_)
      if (lane.fiber == fiber_) lane.fiber = nullptr;
  }
}

void SimtBlock::wait(int thread, State state, Here here) {
  Lane& lane = lanes_[thread];
  lane.state = state;
  lane.where = here;
  lane.fiber->suspend();
}

void SimtBlock::wait_block(int thread, Here here) { wait(thread, State::at_block, here); }

const std::byte* SimtBlock::publish(int thread, const void* value, size_t bytes, Here here) {
  std::byte* slots = slots_[thread / 32][lanes_[thread].publications++ % 2].data();
  if (bytes > 0) std::memcpy(slots + kSlot * (thread % 32), value, bytes);
  wait(thread, State::at_warp, here);
  return slots;
}

/// True when the lanes had all come to the same shuffle and may go on.
bool SimtBlock::release_warp(int warp) {
  Lane* lanes = &lanes_[warp * 32];
  const auto waits = [](const Lane& lane) { return lane.state == State::at_warp; };
  const Lane* first = std::find_if(lanes, lanes + 32, waits);
  if (first == lanes + 32) return false;
  for (int i = 0; i < 32; ++i) {
    if (!waits(lanes[i]) || !same(lanes[i].where, first->where))
      diverged("warp barrier or shuffle", first->thread.thread(), warp * 32 + i);
  }
  for (int i = 0; i < 32; ++i) lanes[i].state = State::ready;
  return true;
}

/// True when all threads had come to the same barrier and may go on; false when all have ended.
bool SimtBlock::release_block() {
  const auto waits = [](const Lane& lane) { return lane.state == State::at_block; };
  const auto first = std::find_if(lanes_.begin(), lanes_.end(), waits);
  if (first == lanes_.end()) return false;
  for (const Lane& lane : lanes_) {
    if (!waits(lane) || !same(lane.where, first->where))
      diverged("barrier", first->thread.thread(), lane.thread.thread());
  }
  for (Lane& lane : lanes_) lane.state = State::ready;
  return true;
}

std::string SimtBlock::block_name() const {
  const Thread& t = lanes_[0].thread;
  return cat("simt: ", kernel_name_, ": block (", t.block(), ", ", t.block_y(), ", ", t.block_z(),
             ")");
}

std::string SimtBlock::whereabouts(int thread) const {
  const Lane& lane = lanes_[thread];
  if (lane.state == State::done) return cat("thread ", thread, " has ended");
  return cat("thread ", thread, " waits at ", place(lane.where),
             lane.state == State::at_block ? " for the block" : " for its warp");
}

void SimtBlock::diverged(const char* barrier, int first, int second) const {
  throw SimtError(cat(block_name(), ": divergent ", barrier, ": ", whereabouts(first), ", ",
                      whereabouts(second)));
}

void* SimtBlock::shared_memory(const void* site, size_t bytes) {
  size_t total = bytes;
  for (const SharedPiece& piece : shared_) {
    if (piece.site == site) return piece.base + kGuard;
    total += piece.bytes;
  }
  if (total > kSharedLimit)
    throw SimtError(
        cat(block_name(), ": ", total, " bytes of shared memory, the limit is ", kSharedLimit));
  const size_t padded = (bytes + kGuard - 1) / kGuard * kGuard;
  auto* base = static_cast<std::byte*>(std::aligned_alloc(kGuard, padded + 2 * kGuard));
  if (base == nullptr) throw std::bad_alloc();
  std::fill_n(base, padded + 2 * kGuard, kCanary);
  std::fill_n(base + kGuard, bytes, std::byte{0xFF});  // NaN, to every type of float
  asan::poison(base, kGuard);
  asan::poison(base + kGuard + bytes, padded - bytes + kGuard);
  shared_.push_back({site, base, bytes});
  return base + kGuard;
}

void SimtBlock::check_shared_guards() const {
  if (LATENT_ASAN) return;  // it has seen every access itself
  for (const SharedPiece& piece : shared_) {
    const std::byte* end = piece.base + kGuard + piece.bytes;
    const auto intact = [](std::byte b) { return b == kCanary; };
    if (!std::all_of(piece.base, piece.base + kGuard, intact) ||
        !std::all_of(end, end + kGuard, intact))
      throw SimtError(
          cat(block_name(), ": a write outside of ", piece.bytes, " bytes of shared memory"));
  }
}

void SimtBlock::free_shared() {
  for (const SharedPiece& piece : shared_) std::free(piece.base);
  shared_.clear();
}

void Thread::sync(Here here) { group_->wait_block(thread_, here); }

const std::byte* Thread::publish(const void* value, size_t bytes, Here here) {
  return group_->publish(thread_, value, bytes, here);
}

uint32_t Thread::ballot(bool yes, Here here) {
  const std::byte* slots = publish(&yes, sizeof(yes), here);
  uint32_t bits = 0;
  for (int l = 0; l < 32; ++l) bits |= uint32_t{slots[kSlot * l] != std::byte{0}} << l;
  return bits;
}

namespace simt {

void* shared_memory(const void* site, size_t bytes) {
  return SimtBlock::running().shared_memory(site, bytes);
}

}  // namespace simt
}  // namespace LATENT_BACKEND
}  // namespace latent

#endif
