// The optimizers over several steps against PyTorch's definitions written out in double.
#include "kernels/optimizer/optimizer.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>

#include "core/config/parse.h"
#include "core/config/resolve.h"
#include "core/random/philox.h"
#include "tests/run_op.h"

namespace latent {
namespace {

constexpr int64_t kSize = 5003;
constexpr int kSteps = 12;

struct Element {
  double p;
  std::vector<double> state;
};
/// One element's step t = 1, 2, ... with gradient g.
using Reference = std::function<void(Element&, double g, int t)>;

template <class T>
HostTensor noise(const char* name, uint64_t step, double scale = 1) {
  HostTensor t(Type{DTypeOf<T>::value, {kSize}});
  for (int64_t i = 0; i < kSize; ++i)
    t.as<T>()[i] = static_cast<T>(scale * normal(1, step, stream_of(name), i));
  return t;
}

/// kSteps updates by the op and by the reference, from the same parameters and gradients.
template <class T>
void expect_same(const AnyOp& op, int states, const Reference& reference, double tolerance,
                 double initial = 0, double clip = 1) {
  std::vector<HostTensor> in{one<uint64_t>(0), one<uint64_t>(0), noise<T>("p", 0),
                             noise<T>("g", 0)};
  for (int k = 0; k < states; ++k) {
    in.emplace_back(in[2].type);
    if (k == states - 1) std::ranges::fill(in.back().template as<T>(), static_cast<T>(initial));
  }
  if (clip != 1) in.push_back(one<T>(static_cast<T>(clip)));
  std::vector<Element> want(kSize);
  for (int64_t i = 0; i < kSize; ++i) {
    want[i] = {in[2].as<T>()[i], std::vector<double>(states)};
    if (states > 0) want[i].state.back() = initial;
  }
  for (int t = 1; t <= kSteps; ++t) {
    in[1] = one<uint64_t>(t);
    in[3] = noise<T>("g", t, 0.1);
    for (int64_t i = 0; i < kSize; ++i)
      reference(want[i], static_cast<double>(in[3].as<T>()[i]) * clip, t);
    const std::vector<HostTensor> out = run_op(op, in);
    in[2] = out[0];
    for (int k = 0; k < states; ++k) in[4 + k] = out[1 + k];
  }
  const auto expect_close = [&](const HostTensor& got, const std::function<double(int64_t)>& at) {
    double error = 0, size = 0;
    for (int64_t i = 0; i < kSize; ++i) {
      error += std::pow(static_cast<double>(got.as<T>()[i]) - at(i), 2);
      size += at(i) * at(i);
    }
    EXPECT_LT(std::sqrt(error / size), tolerance);
  };
  expect_close(in[2], [&](int64_t i) { return want[i].p; });
  for (int k = 0; k < states; ++k)
    expect_close(in[4 + k], [&](int64_t i) { return want[i].state[k]; });
}

void expect_same(const AnyOp& op, int states, const Reference& reference, double initial = 0,
                 double clip = 1) {
  expect_same<double>(op, states, reference, 1e-7, initial, clip);  // schedules are f32
  expect_same<float>(op, states, reference, 1e-6, initial, clip);
}

TEST(Optimizers, Sgd) {
  expect_same(Sgd{.lr = 0.1}, 0, [](Element& e, double g, int) { e.p -= 0.1 * g; });
  for (const bool nesterov : {false, true}) {
    expect_same(Sgd{.lr = 0.1, .momentum = 0.9, .nesterov = nesterov}, 1,
                [nesterov](Element& e, double g, int t) {
                  double& buffer = e.state[0];
                  buffer = t == 1 ? g : 0.9 * buffer + g;
                  e.p -= 0.1 * (nesterov ? g + 0.9 * buffer : buffer);
                });
  }
}

Reference adam(
    double lr, double b1, double b2, double eps, double decay,
    std::function<double(int)> factor = [](int) { return 1.0; }) {
  return [=](Element& e, double g, int t) {
    const double now = lr * factor(t - 1);
    e.p *= 1 - now * decay;
    e.state[0] = b1 * e.state[0] + (1 - b1) * g;
    e.state[1] = b2 * e.state[1] + (1 - b2) * g * g;
    const double correction1 = 1 - std::pow(b1, t), correction2 = 1 - std::pow(b2, t);
    const double denominator = std::sqrt(e.state[1]) / std::sqrt(correction2) + eps;
    e.p -= now / correction1 * e.state[0] / denominator;
  };
}

TEST(Optimizers, Adam) {
  expect_same(Adam{}, 2, adam(1e-3, 0.9, 0.999, 1e-8, 0));
  expect_same(Adam{.lr = 0.05, .beta1 = 0, .beta2 = 0.99, .eps = 1e-4}, 2,
              adam(0.05, 0, 0.99, 1e-4, 0));
  expect_same(Adam{}, 2, adam(1e-3, 0.9, 0.999, 1e-8, 0), 0.1);  // second_moment 0.1
  expect_same(Adam{}, 2, adam(1e-3, 0.9, 0.999, 1e-8, 0), 0, 0.25);
}

TEST(Optimizers, AdamW) {
  expect_same(Adam{.lr = 0.01, .decay = 0.1}, 2, adam(0.01, 0.9, 0.999, 1e-8, 0.1));
}

TEST(Optimizers, ScheduleCountsFromZero) {
  const Schedule halves{.kind = Schedule::Kind::step, .span = 4, .by = 0.5f};
  expect_same(Adam{.lr = 0.01, .decay = 0.1, .schedule = halves}, 2,
              adam(0.01, 0.9, 0.999, 1e-8, 0.1, [](int s) { return std::pow(0.5, s / 4); }));
  expect_same(Sgd{.lr = 0.1, .schedule = {.warmup = 5}}, 0,
              [](Element& e, double g, int t) { e.p -= 0.1 * std::min(1.0, (t - 1) / 5.0) * g; });
}

TEST(Optimizers, RmsProp) {
  expect_same(RmsProp{}, 1, [](Element& e, double g, int) {
    e.state[0] = 0.99 * e.state[0] + 0.01 * g * g;
    e.p -= 1e-2 * g / (std::sqrt(e.state[0]) + 1e-8);
  });
}

TEST(Optimizers, Adagrad) {
  expect_same(Adagrad{}, 1, [](Element& e, double g, int) {
    e.state[0] += g * g;
    e.p -= 1e-2 * g / (std::sqrt(e.state[0]) + 1e-10);
  });
}

Reference adadelta(double lr, double rho, double eps) {
  return [=](Element& e, double g, int) {
    e.state[1] = rho * e.state[1] + (1 - rho) * g * g;
    const double delta = std::sqrt(e.state[0] + eps) / std::sqrt(e.state[1] + eps) * g;
    e.state[0] = rho * e.state[0] + (1 - rho) * delta * delta;
    e.p -= lr * delta;
  };
}

TEST(Optimizers, Adadelta) {
  expect_same(Adadelta{}, 2, adadelta(1, 0.9, 1e-6));
  expect_same(Adadelta{.lr = 1, .rho = 0.95, .eps = 1e-8}, 2, adadelta(1, 0.95, 1e-8));  // Keras
}

// 1 - beta^t without cancellation, early and late in a long training.
TEST(Optimizers, BiasCorrections) {
  for (const uint64_t t : {1, 2, 10, 1000, 100000, 100000000}) {
    HostTensor p(Type{DType::f32, {1}}), m(p.type);
    const HostTensor v = one(4.0f);
    m.as<float>()[0] = 3;
    const auto out = run_op(Adam{.lr = 1}, {one<uint64_t>(0), one(t), p, one(2.0f), m, v});
    const double m1 = 0.9 * 3 + 0.1 * 2, v1 = 0.999 * 4 + 0.001 * 4;
    const double c1 = 1 - std::pow(0.9, t),
                 c2 = -std::expm1(static_cast<double>(t) * std::log(0.999));
    const double want = -m1 / c1 / (std::sqrt(v1) / std::sqrt(c2) + 1e-8);
    EXPECT_NEAR(out[0].as<float>()[0] / want, 1, 1e-6) << "t " << t;
  }
}

TEST(Optimizers, NothingChangesBehindTheLatch) {
  const float nan = std::nanf("");
  const auto vector = [](float v) { return host_tensor<float>({3}, std::vector<float>{v, v, v}); };
  for (const AnyOp& op : {AnyOp(Adam{.decay = 0.1}), AnyOp(Adadelta{})}) {
    const auto out = run_op(op, {one<uint64_t>(5), one<uint64_t>(6), vector(1), vector(nan),
                                 vector(2), vector(3), one(nan)});
    EXPECT_EQ(out[0], vector(1));
    EXPECT_EQ(out[1], vector(2));
    EXPECT_EQ(out[2], vector(3));
  }
  const auto out =
      run_op(Ema{.decay = 0.5}, {one<uint64_t>(1), one<uint64_t>(1), vector(1), vector(nan)});
  EXPECT_EQ(out[0], vector(1));
}

TEST(Optimizers, ZeroPaddingStaysZero) {
  const HostTensor zero(Type{DType::f32, {64}});
  const HostTensor latch = one<uint64_t>(0), step = one<uint64_t>(1);
  EXPECT_EQ(run_op(Adam{.decay = 0.1}, {latch, step, zero, zero, zero, zero})[0], zero);
  EXPECT_EQ(run_op(Adadelta{}, {latch, step, zero, zero, zero, zero})[0], zero);
  EXPECT_EQ(run_op(RmsProp{}, {latch, step, zero, zero, zero})[0], zero);
  EXPECT_EQ(run_op(Adagrad{}, {latch, step, zero, zero, zero})[0], zero);
}

TEST(Optimizers, MomentsEndInZeroNotInDenormals) {
  const auto [p, g, m, v] = std::array{1.0f, 0.0f, 0x1p-126f, 0x1p-100f};
  const std::vector<HostTensor> out =
      run_op(Adam{}, {one<uint64_t>(0), one<uint64_t>(9), one(p), one(g), one(m), one(v)});
  EXPECT_EQ(out[0].as<float>()[0], p);
  EXPECT_EQ(out[1].as<float>()[0], 0.0f);
  EXPECT_GT(out[2].as<float>()[0], 0.0f);
}

TEST(Optimizers, ClipFactor) {
  for (const int64_t n : {1, 1000, 70001}) {
    HostTensor g(Type{DType::f32, {n}});
    double squares = 0;
    for (int64_t i = 0; i < n; ++i) {
      g.as<float>()[i] = normal(1, 0, 2, i);
      squares += std::pow(static_cast<double>(g.as<float>()[i]), 2);
    }
    for (const double max_norm : {0.5, 1e6}) {
      const HostTensor factor = run_op(ClipFactor{max_norm}, {g})[0];
      EXPECT_EQ(factor.type, (Type{DType::f32, {1}}));
      EXPECT_NEAR(factor.as<float>()[0], std::min(1.0, max_norm / (std::sqrt(squares) + 1e-6)),
                  1e-6);
    }
  }
  EXPECT_EQ(run_op(ClipFactor{1}, {HostTensor(Type{DType::f64, {9}})})[0], one(1.0));
}

TEST(Optimizers, Ema) {
  const auto average = [](uint64_t t, float a, float p) {
    return run_op(Ema{.decay = 0.9}, {one<uint64_t>(0), one(t), one(a), one(p)})[0].as<float>()[0];
  };
  EXPECT_EQ(average(1, 0, 5), 5);  // the first step copies
  EXPECT_NEAR(average(2, 1, 5), 0.9 * 1 + 0.1 * 5, 1e-6);
}

Optimizer from_yaml(const std::string& text, const Schedule& schedule = {}) {
  const Value value = parse_yaml(text, "test");
  return make_optimizer(
      resolve_value(value, schema::choice_of(Family::optimizer), "train.optimizer"), schedule);
}

TEST(Optimizers, ChosenInYaml) {
  const Optimizer adam = from_yaml("adam");
  EXPECT_EQ(adam.op, AnyOp(Adam{}));
  EXPECT_EQ(adam.states, (std::vector<std::string>{"m", "v"}));
  EXPECT_EQ(from_yaml("adam: {lr: 0.01, betas: [0.5, 0.9], second_moment: 0.1}").initial, 0.1);
  EXPECT_EQ(from_yaml("{adam: 0.01}").op, AnyOp(Adam{.lr = 0.01}));
  EXPECT_EQ(from_yaml("adamw").op, AnyOp(Adam{.decay = 0.01}));
  EXPECT_EQ(from_yaml("sgd").op, AnyOp(Sgd{}));
  EXPECT_EQ(from_yaml("sgd").states.size(), 0u);
  EXPECT_EQ(from_yaml("sgd: {lr: 0.1, momentum: 0.9, nesterov: true}").states.size(), 1u);
  EXPECT_EQ(from_yaml("rmsprop").op, AnyOp(RmsProp{}));
  EXPECT_EQ(from_yaml("adagrad").op, AnyOp(Adagrad{}));
  EXPECT_EQ(from_yaml("adadelta: {lr: 1, rho: 0.95, eps: 1.0e-8}").op,
            AnyOp(Adadelta{.lr = 1, .rho = 0.95, .eps = 1e-8}));
  const Schedule cosine{.kind = Schedule::Kind::cosine, .span = 100, .to = 0};
  EXPECT_EQ(from_yaml("adam", cosine).op, AnyOp(Adam{.schedule = cosine}));
  EXPECT_THROW(from_yaml("sgd: {nesterov: true}"), UserError);
  EXPECT_THROW(from_yaml("adam: {lr: 0}"), UserError);
}

TEST(Optimizers, Errors) {
  const Type counter{DType::u64, {1}}, vector{DType::f32, {3}};
  const std::vector<Type> good{counter, counter, vector, vector, vector, vector};
  EXPECT_EQ(Adam{}.infer(good), (std::vector<Type>{vector, vector, vector}));
  for (size_t i = 0; i < good.size(); ++i) {
    std::vector<Type> bad = good;
    bad[i] = {DType::f32, {4}};
    EXPECT_THROW(Adam{}.infer(bad), GraphError) << "input " << i;
  }
  EXPECT_THROW(Sgd{}.infer(good), GraphError);
  EXPECT_THROW(Ema{}.infer(good), GraphError);
}

}  // namespace
}  // namespace latent
