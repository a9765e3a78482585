// The thesis: every autoencoder is a choice of six parts, and the parts combine. All pairs of (corruption, bottleneck,
// likelihood, penalty, layer) that are valid train, with the right gradient; the others are refused with a reason.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/base/spelling.h"
#include "core/config/registry.h"
#include "core/graph/autodiff.h"
#include "experiments/evaluator.h"
#include "kernels/ops.h"
#include "tests/small_training.h"

namespace latent {
namespace {

enum Factor { kCorruption, kBottleneck, kLikelihood, kPenalty, kLayer, kFactors };
using Names = std::vector<std::string>;
using Combination = std::array<std::string, kFactors>;

Names built(Family family) {
  Names names;
  for (const std::string& name : names_of(family))
    if (find_choice(family, name)->unbuilt.empty()) names.push_back(name);
  return names;
}

/// By factor, all names; corruption and penalty may be left out.
const std::array<Names, kFactors>& levels() {
  static const std::array<Names, kFactors> all = [] {
    std::array<Names, kFactors> result{built(Family::corruption), built(Family::bottleneck),
                                       built(Family::likelihood), built(Family::penalty),
                                       built(Family::layer)};
    result[kCorruption].push_back("none");
    result[kPenalty].push_back("none");
    return result;
  }();
  return all;
}

bool one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::ranges::any_of(names, [&](const char* n) { return name == n; });
}

/// What cannot go together, and words of the reason that is given.
std::string refusal(const Combination& c) {
  const bool drawn = c[kBottleneck] == "gaussian";
  if (one_of(c[kPenalty], {"kl", "total_correlation"}) && !drawn) return "gaussian";
  if (c[kPenalty] == "jacobian" && c[kLayer] == "batch_norm")
    return "each row depend on the others";
  if (c[kPenalty] == "kl_sparsity" && c[kBottleneck] != "dense") return "(0, 1)";
  return "";
}

// ---- Combinations that hold every valid pair ---------------------------------------------------------------------

using Choices = std::array<int, kFactors>;  ///< places in levels()

Combination names_of(const Choices& c) {
  Combination names;
  for (int f = 0; f < kFactors; ++f) names[f] = levels()[f][c[f]];
  return names;
}

/// Pairs of names of two factors that no combination holds yet.
class OpenPairs {
 public:
  OpenPairs() {
    for (int a = 0; a < kFactors; ++a)
      for (int b = a + 1; b < kFactors; ++b)
        open_[a][b].assign(levels()[a].size() * levels()[b].size(), 1);
  }
  char& at(int a, int x, int b, int y) { return open_[a][b][x * levels()[b].size() + y]; }
  long count(const Choices& c) {
    long n = 0;
    for (int a = 0; a < kFactors; ++a)
      for (int b = a + 1; b < kFactors; ++b) n += at(a, c[a], b, c[b]);
    return n;
  }
  void close(const Choices& c) {
    for (int a = 0; a < kFactors; ++a)
      for (int b = a + 1; b < kFactors; ++b) at(a, c[a], b, c[b]) = 0;
  }

 private:
  std::array<std::array<std::vector<char>, kFactors>, kFactors> open_;
};

/// Completes c around its factors a and b so that it covers most of `open`, among what is valid; false where nothing is.
bool complete(Choices& c, int a, int b, OpenPairs& open) {
  Choices best{};
  long most = -1;
  const auto choose = [&](auto&& self, int factor, Choices now) -> void {
    if (factor == kFactors) {
      const long covers = open.count(now);
      if (covers > most && refusal(names_of(now)).empty()) most = covers, best = now;
      return;
    }
    if (factor == a || factor == b) return self(self, factor + 1, now);
    for (int i = 0; i < static_cast<int>(levels()[factor].size()); ++i) {
      now[factor] = i;
      self(self, factor + 1, now);
    }
  };
  choose(choose, 0, c);
  if (most >= 0) c = best;
  return most >= 0;
}

struct Cover {
  std::vector<Combination> valid;
  std::vector<Combination> invalid;  ///< one for each pair that stands in no valid combination
};

/// The place of a name, where there is none of the first.
int place(int factor, const char* name) {
  const auto found = std::ranges::find(levels()[factor], name);
  return found == levels()[factor].end() ? 0 : static_cast<int>(found - levels()[factor].begin());
}

Cover cover() {
  Cover result;
  OpenPairs open;
  const Choices simple{place(kCorruption, "none"), place(kBottleneck, "dense"),
                       place(kLikelihood, "mse"), place(kPenalty, "none"), place(kLayer, "dense")};
  for (int a = 0; a < kFactors; ++a)
    for (int b = a + 1; b < kFactors; ++b)
      for (int x = 0; x < static_cast<int>(levels()[a].size()); ++x)
        for (int y = 0; y < static_cast<int>(levels()[b].size()); ++y) {
          if (!open.at(a, x, b, y)) continue;
          Choices c = simple;
          c[a] = x, c[b] = y;
          if (complete(c, a, b, open)) {
            open.close(c);
            result.valid.push_back(names_of(c));
          } else {
            result.invalid.push_back(names_of(c));
          }
        }
  return result;
}

// ---- A small model of each combination ---------------------------------------------------------------------------

/// Rows that the layer takes, and the encoder around it.
struct Around {
  Shape row;
  std::string encoder;
};

Around around(const std::string& layer) {
  if (one_of(layer, {"conv", "conv_transpose"}))
    return {{4, 4, 2}, cat("{", layer, ": {channels: 3, activation: tanh}}")};
  if (one_of(layer, {"max_pool", "avg_pool", "upsample"}))
    return {{4, 4, 2}, cat("{", layer, ": 2}, flatten")};
  if (layer == "flatten") return {{4, 4, 2}, "flatten, {dense: {units: 6, activation: tanh}}"};
  if (layer == "reshape")
    return {{32}, "{reshape: [4, 4, 2]}, {dense: {units: 6, activation: tanh}}"};
  if (one_of(layer, {"lstm", "gru", "rnn"})) return {{4, 2}, cat("{", layer, ": 5}")};
  if (layer == "repeat") return {{8}, "{repeat: 3}, {dense: {units: 6, activation: tanh}}"};
  if (layer == "dense") return {{8}, "{dense: {units: 6, activation: tanh}}"};
  if (layer == "dropout") return {{8}, "{dense: {units: 6, activation: tanh}}, {dropout: 0.2}"};
  return {{8}, cat("{dense: 6}, ", layer)};
}

/// Penalties have a hundredth of the weight, and a drawn code its divergence too, where `faint`.
std::string model_of(const Combination& c, bool faint = false) {
  std::string text = cat("encoder: [", around(c[kLayer]).encoder, "], decoder: [], ");
  if (c[kBottleneck] == "identity")
    text += "bottleneck: identity, ";
  else if (c[kBottleneck] == "topk")
    text += "bottleneck: {topk: {units: 5, k: 2}}, ";
  else
    text += cat("bottleneck: {", c[kBottleneck], ": {units: 3",
                c[kBottleneck] == "dense" ? ", activation: sigmoid" : "", "}}, ");
  text += cat("likelihood: ", c[kLikelihood]);
  if (c[kCorruption] != "none")
    text +=
        cat(", corruption: {", c[kCorruption], c[kCorruption] == "gaussian" ? ": 0.1}" : ": 0.3}");
  Names penalties;
  const char* weight = faint ? ": 0.0001}" : ": 0.01}";
  if (c[kPenalty] != "none") penalties.push_back(cat("{", c[kPenalty], weight));
  if (faint && c[kBottleneck] == "gaussian" && c[kPenalty] != "kl")
    penalties.push_back(cat("{kl", weight));
  return cat(text, ", penalties: [", join(penalties, ", "), "]");
}

std::string name_of(const Combination& c) {
  return cat(c[kCorruption], " x ", c[kBottleneck], " x ", c[kLikelihood], " x ", c[kPenalty],
             " x ", c[kLayer]);
}

/// v . direction over all of v, with drawn directions.
Var along(Problem& p, const std::vector<Var>& vs) {
  Var total;
  for (size_t i = 0; i < vs.size(); ++i) {
    const Var term = sum(vs[i] * p.constant(cat("direction.", i), vs[i].type()));
    total = total ? total + term : term;
  }
  return total;
}

double number(const Problem& p, Var scalar) {
  return interpret(p.graph, p.leaves, *open_device("cpu"), std::vector{scalar})[0].as<double>()[0];
}

void expect_right_gradient(const Combination& c) {
  Problem p(small_model(model_of(c), around(c[kLayer]).row), 3, DType::f64);
  const double slope = number(p, along(p, gradient(p.loss, p.parameters)));
  const double step = 1e-6;
  double values[2];
  for (const int side : {0, 1}) {
    const Values saved = p.leaves;
    for (size_t i = 0; i < p.parameters.size(); ++i) {
      const auto move = p.leaves.at(cat("direction.", i)).as<double>();
      const auto at = p.leaves.at(p.name_of(p.parameters[i])).as<double>();
      for (size_t j = 0; j < at.size(); ++j) at[j] += (side ? step : -step) * move[j];
    }
    values[side] = number(p, p.loss);
    p.leaves = saved;
  }
  const double difference = (values[1] - values[0]) / (2 * step);
  EXPECT_NEAR(slope, difference, 1e-6 * (1 + std::abs(slope) + std::abs(values[0])));
}

/// Rows in [0.05, 0.95], points of a plane: two numbers tell all of one.
HostTensor planar_rows(int64_t n, const Shape& row) {
  Shape shape{n};
  shape.insert(shape.end(), row.begin(), row.end());
  HostTensor rows(Type{DType::f32, shape}), place(Type{DType::f32, {n, 2}});
  std::mt19937_64 engine(1);
  draw(place, engine, -1, 1);
  const int64_t width = elements(row);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t k = 0; k < width; ++k) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(k) / width;
      rows.as<float>()[i * width + k] =
          static_cast<float>(0.5 + 0.3 * (place.as<float>()[2 * i] * std::cos(angle) +
                                          place.as<float>()[2 * i + 1] * std::sin(angle)));
    }
  return rows;
}

/// Its rows have the shape that the layer takes.
Experiment experiment_of(const Combination& c, const std::string& model, int count = 20,
                         const char* train = "batch_size: 4") {
  Experiment e =
      small_experiment("bottleneck: {dense: 3}, likelihood: mse", cat("epochs: 1, ", train), count);
  const Shape row = around(c[kLayer]).row;
  e.config.set("model", resolved(model).at("model"));
  for (StoredRows* rows : {&e.data.train, &e.data.validation, &e.data.test})
    *rows = planar_rows(rows->count(), row);
  e.data.shape = row;
  e.data.shift = HostTensor(Type{DType::f32, {1}});
  e.data.scale = host_tensor<float>({1}, std::vector<float>{1});
  e.model = std::make_unique<Model>(e.config.at("model"), row, e.seed);
  return e;
}

void expect_trains(const Combination& c) {
  const Experiment e = experiment_of(c, model_of(c));
  Training training(e);
  training.program.run(3);
  // Another program that begins where a first one stopped ends with the same bits.
  Training first(e), second(e);
  first.program.run(1);
  for (const auto& [name, value] : first.values()) second.store.write(name, value);
  second.program.run(2);
  EXPECT_EQ(training.values(), second.values());
  EXPECT_EQ(training.counter("latch"), 0u);
  EXPECT_EQ(training.counter("step"), 3u);
  EXPECT_TRUE(std::isfinite(training.take_loss()));
}

TEST(Composition, EveryValidPairTrainsWithTheRightGradient) {
  const Cover all = cover();
  ASSERT_GT(all.valid.size(), 50u);
  for (const Combination& c : all.valid) {
    SCOPED_TRACE(cat(name_of(c), ": ", model_of(c)));
    try {
      expect_right_gradient(c);
      expect_trains(c);
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

/// Every part by itself, in a model of simple ones. The drawn ones are judged by clean input, nothing drawn.
TEST(Composition, EveryPartLearnsThirtyTwoRows) {
  const Combination simple{"none", "dense", "mse", "none", "dense"};
  for (int factor = 0; factor < kFactors; ++factor) {
    if (factor == kLikelihood) continue;  // each has its own least value: see Overfits
    for (const std::string& name : levels()[factor]) {
      Combination c = simple;
      c[factor] = name;
      if (refusal(c) == "gaussian") c[kBottleneck] = "gaussian";
      const std::string model = model_of(c, true);
      SCOPED_TRACE(cat(name_of(c), ": ", model));
      const Experiment e = experiment_of(c, model, 40, "batch_size: 32, optimizer: {adam: 0.02}");
      Training training(e);
      training.program.run(600);
      const Metrics metrics =
          Evaluator(e, training.store, "train", false).run(e.config.at("evaluate").list());
      const double explained =
          std::ranges::find(metrics, "explained_variance", &Metrics::value_type::first)->second;
      EXPECT_GT(explained, 0.7);
    }
  }
}

TEST(Composition, OtherPairsAreRefusedWithAReason) {
  for (const Combination& c : cover().invalid) {
    SCOPED_TRACE(cat(name_of(c), ": ", model_of(c)));
    try {
      expect_trains(c);
      ADD_FAILURE() << "was taken";
    } catch (const UserError& error) {
      EXPECT_NE(std::string(error.what()).find(refusal(c)), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace latent
