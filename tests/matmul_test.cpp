// Products against a loop in f64: sizes, transposes, batches, both CPU paths, any number of threads.
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "core/device/device.h"
#include "kernels/functions.h"
#include "kernels/matmul/cpu.h"
#include "kernels/matmul/matmul.h"
#include "kernels/ops.h"
#include "tests/interpreter.h"

namespace latent {
namespace {

struct Size {
  int64_t m, n, k;
};
void PrintTo(const Size& s, std::ostream* out) { *out << s.m << "x" << s.k << "x" << s.n; }

template <class T>
std::vector<T> draw(int64_t count, int seed) {
  std::mt19937 engine(seed);
  std::vector<T> values(count);
  for (T& v : values) v = static_cast<T>(static_cast<int>(engine() % 2001) - 1000) / 1000;
  return values;
}

Gemm matrices(const Size& s, bool trans_a, bool trans_b) {
  const auto type = [](int64_t rows, int64_t cols, bool transposed) {
    return Type{DType::f32, transposed ? Shape{cols, rows} : Shape{rows, cols}};
  };
  return make_gemm(type(s.m, s.k, trans_a), type(s.k, s.n, trans_b), trans_a, trans_b);
}

template <class T>
struct Problem {
  Gemm gemm;
  std::vector<T> a, b, bias;

  Problem(const Size& s, bool trans_a, bool trans_b)
      : gemm(matrices(s, trans_a, trans_b)),
        a(draw<T>(s.m * s.k, 1)),
        b(draw<T>(s.k * s.n, 2)),
        bias(draw<T>(s.n, 3)) {}

  std::vector<double> expected() const {
    const auto& [m, n, k, trans_a, trans_b, count, batch] = gemm;
    std::vector<double> c(m * n);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = bias[j];
        for (int64_t p = 0; p < k; ++p)
          sum += double(a[trans_a ? p * m + i : i * k + p]) * b[trans_b ? j * k + p : p * n + j];
        c[i * n + j] = sum;
      }
    return c;
  }

  std::vector<T> computed(CpuBackend backend, int threads) const {
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    const auto device = open_device("cpu");
    std::vector<T> c(gemm.m * gemm.n, T(NAN));
    const CpuGemm<T> product(gemm, true, *device, backend);
    void* const workspace = device->allocate(std::max<size_t>(1, product.workspace()));
    product.run(a.data(), b.data(), bias.data(), c.data(), workspace);
    device->release(workspace);
    omp_set_num_threads(before);
    return c;
  }
};

template <class T>
double distance(const std::vector<T>& got, const std::vector<double>& want) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    error += (got[i] - want[i]) * (got[i] - want[i]);
    norm += want[i] * want[i];
  }
  return std::sqrt(error / std::max(norm, 1e-300));
}

class Products : public testing::TestWithParam<Size> {};

INSTANTIATE_TEST_SUITE_P(Sizes, Products,
                         testing::Values(Size{1, 1, 1}, Size{1, 300, 70}, Size{300, 1, 70},
                                         Size{1, 1, 3000}, Size{5, 7, 3}, Size{33, 31, 65},
                                         Size{130, 129, 257}, Size{3, 2, 1030}, Size{32, 64, 4096},
                                         Size{30, 250, 2048}, Size{1000, 3, 5}, Size{256, 32, 784},
                                         Size{256, 784, 32}, Size{784, 32, 256}, Size{32, 784, 256},
                                         Size{250, 30, 256}, Size{250, 120, 64}));

TEST_P(Products, EqualALoopInF64) {
  for (const bool trans_a : {false, true})
    for (const bool trans_b : {false, true}) {
      const Problem<float> f32(GetParam(), trans_a, trans_b);
      const Problem<double> f64(GetParam(), trans_a, trans_b);
      const std::vector<double> want = f32.expected();
      EXPECT_LT(distance(f32.computed(CpuBackend::fastest, 2), want), 1e-5);
      EXPECT_LT(distance(f32.computed(CpuBackend::plain, 2), want), 1e-5);
      EXPECT_LT(distance(f64.computed(CpuBackend::fastest, 2), f64.expected()), 1e-14);
    }
}

TEST_P(Products, HaveTheSameBitsForAnyNumberOfThreads) {
  for (const bool trans_a : {false, true})
    for (const bool trans_b : {false, true})
      for (const CpuBackend backend : {CpuBackend::fastest, CpuBackend::plain}) {
        const Problem<float> problem(GetParam(), trans_a, trans_b);
        const std::vector<float> one = problem.computed(backend, 1);
        EXPECT_EQ(one, problem.computed(backend, 2));
        EXPECT_EQ(one, problem.computed(backend, 3));
        EXPECT_EQ(one, problem.computed(backend, 7));
      }
}

TEST(Products, KeepTheirBitsWhenTheThreadsChangeAfterPrepare) {
  const Problem<float> problem({256, 100, 300}, false, true);
  const auto device = open_device("cpu");
  const int before = omp_get_max_threads();
  omp_set_num_threads(2);
  const CpuGemm<float> product(problem.gemm, true, *device);
  std::vector<char> workspace(product.workspace() + 64);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 5}) {
    omp_set_num_threads(threads);
    std::vector<float>& c = results.emplace_back(256 * 100);
    product.run(problem.a.data(), problem.b.data(), problem.bias.data(), c.data(),
                workspace.data());
  }
  omp_set_num_threads(before);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST(Blocks, CoverEveryElementOnce) {
  for (const Size& s :
       {Size{1, 1, 1}, Size{257, 1030, 100}, Size{4096, 3, 64}, Size{16, 5000, 300}}) {
    const Problem<float> problem(s, false, false);
    const auto device = open_device("cpu");
    const CpuGemm<float> product(problem.gemm, true, *device, CpuBackend::plain);
    std::vector<char> workspace(product.workspace() + 64);
    std::vector<float> c(s.m * s.n);
    std::vector<int> seen(s.m * s.n);
    product.run(problem.a.data(), problem.b.data(), problem.bias.data(), c.data(), workspace.data(),
                [&](const Block& block) {
                  for (int64_t r = block.row; r < block.row + block.rows; ++r)
                    for (int64_t col = block.col; col < block.col + block.cols; ++col)
                      ++seen[r * s.n + col];
                });
    EXPECT_TRUE(std::ranges::all_of(seen, [](int times) { return times == 1; }));
  }
}

Type f32(Shape shape) { return {DType::f32, std::move(shape)}; }

TEST(MatMulTypes, AreInferredWithBroadcastBatchAxes) {
  const auto infer = [](const MatMul& op, Shape a, Shape b) {
    return op.infer(std::vector<Type>{f32(std::move(a)), f32(std::move(b))})[0].shape;
  };
  EXPECT_EQ(infer({}, {2, 3}, {3, 4}), (Shape{2, 4}));
  EXPECT_EQ(infer({true, true}, {3, 2}, {4, 3}), (Shape{2, 4}));
  EXPECT_EQ(infer({}, {5, 1, 2, 3}, {7, 3, 4}), (Shape{5, 7, 2, 4}));
  EXPECT_THROW(infer({}, {2, 3}, {4, 3}), GraphError);
  EXPECT_THROW(infer({}, {3}, {3, 4}), GraphError);
  EXPECT_THROW(infer({}, {2, 2, 3}, {3, 3, 4}), GraphError);
  EXPECT_THROW(MatMul{}.infer(std::vector<Type>{f32({2, 2}), {DType::f64, {2, 2}}}), GraphError);
}

TEST(MatMulTypes, RowsAreFoldedAndBatchAxesMerged) {
  const Gemm rows = make_gemm(f32({2, 3, 5, 7}), f32({7, 4}), false, false);
  EXPECT_EQ(rows.m, 30);
  EXPECT_EQ(rows.count, 1);
  const Gemm batch = make_gemm(f32({2, 3, 5, 7}), f32({2, 3, 7, 4}), false, false);
  EXPECT_EQ(batch.count, 6);
  EXPECT_EQ(batch.batch.rank, 1);
  const Gemm shared = make_gemm(f32({2, 1, 5, 7}), f32({3, 7, 4}), false, false);
  EXPECT_EQ(shared.count, 6);
  EXPECT_EQ(shared.batch.a(5), 35);
  EXPECT_EQ(shared.batch.b(5), 56);
}

TEST(LayerTypes, AreChecked) {
  const AnyOp linear = find_pointwise("relu")->linear;
  const auto infer = [](const AnyOp& op, std::vector<Shape> shapes) {
    std::vector<Type> in;
    for (Shape& s : shapes) in.push_back(f32(std::move(s)));
    return op.infer(in)[0].shape;
  };
  EXPECT_EQ(infer(linear, {{6, 2, 3}, {4, 3}, {4}}), (Shape{6, 2, 4}));
  EXPECT_EQ(infer(linear, {{2, 3}, {4, 3}}), (Shape{2, 4}));
  EXPECT_THROW(infer(linear, {{2, 3}, {4, 3}, {3}}), GraphError);
  EXPECT_THROW(infer(linear, {{2, 3}, {2, 4, 3}}), GraphError);
  EXPECT_THROW(infer(LinearBackwardWeight{}, {{2, 3}, {3, 3}}), GraphError);
  EXPECT_EQ(infer(LinearBackwardWeight{}, {{2, 5, 3}, {2, 5, 4}}), (Shape{3, 4}));
  EXPECT_EQ(infer(LinearBackwardWeight{false}, {{2, 5, 3}, {2, 5, 4}}), (Shape{4, 3}));
}

TEST(LayerCost, CountsLaunchesOnCuda) {
  const auto launches = [](const AnyOp& op, std::vector<Shape> shapes) {
    Signature s;
    for (Shape& shape : shapes) s.in.push_back(f32(std::move(shape)));
    s.out = op.infer(s.in);
    return op.cost(s).launches;
  };
  const auto* relu = find_pointwise("relu");
  const auto* sigmoid = find_pointwise("sigmoid");
  EXPECT_EQ(launches(relu->linear, {{256, 784}, {1000, 784}, {1000}}), 1);
  EXPECT_EQ(launches(sigmoid->linear, {{256, 784}, {32, 784}, {32}}), 1);
  EXPECT_EQ(launches(sigmoid->linear, {{256, 784}, {1000, 784}, {1000}}), 2);
  EXPECT_EQ(launches(relu->matmul_gradient, {{256, 784}, {784, 32}, {256, 32}}), 1);
  EXPECT_EQ(launches(LinearBackwardWeight{}, {{256, 32}, {256, 784}}), 1);
}

}  // namespace
}  // namespace latent
