// What every op must keep, over all registered samples: gradients, references, determinism,
// devices, plans.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <cstring>
#include <random>

#if defined(LATENT_GPU_SIMT)
#include "core/device/simt.h"
#endif
#include "core/graph/autodiff.h"
#include "core/graph/samples.h"
#include "core/plan/program.h"
#include "kernels/ops.h"
#include "tests/interpreter.h"

namespace latent {
namespace {

bool is_real(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

/// Numbers that depend on `name` alone.
class Numbers {
 public:
  explicit Numbers(const std::string& name) {
    std::seed_seq seed(name.begin(), name.end());
    engine_.seed(seed);
  }
  /// Uniform in [lo, hi); integers in [lo, hi] for integer types.
  HostTensor draw(const Type& type, double lo, double hi) {
    HostTensor t(type);
    const auto real = [&] { return lo + (hi - lo) * (engine_() >> 11) * 0x1p-53; };
    const auto integer = [&] {
      return std::floor(lo + (hi - lo + 1) * (engine_() >> 11) * 0x1p-53);
    };
    switch (type.dtype) {
      case DType::f32:
        for (float& v : t.as<float>()) v = static_cast<float>(real());
        break;
      case DType::f64:  // values that f32 holds too
        for (double& v : t.as<double>()) v = static_cast<float>(real());
        break;
      case DType::u8:
        for (uint8_t& v : t.as<uint8_t>()) v = static_cast<uint8_t>(integer());
        break;
      case DType::i32:
        for (int32_t& v : t.as<int32_t>()) v = static_cast<int32_t>(integer());
        break;
      case DType::u64:
        for (uint64_t& v : t.as<uint64_t>()) v = static_cast<uint64_t>(integer());
        break;
      default:  // f16, bf16: finite, positive and no denormals
        for (int64_t i = 0; i < type.elements(); ++i) {
          const auto bits = static_cast<uint16_t>(0x3000 | (engine_() & 0x0fff));
          std::memcpy(t.bytes.data() + 2 * i, &bits, 2);
        }
    }
    return t;
  }

 private:
  std::mt19937_64 engine_;
};

/// A graph around one sample, in f32 or f64: its inputs are variables with drawn values.
struct Bench {
  Graph graph;
  Values leaves;
  std::vector<Var> in, out, wrt;
  Numbers numbers;

  Bench(const Sample& sample, DType real) : numbers(sample.name) {
    for (size_t i = 0; i < sample.in.size(); ++i) {
      Type type = sample.in[i];
      const bool reals = is_real(type.dtype);
      if (type.dtype == DType::f32) type.dtype = real;
      Sample::Range range = reals                     ? Sample::Range{-1, 1}
                            : type.dtype == DType::u8 ? Sample::Range{0, 255}
                                                      : Sample::Range{0, 3};
      if (i < sample.range.size()) range = sample.range[i];
      in.push_back(leaf(cat("in", i), type, range.lo, range.hi));
      if (reals && (sample.wrt.empty() || sample.wrt[i])) wrt.push_back(in.back());
    }
    out = graph.apply(sample.op, in);
  }

  Var leaf(const std::string& name, const Type& type, double lo = -1, double hi = 1) {
    leaves.emplace(name, numbers.draw(type, lo, hi));
    return graph.variable(
        {.name = name, .type = type, .role = Role::constant, .init = {}, .group = ""});
  }
  std::vector<HostTensor> run(std::span<const Var> wanted, const std::string& device = "cpu") {
    return interpret(graph, leaves, *open_device(device), wanted);
  }
  double number(Var scalar) { return run(std::vector{scalar})[0].as<double>()[0]; }

  /// sum of v * weight over all v, with drawn weights: a scalar that depends on everything.
  Var probe(std::span<const Var> vs, const std::string& name) {
    Var total;
    for (size_t i = 0; i < vs.size(); ++i) {
      if (!is_real(vs[i].type().dtype)) continue;
      const Var term = sum(vs[i] * leaf(cat(name, i), vs[i].type()));
      total = total ? total + term : term;
    }
    return total;
  }
};

std::vector<double> numbers_of(const HostTensor& t) {
  switch (t.type.dtype) {
    case DType::f32: {
      const auto v = t.as<float>();
      return {v.begin(), v.end()};
    }
    case DType::f64: {
      const auto v = t.as<double>();
      return {v.begin(), v.end()};
    }
    case DType::u8: {
      const auto v = t.as<uint8_t>();
      return {v.begin(), v.end()};
    }
    case DType::i32: {
      const auto v = t.as<int32_t>();
      return {v.begin(), v.end()};
    }
    default: {
      const auto v = t.as<uint64_t>();
      return {v.begin(), v.end()};
    }
  }
}

/// ||a - b|| <= tolerance ||b||; values that are not finite must be in the same places and equal.
void expect_close(const HostTensor& a, const HostTensor& b, double tolerance) {
  ASSERT_EQ(a.type.shape, b.type.shape);
  const std::vector<double> x = numbers_of(a), y = numbers_of(b);
  double difference = 0, norm = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isfinite(x[i]) && std::isfinite(y[i])) {
      difference += (x[i] - y[i]) * (x[i] - y[i]);
      norm += y[i] * y[i];
    } else {
      ASSERT_TRUE(x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) << "at " << i;
    }
  }
  EXPECT_LE(std::sqrt(difference), tolerance * std::max(std::sqrt(norm), 1e-30));
}

/// Gradients of large samples are those of small ones.
bool skips_gradient(const Sample& sample, int order) {
  return sample.order < order || sample.bench || sample.in.empty();
}

/// Does the op take f64?
bool has_f64(const Sample& sample) {
  std::vector<Type> in = sample.in;
  for (Type& t : in)
    if (t.dtype == DType::f32) t.dtype = DType::f64;
  try {
    sample.op.infer(in);
    return in != sample.in;
  } catch (const GraphError&) {
    return false;
  }
}

std::string gpu_name() {
  if (gpu_count() == 0) return "";
  try {
    return open_device("simt")->name();
  } catch (const UserError&) {
    return "auto";
  }
}

/// While it lives, launches under simt run in one order of threads.
struct OneOrder {
#if defined(LATENT_GPU_SIMT)
  explicit OneOrder(bool wanted) : before(wanted ? simt::set_orders(1) : 0) {}
  ~OneOrder() {
    if (before) simt::set_orders(before);
  }
  int before;
#else
  explicit OneOrder(bool) {}
#endif
};

class OpSample : public testing::TestWithParam<Sample> {};
class OpSampleOnGpu : public testing::TestWithParam<Sample> {};

std::string test_name(const testing::TestParamInfo<Sample>& info) {
  std::string name = info.param.name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

TEST_P(OpSample, GradientsAreThoseOfFiniteDifferences) {
  const Sample& sample = GetParam();
  if (skips_gradient(sample, 1)) return;
  Bench b(sample, DType::f64);
  Var value = b.probe(b.out, "cotangent");
  for (int order = 1; order <= sample.order; ++order) {
    // d value / d wrt along a random direction, as a graph and by central differences.
    const std::vector<Var> slopes = gradient(value, b.wrt);
    const std::string direction = cat("direction", order, ".");
    const Var slope = b.probe(slopes, direction);
    const double by_graph = b.number(slope);
    const double step = 1e-5;
    const auto moved = [&](double by) {
      const Values saved = b.leaves;
      for (size_t i = 0; i < b.wrt.size(); ++i) {
        const auto along = b.leaves.at(cat(direction, i)).as<double>();
        auto at = b.leaves.at(b.graph.node(b.wrt[i]).variable).as<double>();
        for (size_t j = 0; j < at.size(); ++j) at[j] += by * along[j];
      }
      const double result = b.number(value);
      b.leaves = saved;
      return result;
    };
    const double above = moved(step), below = moved(-step);
    const double by_difference = (above - below) / (2 * step);
    EXPECT_NEAR(by_graph, by_difference, 1e-6 * (1 + std::abs(by_graph) + std::abs(above)))
        << "order " << order;
    value = slope;
  }
}

TEST_P(OpSample, BatchedCotangentsAreALoop) {
  const Sample& sample = GetParam();
  if (skips_gradient(sample, 1)) return;
  constexpr int64_t kBatch = 3;
  Bench b(sample, DType::f64);
  for (size_t o = 0; o < b.out.size(); ++o) {
    const Var y = b.out[o];
    if (!is_real(y.type().dtype)) continue;
    Shape shape = y.shape();
    shape.insert(shape.begin(), kBatch);
    const Var seeds = b.leaf(cat("seeds", o), {DType::f64, shape});
    const std::vector<Var> batched = pullback(y, b.wrt, seeds, 1);
    const auto first_axis = [](Var v) { return v.type().rank() - 1; };
    std::vector<Var> all = batched;
    for (int64_t i = 0; i < kBatch; ++i) {
      const Var seed = reshape(slice(seeds, first_axis(seeds), i, i + 1), y.shape());
      for (Var g : pullback(y, b.wrt, seed)) all.push_back(g);
    }
    const std::vector<HostTensor> results = b.run(all);
    const size_t n = b.wrt.size();
    for (size_t w = 0; w < n; ++w) {
      const std::vector<double> together = numbers_of(results[w]);
      for (int64_t i = 0; i < kBatch; ++i) {
        HostTensor piece(b.wrt[w].type());
        auto values = piece.as<double>();
        ASSERT_EQ(together.size(), kBatch * values.size());
        std::copy_n(together.begin() + i * values.size(), values.size(), values.begin());
        expect_close(piece, results[n + i * n + w], 1e-12);
      }
    }
  }
}

/// The squared norm of a batched pullback, as in the contractive penalty, must itself have a
/// gradient.
TEST_P(OpSample, BatchedPullbacksAreDifferentiable) {
  const Sample& sample = GetParam();
  if (skips_gradient(sample, 2)) return;
  Bench b(sample, DType::f64);
  Var norm;
  for (size_t o = 0; o < b.out.size(); ++o) {
    if (!is_real(b.out[o].type().dtype)) continue;
    Shape shape = b.out[o].shape();
    shape.insert(shape.begin(), 2);
    for (Var g : pullback(b.out[o], b.wrt, b.leaf(cat("seeds", o), {DType::f64, shape}), 1))
      norm = norm ? norm + sum(square(g)) : sum(square(g));
  }
  const Var slope = b.probe(gradient(norm, b.wrt), "direction");
  const double by_graph = b.number(slope), step = 1e-5;
  double values[2];
  for (int side : {0, 1}) {
    const Values saved = b.leaves;
    for (size_t i = 0; i < b.wrt.size(); ++i) {
      const auto along = b.leaves.at(cat("direction", i)).as<double>();
      auto at = b.leaves.at(b.graph.node(b.wrt[i]).variable).as<double>();
      for (size_t j = 0; j < at.size(); ++j) at[j] += (side ? step : -step) * along[j];
    }
    values[side] = b.number(norm);
    b.leaves = saved;
  }
  const double by_difference = (values[1] - values[0]) / (2 * step);
  EXPECT_NEAR(by_graph, by_difference, 1e-6 * (1 + std::abs(by_graph) + std::abs(values[1])));
}

TEST_P(OpSample, KernelIsItsReference) {
  const Sample& sample = GetParam();
  Bench b(sample, DType::f32);
  const std::vector<HostTensor> kernel = b.run(b.out);
  const bool f64 = has_f64(sample);
  if (!f64 && !sample.op.has_reference()) return;
  // In f64 the reference is exact to f32; without one, the op's own f64 kernel is the reference.
  Bench exact(sample, f64 ? DType::f64 : DType::f32);
  if (f64) {
    const std::vector<HostTensor> own = exact.run(exact.out);
    for (size_t o = 0; o < own.size(); ++o) expect_close(kernel[o], own[o], sample.tolerance);
  }
  if (!sample.op.has_reference()) return;
  const std::vector<HostTensor> reference = exact.run(sample.op.reference(exact.in));
  for (size_t o = 0; o < reference.size(); ++o)
    expect_close(kernel[o], reference[o], sample.tolerance);
}

TEST_P(OpSample, BitsDependOnNeitherThreadsNorTime) {
  const int before = omp_get_max_threads();
  Bench b(GetParam(), DType::f32);
  omp_set_num_threads(1);
  const std::vector<HostTensor> one = b.run(b.out);
  for (int threads : {1, 2, 3}) {
    omp_set_num_threads(threads);
    EXPECT_EQ(b.run(b.out), one) << threads << " threads";
  }
  omp_set_num_threads(before);
}

TEST_P(OpSampleOnGpu, IsThatOfTheCpu) {
  const std::string gpu = gpu_name();
  // On the host a large sample takes its time: its small ones are run in both orders, and again.
  const bool briefly = gpu == "simt" && GetParam().bench;
  const OneOrder one(briefly);
  Bench b(GetParam(), DType::f32);
  const std::vector<HostTensor> cpu = b.run(b.out), other = b.run(b.out, gpu);
  for (size_t o = 0; o < cpu.size(); ++o) {
    if (is_real(cpu[o].type.dtype))
      expect_close(other[o], cpu[o], GetParam().tolerance);
    else
      EXPECT_EQ(other[o], cpu[o]);
  }
  if (!briefly) {
    EXPECT_EQ(b.run(b.out, gpu), other) << "a second time";
  }
}

/// The plan reuses memory and works in place, and passes rewrite the graph: results stay.
TEST_P(OpSample, PlannedIsUnplanned) {
  const Sample& sample = GetParam();
  Bench b(sample, DType::f32);
  std::vector<Var> wanted = b.out;
  if (sample.order > 0 && !sample.in.empty()) {
    const std::vector<Var> slopes = gradient(b.probe(b.out, "cotangent"), b.wrt);
    wanted.insert(wanted.end(), slopes.begin(), slopes.end());
  }
  for (size_t i = 0; i < wanted.size(); ++i) b.graph.output(cat("wanted", i), wanted[i]);
  const std::vector<HostTensor> plain = b.run(wanted);
  Store store(open_device("cpu"));
  Program program(b.graph, store);
  for (const auto& [name, value] : b.leaves)
    if (store.has(name)) store.write(name, value);
  program.run();
  for (size_t i = 0; i < wanted.size(); ++i)
    expect_close(program.output(cat("wanted", i)), plain[i], sample.tolerance);
}

INSTANTIATE_TEST_SUITE_P(All, OpSample, testing::ValuesIn(all_samples()), test_name);

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(OpSampleOnGpu);
INSTANTIATE_TEST_SUITE_P(All, OpSampleOnGpu,
                         testing::ValuesIn(gpu_count() > 0 ? all_samples() : std::vector<Sample>()),
                         test_name);

TEST(OpSamples, RunOnAGpu) {
  if (gpu_count() == 0)
    GTEST_SKIP() << "no GPU, or a build without a GPU backend: ops ran on the CPU only";
}

}  // namespace

/// Printed by GoogleTest beside a failure.
void PrintTo(const Sample& sample, std::ostream* out) { *out << sample.name; }

}  // namespace latent
