// The errors that the simulated GPU is there to find, each planted in a kernel, and the same kernel
// without it.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "kernels/skeleton/skeleton.h"
#if defined(LATENT_GPU_SIMT)

#include "core/device/sanitizer.h"

namespace latent {
namespace {

std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const SimtError& e) {
    return e.what();
  }
  return "none";
}

void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

/// AddressSanitizer, or UBSan's bounds check, ends the process; without them the launch throws.
#if LATENT_ASAN
#define EXPECT_CAUGHT(statement, message) EXPECT_DEATH(statement, "AddressSanitizer|out of bounds")
#else
#define EXPECT_CAUGHT(statement, message) expect_contains(error_of([&] { statement; }), message)
#endif

class SimtPlants : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  std::shared_ptr<Device> device_ = open_device("simt");
  Stream& stream_ = device_->stream();
};

float* allocate(Device& device, int64_t n) {
  return static_cast<float*>(device.allocate(static_cast<size_t>(n) * sizeof(float)));
}

/// Turns the values of each block around. `past` elements beyond the array are written.
template <class T, int Threads>
struct Reverse {
  T* x;
  int past;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(T, tile, Threads);
    T* const p = tile;
    p[t.thread() + past] = x[t.thread()];
    t.sync();
    x[t.thread()] = tile[Threads - 1 - t.thread()];
  }
};

TEST_F(SimtPlants, WritePastASharedArray) {
  float* x = allocate(*device_, 64);
  std::fill_n(x, 64, 1.0f);
  launch(stream_, {.blocks = 1, .threads = 64}, Reverse<float, 64>{x, 0});
  EXPECT_CAUGHT((launch(stream_, {.blocks = 1, .threads = 64}, Reverse<float, 64>{x, 1})),
                "a write outside of 256 bytes of shared memory");
  device_->release(x);
}

struct Fill {
  float* x;
  LATENT_HD void operator()(int64_t i) const { x[i] = 3; }
};

struct Copy {
  const float* from;
  float* to;
  LATENT_HD void operator()(int64_t i) const { to[i] = from[i]; }
};

/// Two tensors of 100 floats in an arena, in blocks of 256 bytes; the gaps are poisoned.
class SimtArena : public SimtPlants {
 protected:
  void SetUp() override {
    SimtPlants::SetUp();
    arena_ = allocate(*device_, 256);
    device_->poison(arena_, 1024);
    device_->unpoison(a_ = arena_, 400);
    device_->unpoison(b_ = arena_ + 128, 400);
  }
  void TearDown() override { device_->release(arena_); }

  float *arena_ = nullptr, *a_ = nullptr, *b_ = nullptr;
};

TEST_F(SimtArena, WritePastATensor) {
  for_each(stream_, 100, Fill{a_});
  EXPECT_CAUGHT(for_each(stream_, 101, Fill{a_}), "a write to dead memory, at byte 400");
}

TEST_F(SimtArena, ReadOfADeadTensor) {
  for_each(stream_, 100, Fill{a_});
  for_each(stream_, 100, Copy{a_, b_});
  EXPECT_EQ(b_[99], 3.0f);
  device_->poison(a_, 400);
#if LATENT_ASAN
  EXPECT_DEATH(for_each(stream_, 100, Copy{a_, b_}), "use-after-poison");
#else
  for_each(stream_, 100, Copy{a_, b_});
  EXPECT_NE(b_[99], b_[99]) << "what a dead tensor held was read";
#endif
}

struct ShiftByOne {
  float* x;
  bool barrier;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(float, tile, 256);
    tile[t.thread()] = x[t.thread()];
    if (barrier) t.sync();
    x[t.thread()] = tile[(t.thread() + 1) % 256];
  }
};

TEST_F(SimtPlants, MissingBarrier) {
  float* x = allocate(*device_, 256);
  std::fill_n(x, 256, 0.0f);
  launch(stream_, {.blocks = 1}, ShiftByOne{x, true});
  const std::string error = error_of([&] { launch(stream_, {.blocks = 1}, ShiftByOne{x, false}); });
  expect_contains(error, "ShiftByOne: the result depends on the order of the threads");
  device_->release(x);
}

/// The threads from `leaves` on do not come to the barrier.
struct DivergentBarrier {
  int leaves;
  bool elsewhere;

  LATENT_KERNEL void operator()(Thread& t) const {
    if (t.thread() >= leaves) {
      if (elsewhere) t.sync();
      return;
    }
    t.sync();
  }
};

TEST_F(SimtPlants, DivergentBarrier) {
  launch(stream_, {.blocks = 2}, DivergentBarrier{256, false});
  launch(stream_, {.blocks = 2}, DivergentBarrier{0, true});
  expect_contains(error_of([&] {
                    launch(stream_, {.blocks = 2}, DivergentBarrier{200, false});
                  }),
                  "block (0, 0, 0): divergent barrier: thread 0 waits at simt_plants_test.cu");
  expect_contains(error_of([&] {
                    launch(stream_, {.blocks = 2}, DivergentBarrier{200, false});
                  }),
                  "thread 200 has ended");
  expect_contains(error_of([&] {
                    launch(stream_, {.blocks = 2}, DivergentBarrier{200, true});
                  }),
                  "thread 200 waits at");
  launch(stream_, {.blocks = 2}, DivergentBarrier{256, false});  // the fibers left over are reused
}

struct DivergentShuffle {
  int leaves;
  LATENT_KERNEL void operator()(Thread& t) const {
    if (t.thread() < leaves) t.shuffle_xor(1.0f, 1);
  }
};

TEST_F(SimtPlants, DivergentShuffle) {
  launch(stream_, {.blocks = 1}, DivergentShuffle{64});
  expect_contains(error_of([&] { launch(stream_, {.blocks = 1}, DivergentShuffle{63}); }),
                  "divergent warp barrier or shuffle: thread 32 waits");
}

struct TooMuchShared {
  LATENT_KERNEL void operator()(Thread&) const {
    SHARED(double, a, 4096);
    SHARED(double, b, 4096);
    a[0] = b[0] = 0;
  }
};

TEST_F(SimtPlants, TooMuchSharedMemory) {
  expect_contains(error_of([&] { launch(stream_, {.blocks = 1}, TooMuchShared{}); }),
                  "65536 bytes of shared memory");
}

struct OrderOfAtomics {
  int* counter;
  int* ticket;
  LATENT_KERNEL void operator()(Thread& t) const {
    ticket[t.block() * 256 + t.thread()] = t.atomic_add(counter, 1);
  }
};

TEST_F(SimtPlants, ResultThatDependsOnTheOrderOfAtomics) {
  auto* p = static_cast<int*>(device_->allocate(513 * sizeof(int)));
  std::fill_n(p, 513, 0);
  expect_contains(error_of([&] {
                    launch(stream_, {.blocks = 2}, OrderOfAtomics{p, p + 1});
                  }),
                  "depends on the order");
  device_->release(p);
}

}  // namespace
}  // namespace latent

#endif
