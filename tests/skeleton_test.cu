// Every skeleton at awkward sizes: the CPU against plain loops, the GPU backend against the CPU to
// the bit, the same bits for any number of threads and either instruction set.
#include "kernels/skeleton/skeleton.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <vector>

#include "core/device/cpu_isa.h"

namespace latent {
namespace {

using Sizes = std::vector<int64_t>;

/// A device and the arrays on it that a test reads back.
class Runner {
 public:
  explicit Runner(const std::string& name) : device(open_device(name)) {}
  ~Runner() {
    for (void* p : owned_) device->release(p);
  }

  template <class T>
  T* upload(const std::vector<T>& values) {
    auto* p = static_cast<T*>(device->allocate(values.size() * sizeof(T)));
    device->upload(p, values.data(), values.size() * sizeof(T));
    owned_.push_back(p);
    return p;
  }
  template <class T>
  std::vector<T> download(const T* p, int64_t n) {
    std::vector<T> values(n);
    device->download(values.data(), p, values.size() * sizeof(T));
    return values;
  }
  void* workspace(size_t bytes) {
    owned_.push_back(device->allocate(bytes));
    return owned_.back();
  }

  std::shared_ptr<Device> device;

 private:
  std::vector<void*> owned_;
};

/// The GPU backend of the build, "" where there is none or no such GPU.
std::string gpu_name() {
#if defined(LATENT_GPU_SIMT)
  return "simt";
#elif defined(LATENT_GPU_CUDA)
  return gpu_count() > 0 ? "cuda" : "";
#else
  return "";
#endif
}

template <class T>
std::vector<T> values(int64_t n) {
  std::vector<T> x(n);
  uint32_t state = 12345;
  for (T& v : x) {
    state = state * 1664525u + 1013904223u;
    v = static_cast<T>(static_cast<int32_t>(state >> 8) - (1 << 23)) / static_cast<T>(1 << 20);
  }
  return x;
}

/// Runs `body(Runner&)`, which gives a vector, on the CPU in every way that must agree, and on the
/// GPU if `gpu`.
template <class Body>
auto everywhere(bool gpu, const Body& body) {
  Runner cpu("cpu");
  const auto expected = body(cpu);
  const int threads = omp_get_max_threads();
  for (int n : {1, 2, 3}) {
    omp_set_num_threads(n);
    EXPECT_EQ(expected, body(cpu)) << n << " threads";
  }
  omp_set_num_threads(threads);
  const CpuIsa isa = set_cpu_isa(CpuIsa::baseline);
  EXPECT_EQ(expected, body(cpu)) << "baseline instruction set";
  set_cpu_isa(isa);
  if (gpu && !gpu_name().empty()) {
    Runner other(gpu_name());
    EXPECT_EQ(expected, body(other)) << gpu_name();
  }
  return expected;
}

// ---- Functors ----

template <class T>
struct Twice {
  const T* x;
  T* y;
  LATENT_HD void operator()(int64_t i) const { y[i] = T(2) * x[i] + T(1); }
};

template <class T>
struct AddRow {
  T* x;
  const T* row;
  int64_t cols;
  LATENT_HD void operator()(int64_t r, int64_t c) const { x[r * cols + c] += row[c]; }
};

template <class T>
struct At {
  const T* x;
  LATENT_HD T operator()(int64_t i) const { return x[i]; }
};

template <class T>
struct AtMatrix {
  const T* x;
  int64_t cols;
  LATENT_HD T operator()(int64_t r, int64_t c) const { return x[r * cols + c]; }
};

/// Squares the value where it stands, and returns what it was.
template <class T>
struct SquareInPlace {
  T* x;
  int64_t cols;
  LATENT_HD T operator()(int64_t r, int64_t c) const {
    T& v = x[r * cols + c];
    const T was = v;
    v = was * was;
    return was;
  }
};

template <class T>
struct Put {
  T* y;
  LATENT_HD void operator()(int64_t i, T a) const { y[i] = a; }
};

template <class T>
struct PutOne {
  T* y;
  LATENT_HD void operator()(T a) const { *y = a; }
};

// ---- for_each ----

template <class T>
void test_for_each(int64_t n) {
  const std::vector<T> x = values<T>(n);
  const auto y = everywhere(std::is_same_v<T, float>, [&](Runner& on) {
    T* out = on.upload(std::vector<T>(n));
    for_each(on.device->stream(), n, Twice<T>{on.upload(x), out});
    return on.download(out, n);
  });
  for (int64_t i = 0; i < n; ++i) ASSERT_EQ(y[i], T(2) * x[i] + T(1)) << i;
}

TEST(Skeleton, ForEach) {
  for (int64_t n : Sizes{0, 1, 31, 33, 256, 1000, 4097, 50001}) {
    test_for_each<float>(n);
    test_for_each<double>(n);
  }
}

template <class T>
void test_for_each_row(int64_t rows, int64_t cols) {
  const std::vector<T> x = values<T>(rows * cols), row = values<T>(cols);
  const auto y = everywhere(std::is_same_v<T, float>, [&](Runner& on) {
    T* p = on.upload(x);
    for_each_row(on.device->stream(), rows, cols, AddRow<T>{p, on.upload(row), cols});
    return on.download(p, rows * cols);
  });
  for (int64_t i = 0; i < rows * cols; ++i) ASSERT_EQ(y[i], x[i] + row[i % cols]) << i;
}

TEST(Skeleton, ForEachRow) {
  for (int64_t rows : Sizes{0, 1, 7, 33, 1000}) {
    for (int64_t cols : Sizes{1, 3, 31, 32, 33, 100, 784}) {
      if (rows * cols > 100000) continue;
      test_for_each_row<float>(rows, cols);
      test_for_each_row<double>(rows, cols);
    }
  }
  test_for_each_row<float>(1, 100003);
  test_for_each_row<float>(100003, 1);
}

TEST(Skeleton, RowsAreCutIntoFullBlocks) {
  for (int64_t cols : Sizes{1, 2, 3, 5, 8, 20, 32, 33, 64, 100, 250, 256, 500, 784, 1000, 4096}) {
    const int64_t width = int64_t{1} << skeleton::row_log_width(cols);
    EXPECT_LE(width, 256);
    if (cols <= 32) {
      EXPECT_LT(width / 2, cols);
    }
    if (width > 32) {
      EXPECT_LE((cols + width - 1) / width * width, cols * 8 / 7 + 1) << cols;
    }
  }
}

// ---- Reductions ----

/// The relative error that a sum of n terms of this size may have.
template <class T>
void expect_sum(T sum, double expected, double magnitude, int64_t i) {
  const double epsilon = std::is_same_v<T, float> ? 1e-6 : 1e-14;
  ASSERT_NEAR(sum, expected, epsilon * (magnitude + 1)) << i;
}

template <class T>
void test_reduce_rows(int64_t rows, int64_t cols) {
  const bool gpu = std::is_same_v<T, float>;
  const std::vector<T> x = values<T>(rows * cols);
  const auto sums = everywhere(gpu, [&](Runner& on) {
    T *p = on.upload(x), *y = on.upload(std::vector<T>(rows));
    reduce_rows(on.device->stream(), rows, cols, Sum{}, SquareInPlace<T>{p, cols}, Put<T>{y});
    std::vector<T> all = on.download(y, rows), squares = on.download(p, rows * cols);
    all.insert(all.end(), squares.begin(), squares.end());
    return all;
  });
  const auto maxima = everywhere(gpu, [&](Runner& on) {
    T* y = on.upload(std::vector<T>(rows));
    reduce_rows(on.device->stream(), rows, cols, Max{}, AtMatrix<T>{on.upload(x), cols}, Put<T>{y});
    return on.download(y, rows);
  });
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0, magnitude = 0;
    T max = -std::numeric_limits<T>::infinity();
    for (int64_t c = 0; c < cols; ++c) {
      const T v = x[r * cols + c];
      sum += v;
      magnitude += std::abs(v);
      max = std::max(max, v);
      ASSERT_EQ(sums[rows + r * cols + c], v * v);
    }
    expect_sum(sums[r], sum, magnitude, r);
    ASSERT_EQ(maxima[r], max);
  }
}

TEST(Skeleton, ReduceRows) {
  for (int64_t rows : Sizes{0, 1, 9, 257})
    for (int64_t cols : Sizes{0, 1, 31, 33, 784}) {
      test_reduce_rows<float>(rows, cols);
      test_reduce_rows<double>(rows, cols);
    }
  test_reduce_rows<float>(3, 1024);
  test_reduce_rows<float>(3, 1025);
  test_reduce_rows<float>(2, 50001);
  test_reduce_rows<double>(2, 50001);
}

template <class T>
void test_reduce_cols(int64_t rows, int64_t cols) {
  const std::vector<T> x = values<T>(rows * cols);
  const auto y = everywhere(std::is_same_v<T, float>, [&](Runner& on) {
    T *p = on.upload(x), *out = on.upload(std::vector<T>(cols));
    void* workspace = on.workspace(reduce_cols_workspace<T>(rows, cols));
    Stream& stream = on.device->stream();
    const int64_t before = stream.launches;
    reduce_cols(stream, rows, cols, Sum{}, AtMatrix<T>{p, cols}, Put<T>{out}, workspace);
    if (stream.gpu) {
      EXPECT_EQ(stream.launches - before, reduce_cols_launches(rows));
    }
    return on.download(out, cols);
  });
  for (int64_t c = 0; c < cols; ++c) {
    double sum = 0, magnitude = 0;
    for (int64_t r = 0; r < rows; ++r) {
      sum += x[r * cols + c];
      magnitude += std::abs(x[r * cols + c]);
    }
    expect_sum(y[c], sum, magnitude, c);
  }
}

TEST(Skeleton, ReduceCols) {
  for (int64_t rows : Sizes{0, 1, 15, 17, 256, 1024, 1025, 3001})
    for (int64_t cols : Sizes{1, 31, 33, 130}) {
      if (rows * cols > 150000) continue;
      test_reduce_cols<float>(rows, cols);
      test_reduce_cols<double>(rows, cols);
    }
}

template <class T>
void test_reduce_cols_of_each(int64_t count, int64_t rows, int64_t cols) {
  const std::vector<T> x = values<T>(count * rows * cols);
  const auto y = everywhere(std::is_same_v<T, float>, [&](Runner& on) {
    T *p = on.upload(x), *out = on.upload(std::vector<T>(count * cols));
    reduce_cols_of_each(on.device->stream(), count, rows, cols, Sum{}, AtMatrix<T>{p, cols},
                        Put<T>{out});
    return on.download(out, count * cols);
  });
  for (int64_t i = 0; i < count * cols; ++i) {
    double sum = 0, magnitude = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const T v = x[(i / cols * rows + r) * cols + i % cols];
      sum += v;
      magnitude += std::abs(v);
    }
    expect_sum(y[i], sum, magnitude, i);
  }
}

TEST(Skeleton, ReduceColsOfEach) {
  for (int64_t count : Sizes{0, 1, 7})
    for (int64_t rows : Sizes{0, 1, 40, 1100})
      for (int64_t cols : Sizes{0, 3, 33}) {
        test_reduce_cols_of_each<float>(count, rows, cols);
        test_reduce_cols_of_each<double>(count, rows, cols);
      }
}

template <class T>
void test_reduce_all(int64_t n) {
  const std::vector<T> x = values<T>(n);
  const auto y = everywhere(std::is_same_v<T, float>, [&](Runner& on) {
    T *p = on.upload(x), *out = on.upload(std::vector<T>(2));
    void* workspace = on.workspace(reduce_all_workspace<T>(n));
    Stream& stream = on.device->stream();
    const int64_t before = stream.launches;
    reduce_all(stream, n, Sum{}, At<T>{p}, PutOne<T>{out}, workspace);
    if (stream.gpu) {
      EXPECT_EQ(stream.launches - before, reduce_all_launches(n));
    }
    reduce_all(stream, n, Max{}, At<T>{p}, PutOne<T>{out + 1}, workspace);
    return on.download(out, 2);
  });
  double sum = 0, magnitude = 0;
  T max = -std::numeric_limits<T>::infinity();
  for (T v : x) {
    sum += v;
    magnitude += std::abs(v);
    max = std::max(max, v);
  }
  expect_sum(y[0], sum, magnitude, n);
  EXPECT_EQ(y[1], max);
}

TEST(Skeleton, ReduceAll) {
  for (int64_t n : Sizes{0, 1, 31, 33, 1000, 65536, 65537, 200001}) {
    test_reduce_all<float>(n);
    test_reduce_all<double>(n);
  }
}

TEST(Skeleton, ManyElementsNeedAtMost1024Spans) {
  for (int64_t n : Sizes{65537, 1 << 24, (1 << 24) + 1, int64_t{1} << 33})
    EXPECT_LE(reduce_all_workspace<float>(n), 1024 * sizeof(float));
}

/// Mean and largest of one pass: a monoid of one's own.
struct SumAndMax {
  float sum, max;
};

struct SumAndMaxMonoid {
  template <class A>
  static LATENT_HD A identity() {
    return {0, Max::identity<float>()};
  }
  template <class A>
  static LATENT_HD A combine(A a, A b) {
    return {a.sum + b.sum, Max::combine(a.max, b.max)};
  }
};

struct Both {
  const float* x;
  LATENT_HD SumAndMax operator()(int64_t i) const { return {x[i], x[i]}; }
  LATENT_HD SumAndMax operator()(int64_t r, int64_t c) const {
    return {x[r * 50 + c], x[r * 50 + c]};
  }
};

struct PutBoth {
  float* y;
  LATENT_HD void operator()(SumAndMax a) const {
    y[0] = a.sum;
    y[1] = a.max;
  }
  LATENT_HD void operator()(int64_t i, SumAndMax a) const {
    y[2 * i] = a.sum;
    y[2 * i + 1] = a.max;
  }
};

TEST(Skeleton, AMonoidOfOnesOwn) {
  const int64_t rows = 2000, cols = 50;
  const std::vector<float> x = values<float>(rows * cols);
  everywhere(true, [&](Runner& on) {
    float *p = on.upload(x), *y = on.upload(std::vector<float>(2 + 2 * rows + 2 * cols));
    Stream& s = on.device->stream();
    void* workspace = on.workspace(reduce_all_workspace<SumAndMax>(rows * cols) +
                                   reduce_cols_workspace<SumAndMax>(rows, cols));
    reduce_all(s, rows * cols, SumAndMaxMonoid{}, Both{p}, PutBoth{y}, workspace);
    reduce_rows(s, rows, cols, SumAndMaxMonoid{}, Both{p}, PutBoth{y + 2});
    reduce_cols(s, rows, cols, SumAndMaxMonoid{}, Both{p}, PutBoth{y + 2 + 2 * rows}, workspace);
    return on.download(y, 2 + 2 * rows + 2 * cols);
  });
}

/// An f32 functor whose sum is f64 has a GPU body.
struct Widened {
  const float* x;
  LATENT_HD double operator()(int64_t i) const { return x[i]; }
};

struct AddTo {
  double* sum;
  LATENT_HD void operator()(double a) const { *sum += a; }
};

TEST(Skeleton, RunningSumsInF64) {
  const std::vector<float> x = values<float>(70000);
  const auto sum = everywhere(true, [&](Runner& on) {
    double* y = on.upload(std::vector<double>{0});
    void* workspace = on.workspace(reduce_all_workspace<double>(70000));
    for (int i = 0; i < 2; ++i)
      reduce_all(on.device->stream(), 70000, Sum{}, Widened{on.upload(x)}, AddTo{y}, workspace);
    return on.download(y, 1);
  });
  double expected = 0;
  for (float v : x) expected += v;
  EXPECT_NEAR(sum[0], 2 * expected, 1e-7);
}

TEST(Skeleton, NanIsTheMaximum) {
  for (int64_t at : Sizes{0, 17, 40, 99}) {
    std::vector<float> x = values<float>(100);
    x[at] = NAN;
    Runner cpu("cpu");
    float* y = cpu.upload(std::vector<float>(1));
    reduce_rows(cpu.device->stream(), 1, 100, Max{}, AtMatrix<float>{cpu.upload(x), 100},
                Put<float>{y});
    EXPECT_TRUE(std::isnan(*y));
  }
}

// ---- Which functors have a GPU body ----

template <class T, int N>
struct WithNumber {};
template <bool B, class T>
struct NumberFirst {};
struct Says {
  static constexpr bool cpu_only = true;
};
template <class T>
struct SaysNot {
  static constexpr bool cpu_only = false;
};

static_assert(cpu_only_v<Twice<double>> && !cpu_only_v<Twice<float>>);
static_assert(cpu_only_v<At<At<double>>> && !cpu_only_v<Widened>);
static_assert(cpu_only_v<WithNumber<double, 2>> && !cpu_only_v<WithNumber<float, 2>>);
static_assert(cpu_only_v<NumberFirst<true, double>> && !cpu_only_v<NumberFirst<true, float>>);
static_assert(cpu_only_v<Says> && !cpu_only_v<SaysNot<double>>);
static_assert(cpu_only_v<Twice<float>, Put<double>>);

TEST(Skeleton, F64HasNoGpuBody) {
  if (gpu_name().empty()) GTEST_SKIP() << "no GPU backend";
  Runner gpu(gpu_name());
  Stream& s = gpu.device->stream();
  EXPECT_THROW(for_each(s, 1, Twice<double>{}), std::logic_error);
  EXPECT_THROW(for_each_row(s, 1, 1, AddRow<double>{}), std::logic_error);
  EXPECT_THROW(reduce_rows(s, 1, 1, Sum{}, AtMatrix<double>{}, Put<double>{}), std::logic_error);
  EXPECT_THROW(reduce_cols(s, 1, 1, Sum{}, AtMatrix<double>{}, Put<double>{}, nullptr),
               std::logic_error);
  EXPECT_THROW(reduce_all(s, 1, Sum{}, At<double>{}, PutOne<double>{}, nullptr), std::logic_error);
}

}  // namespace
}  // namespace latent
