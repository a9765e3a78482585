// What a kernel sees of its thread, on whichever GPU backend the build has.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "kernels/skeleton/skeleton.h"

namespace latent {
namespace {

#if !defined(LATENT_GPU_NONE)

class ThreadTest : public testing::Test {
 protected:
  void SetUp() override {
    if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
#if defined(LATENT_GPU_SIMT)
    device_ = open_device("simt");
#else
    device_ = open_device("cuda");
#endif
  }

  /// What `kernel(out)` leaves in n ints that began as 0.
  template <class MakeKernel>
  std::vector<int> run(const Grid& grid, int64_t n, const MakeKernel& kernel) {
    std::vector<int> out(n);
    const size_t bytes = out.size() * sizeof(int);
    void* p = device_->allocate(bytes);
    device_->upload(p, out.data(), bytes);
    Stream& stream = device_->stream();
    const int64_t before = stream.launches;
    launch(stream, grid, kernel(static_cast<int*>(p)));
    EXPECT_EQ(stream.launches - before, empty(grid) ? 0 : 1);
    device_->download(out.data(), p, bytes);
    device_->release(p);
    return out;
  }

  std::shared_ptr<Device> device_;
};

struct Indices {
  int* out;
  LATENT_KERNEL void operator()(Thread& t) const {
    const int64_t b = (t.block_z() * t.blocks_y() + t.block_y()) * t.blocks() + t.block();
    out[b * t.threads() + t.thread()] =
        static_cast<int>(b) * 1000 + t.warp() * 32 + t.lane() + t.warps() * 100000;
  }
};

TEST_F(ThreadTest, Indices) {
  const std::vector<int> out = run({.blocks = 5, .threads = 96, .blocks_y = 3, .blocks_z = 2},
                                   30 * 96, [](int* p) { return Indices{p}; });
  for (int i = 0; i < 30 * 96; ++i) ASSERT_EQ(out[i], i / 96 * 1000 + i % 96 + 300000);
}

TEST_F(ThreadTest, AnEmptyGridDoesNothing) {
  const auto indices = [](int* p) { return Indices{p}; };
  EXPECT_EQ(run({.blocks = 0}, 1, indices)[0], 0);
  EXPECT_EQ(run({.blocks = 2, .blocks_y = 0}, 1, indices)[0], 0);
}

TEST_F(ThreadTest, GridsThatNoGpuTakes) {
  Stream& s = device_->stream();
  EXPECT_THROW(launch(s, {.blocks = 1, .threads = 33}, Indices{}), std::logic_error);
  EXPECT_THROW(launch(s, {.blocks = 1, .threads = 2048}, Indices{}), std::logic_error);
  EXPECT_THROW(launch(s, {.blocks = 1, .blocks_y = 65536}, Indices{}), std::logic_error);
  EXPECT_THROW(launch(s, {.blocks = -1}, Indices{}), std::logic_error);
}

struct Pair {
  int a;
  double b;
};

struct Shuffles {
  int* out;
  LATENT_KERNEL void operator()(Thread& t) const {
    const int i = t.thread();
    int* row = out + 6 * i;
    row[0] = t.shuffle(i, 7);
    row[1] = t.shuffle_xor(i, 5);
    row[2] = t.shuffle_down(i, 3);
    row[3] = t.shuffle_up(i, 3);
    row[4] = static_cast<int>(t.ballot(t.lane() % 3 == 0));
    const Pair p = t.shuffle_xor(Pair{i, i * 0.5}, 1);
    row[5] = p.a + static_cast<int>(p.b * 2);
    t.sync_warp();
  }
};

TEST_F(ThreadTest, Shuffles) {
  const std::vector<int> out =
      run({.blocks = 1, .threads = 64}, 6 * 64, [](int* p) { return Shuffles{p}; });
  for (int i = 0; i < 64; ++i) {
    const int lane = i % 32, base = i - lane;
    EXPECT_EQ(out[6 * i], base + 7);
    EXPECT_EQ(out[6 * i + 1], base + (lane ^ 5));
    EXPECT_EQ(out[6 * i + 2], lane + 3 < 32 ? i + 3 : i);
    EXPECT_EQ(out[6 * i + 3], lane >= 3 ? i - 3 : i);
    EXPECT_EQ(static_cast<uint32_t>(out[6 * i + 4]), 0x49249249u);
    EXPECT_EQ(out[6 * i + 5], 2 * (base + (lane ^ 1)));
  }
}

/// Inclusive scan of a block, with a barrier in a loop and two shared arrays in turn.
struct Scan {
  int* x;
  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(int, a, 128);
    SHARED(int, b, 128);
    int *from = a, *to = b;
    const int i = t.thread();
    from[i] = i;
    for (int d = 1; d < 128; d *= 2) {
      t.sync();
      to[i] = from[i] + (i >= d ? from[i - d] : 0);
      int* const swap = from;
      from = to;
      to = swap;
    }
    x[t.block() * 128 + i] = from[i];
  }
};

TEST_F(ThreadTest, BarrierInALoop) {
  const std::vector<int> out =
      run({.blocks = 3, .threads = 128}, 3 * 128, [](int* p) { return Scan{p}; });
  for (int i = 0; i < 3 * 128; ++i) ASSERT_EQ(out[i], (i % 128) * (i % 128 + 1) / 2);
}

struct Count {
  int* out;
  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(int, n, 1);
    if (t.thread() == 0) n[0] = 0;
    t.sync();
    t.atomic_add(&n[0], t.thread() % 2);
    t.atomic_max(out + 1, static_cast<int>(t.block()) * 10 + t.thread());
    t.sync();
    if (t.thread() == 0) t.atomic_add(out, n[0]);
    t.fence();
  }
};

TEST_F(ThreadTest, Atomics) {
  const std::vector<int> out =
      run({.blocks = 4, .threads = 64}, 2, [](int* p) { return Count{p}; });
  EXPECT_EQ(out[0], 4 * 32);
  EXPECT_EQ(out[1], 30 + 63);
}

#endif

#if defined(LATENT_GPU_SIMT)

struct SharedStartsAsNan {
  int* out;
  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(float, x, 32);
    out[t.block() * 32 + t.thread()] = x[t.thread()] != x[t.thread()];
    t.sync();
    x[t.thread()] = 0;
  }
};

TEST_F(ThreadTest, SharedMemoryStartsAsNanInEveryBlock) {
  const std::vector<int> out =
      run({.blocks = 2, .threads = 32}, 64, [](int* p) { return SharedStartsAsNan{p}; });
  EXPECT_EQ(std::accumulate(out.begin(), out.end(), 0), 64);
}

struct Throws {
  LATENT_KERNEL void operator()(Thread& t) const {
    t.sync();
    if (t.thread() == 40) throw std::runtime_error("from a kernel");
    t.sync();
  }
};

TEST_F(ThreadTest, AnExceptionLeavesTheLaunch) {
  for (int i = 0; i < 2; ++i)
    EXPECT_THROW(launch(device_->stream(), {.blocks = 1, .threads = 64}, Throws{}),
                 std::runtime_error);
}

TEST_F(ThreadTest, OneOrderWhereOneIsAskedFor) {
  const int before = simt::set_orders(1);
  const std::vector<int> out =
      run({.blocks = 1, .threads = 32}, 2, [](int* p) { return Count{p}; });
  EXPECT_EQ(out[0], 16);
  EXPECT_EQ(simt::set_orders(before), 1);
}

#endif

}  // namespace
}  // namespace latent
