// Training and optimizers against what PyTorch gave: tests/parity/ was recorded by tests/pytorch_parity.py, which makes
// the same rows and weights by the same formulas.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/config/choice.h"
#include "core/config/parse.h"
#include "core/config/resolve.h"
#include "core/config/schedules.h"
#include "core/device/device.h"
#include "core/io/safetensors.h"
#include "kernels/optimizer/optimizer.h"
#include "tests/command.h"
#include "tests/run_op.h"

namespace latent {
namespace {

using Json = nlohmann::json;

/// The recorded cases; none where the file is not there, as this is asked before main begins.
Json recorded(const std::string& file) {
  const std::string text =
      bytes_of(std::filesystem::path(LATENT_SOURCE_DIR) / "tests/parity" / file);
  return text.empty() ? Json::array() : Json::parse(text);
}

/// The recorded case of that name.
Json recorded(const std::string& file, const std::string& name) {
  for (const Json& each : recorded(file))
    if (each["name"] == name) return each;
  throw std::runtime_error(cat(file, ": has no ", name));
}

std::vector<std::string> recorded_names(const std::string& file) {
  std::vector<std::string> names;
  for (const Json& each : recorded(file)) names.push_back(each["name"]);
  return names;
}

// ---- Numbers that are exact in Python and C++ --------------------------------------------------------------------

/// 24 bits: the finaliser of SplitMix64 over a counter.
int64_t bits(uint64_t stream, uint64_t i) {
  uint64_t z = (i + 1 + (stream << 32)) * 0x9E3779B97F4A7C15;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
  z = (z ^ z >> 27) * 0x94D049BB133111EB;
  return static_cast<int64_t>((z ^ z >> 31) >> 40);
}

/// A real in [-bound, bound).
double uniform(uint64_t stream, uint64_t i, double bound) {
  return (static_cast<double>(bits(stream, i)) / 8388608 - 1) * bound;
}

/// [512, 784] u8: a grey rectangle on noise in each image of 28 x 28.
HostTensor make_rows() {
  constexpr int64_t kRows = 512, kSide = 28;
  HostTensor rows(Type{DType::u8, {kRows, kSide * kSide}});
  for (int64_t i = 0; i < rows.type.elements(); ++i) {
    const int64_t image = i / (kSide * kSide), y = i / kSide % kSide, x = i % kSide;
    const auto drawn = [&](int k) { return bits(0, image * 5 + k); };
    const int64_t top = drawn(0) % 16, left = drawn(1) % 16;
    const int64_t height = 4 + drawn(2) % 9, width = 4 + drawn(3) % 9;
    const bool inside = y >= top && y < top + height && x >= left && x < left + width;
    const int64_t grey = inside ? 128 + drawn(4) % 96 : 0;
    rows.as<uint8_t>()[i] = static_cast<uint8_t>(grey + bits(1, i) % 32);
  }
  return rows;
}

/// Weights and biases of torch.nn.Sequential(Linear, ReLU, Linear, ...), by its names.
SafeTensors make_weights(const std::vector<int64_t>& widths) {
  SafeTensors file;
  uint64_t stream = 2;
  for (size_t layer = 0; layer + 1 < widths.size(); ++layer) {
    const int64_t in = widths[layer], out = widths[layer + 1];
    const double bound = 1 / std::sqrt(static_cast<double>(in));
    for (const auto& [kind, shape] : {std::pair("weight", Shape{out, in}), {"bias", Shape{out}}}) {
      HostTensor tensor(Type{DType::f32, shape});
      for (int64_t i = 0; i < tensor.type.elements(); ++i)
        tensor.as<float>()[i] = static_cast<float>(uniform(stream, i, bound));
      file.tensors.push_back({cat(2 * layer, ".", kind), tensor});
      ++stream;
    }
  }
  return file;
}

// ---- Training ----------------------------------------------------------------------------------------------------

/// An experiment file; JSON is YAML.
Json experiment_of(const Json& model, const Json& optimizer, const std::string& device, int steps,
                   const Json& rename) {
  Json init = {{"file", "weights.safetensors"}};
  if (!rename.empty()) init["rename"] = rename;
  return {{"name", "parity"},
          {"device", device},
          {"data",
           {{"source", "safetensors"},
            {"path", "rows.safetensors"},
            {"key", "rows"},
            {"scale", "unit"},
            {"split", "ordered"},
            {"validation", "none"},
            {"test", "none"}}},
          {"model", model},
          {"train",
           {{"steps", steps},
            {"batch_size", 64},
            {"shuffle", false},
            {"validate", 1},
            {"optimizer", optimizer},
            {"init", init}}},
          {"evaluate", Json::array()},
          {"figures", Json::array()}};
}

/// Of a dense model.
Json experiment(const Json& record, const std::string& device, int steps) {
  const std::vector<int64_t> widths = record["widths"];
  const size_t half = widths.size() / 2;
  Json encoder = Json::array(), rename;
  for (size_t i = 1; i < half; ++i)
    encoder.push_back({{"dense", widths[i]}, {"activation", "relu"}});
  for (size_t layer = 0; layer + 1 < widths.size(); ++layer)
    rename[std::to_string(2 * layer)] = layer + 1 < half   ? cat("encoder.", layer)
                                        : layer + 1 > half ? cat("decoder.", layer - half)
                                                           : "bottleneck";
  const Json model = {{"encoder", encoder},
                      {"bottleneck", {{"dense", widths[half]}, {"activation", "relu"}}},
                      {"likelihood", "bce"}};
  return experiment_of(model, record["optimizer"], device, steps, rename);
}

/// Runs that log the loss of every step.
class Parity : public CommandTest {
 protected:
  void expect_losses(const Json& record, int steps) {
    std::istringstream lines(bytes_of(at("runs/parity/seed-0/metrics.jsonl")));
    int step = 0;
    for (std::string line; std::getline(lines, line); ++step) {
      const double ours = Json::parse(line)["train"]["loss"], theirs = record["losses"][step];
      EXPECT_NEAR(ours / theirs, 1, step < 20 ? 1e-5 : 1e-3) << "step " << step + 1;
    }
    EXPECT_EQ(step, steps);
  }
};

class TrainingParity : public Parity, public ::testing::WithParamInterface<std::string> {
 protected:
  void expect_parity(const std::string& device, int steps, const Environment& environment = {}) {
    const Json record = recorded("trainings.json", GetParam());
    write_safetensors(at("rows.safetensors"), {.tensors = {{"rows", make_rows()}}});
    write_safetensors(at("weights.safetensors"), make_weights(record["widths"]));
    write_text("parity.yaml", experiment(record, device, steps).dump());
    run("parity.yaml", {}, environment);

    expect_losses(record, steps);
  }
};

INSTANTIATE_TEST_SUITE_P(, TrainingParity, ::testing::ValuesIn(recorded_names("trainings.json")),
                         [](const auto& info) { return info.param; });

TEST_P(TrainingParity, LossesArePyTorchs) { expect_parity("cpu", 100); }

TEST_P(TrainingParity, LossesArePyTorchsOnAGpu) {
  if (gpu_count() == 0) GTEST_SKIP() << "no GPU";
  const std::string device = open_device("auto")->name();
  // CUDA sources on the host take their time: a few steps of the simple model tell whether its kernels train.
  if (device != "simt") return expect_parity(device, 100);
  if (!GetParam().starts_with("simple")) GTEST_SKIP() << "the simple model stands for the deep one";
  expect_parity(device, 3, {{"LATENT_SIMT_ORDERS", "1"}});
}

// ---- Variants: other codes, penalties, layers --------------------------------------------------------------------

constexpr int kVariantSteps = 100;

/// Tensors by our names, each uniform within 0.1, drawn from a stream of its place.
SafeTensors make_variant_weights(const Json& record) {
  SafeTensors file;
  uint64_t stream = 100;
  for (const Json& named : record["tensors"]) {
    HostTensor tensor(Type{DType::f32, named[1].get<Shape>()});
    for (int64_t i = 0; i < tensor.type.elements(); ++i)
      tensor.as<float>()[i] = static_cast<float>(uniform(stream, i, 0.1));
    file.tensors.push_back({named[0], tensor});
    ++stream;
  }
  return file;
}

class VariantParity : public Parity, public ::testing::WithParamInterface<std::string> {};

INSTANTIATE_TEST_SUITE_P(, VariantParity, ::testing::ValuesIn(recorded_names("variants.json")),
                         [](const auto& info) { return info.param; });

TEST_P(VariantParity, LossesArePyTorchs) {
  const Json record = recorded("variants.json", GetParam());
  write_safetensors(at("rows.safetensors"), {.tensors = {{"rows", make_rows()}}});
  write_safetensors(at("weights.safetensors"), make_variant_weights(record));
  Json experiment = experiment_of(record["model"], record["optimizer"], "cpu", kVariantSteps, {});
  experiment["data"]["shape"] = record["shape"];
  write_text("parity.yaml", experiment.dump());
  run("parity.yaml", {}, {});
  expect_losses(record, kVariantSteps);
}

// ---- Optimizers and schedules by themselves ----------------------------------------------------------------------

class OptimizerParity : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(, OptimizerParity, ::testing::ValuesIn(recorded_names("optimizers.json")),
                         [](const auto& info) { return info.param; });

Value choice_of(Family family, const Json& choice) {
  return resolve_value(parse_yaml(choice.dump(), "test"), schema::choice_of(family), "test");
}

/// Minimises 1/2 sum a (p - b)^2 and looks at p after some steps.
template <class T>
void expect_same_path(const Json& record, double tolerance) {
  const std::vector<int> at = record["steps"];
  const std::vector<std::vector<double>> want = record["p"];
  const int64_t size = static_cast<int64_t>(want[0].size());
  const Optimizer optimizer =
      make_optimizer(choice_of(Family::optimizer, record["optimizer"]),
                     as_schedule(choice_of(Family::schedule, record["schedule"]), 10, at.back()));
  const Type vector{DTypeOf<T>::value, {size}};
  std::vector<HostTensor> in{one<uint64_t>(0), one<uint64_t>(0)};
  in.resize(4 + optimizer.states.size(), HostTensor(vector));
  const std::span<T> p = in[2].as<T>();
  for (int64_t i = 0; i < size; ++i) p[i] = static_cast<T>(uniform(0, i, 1));
  for (int step = 1, snapshot = 0; step <= at.back(); ++step) {
    in[1] = one(static_cast<uint64_t>(step));
    for (int64_t i = 0; i < size; ++i)
      in[3].as<T>()[i] =
          static_cast<T>((i + 1) / 4.0) * (in[2].as<T>()[i] - static_cast<T>(uniform(1, i, 1)));
    const std::vector<HostTensor> out = run_op(optimizer.op, in);
    in[2] = out[0];
    for (size_t k = 1; k < out.size(); ++k) in[3 + k] = out[k];
    if (step != at[snapshot]) continue;
    for (int64_t i = 0; i < size; ++i)
      EXPECT_NEAR(in[2].as<T>()[i], want[snapshot][i], tolerance) << "step " << step << ", " << i;
    ++snapshot;
  }
}

TEST_P(OptimizerParity, StepsArePyTorchs) {
  const Json record = recorded("optimizers.json", GetParam());
  expect_same_path<double>(record, 1e-6);  // schedules are f32
  expect_same_path<float>(record, 1e-5);
}

}  // namespace
}  // namespace latent
