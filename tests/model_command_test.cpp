// The commands that use a trained model, and those that tell what there is.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/data/rows_file.h"
#include "tests/command.h"

namespace latent {
namespace {

class ModelCommandTest : public CommandTest {
 protected:
  HostTensor rows(const std::string& file) const { return read_rows(at(file)).dense(); }

  /// `latent COMMAND RUN -o OUTPUT MORE`, and what it wrote.
  HostTensor result(const std::string& command, const std::string& model, const std::string& output,
                    const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{command, model, "-o", output};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Output ran = latent(arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return rows(output);
  }

  const std::string folder_name_ = "runs/tiny/seed-0";
};

double largest_difference(const HostTensor& a, const HostTensor& b) {
  EXPECT_EQ(a.type.elements(), b.type.elements());
  double largest = 0;
  for (size_t i = 0; i < a.as<float>().size(); ++i)
    largest = std::max<double>(largest, std::abs(a.as<float>()[i] - b.as<float>()[i]));
  return largest;
}

/// Numbers in data with a scale and a shift of their own in each column.
HostTensor measured(int64_t n) {
  HostTensor data(Type{DType::f32, {n, 4}});
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < 4; ++j)
      data.as<float>()[i * 4 + j] =
          static_cast<float>(std::pow(10, j) * (std::sin(0.7 * i + 0.2 * j) + 3));
  return data;
}

TEST_F(ModelCommandTest, ReconstructIsDecodeOfEncode) {
  write("tiny.yaml", {.train = "{epochs: 3, batch_size: 32}"});
  run("tiny.yaml");
  const HostTensor codes = result("encode", folder_name_, "codes.npy");
  EXPECT_EQ(codes.type.shape, (Shape{60, 8}));
  const HostTensor decoded = result("decode", folder_name_, "decoded.npy", {"--data", "codes.npy"});
  const HostTensor whole = result("reconstruct", folder_name_, "whole.npy");
  EXPECT_EQ(whole.type.shape, (Shape{60, 28, 28, 1}));
  // In the data's units: pixels of 0 to 255.
  EXPECT_LE(largest_difference(decoded, whole) / 255, 1e-5);
  EXPECT_GT(std::ranges::max(whole.as<float>()), 10);
  EXPECT_LE(std::ranges::max(whole.as<float>()), 255);

  // A weights file alone is enough; formats agree; rows in a file give what they give as test rows.
  const std::string weights = folder_name_ + "/last.safetensors";
  std::filesystem::copy_file(at(weights), at("alone.safetensors"));
  std::filesystem::rename(at("runs"), at("gone"));
  for (const char* output : {"again.npy", "again.csv", "again.safetensors"})
    EXPECT_EQ(largest_difference(result("encode", "alone.safetensors", output), codes), 0)
        << output;
  const HostTensor once =
      result("encode", "alone.safetensors", "once.npy", {"--data", "whole.npy"});
  EXPECT_EQ(once.type.shape, (Shape{60, 8}));
  HostTensor one(Type{DType::f32, {1, 784}});
  std::ranges::copy_n(whole.as<float>().begin() + 7 * 784, 784, one.as<float>().begin());
  write_rows(at("one.npy"), one);
  const HostTensor code = result("encode", "alone.safetensors", "code.npy", {"--data", "one.npy"});
  for (size_t i = 0; i < 8; ++i)
    EXPECT_NEAR(code.as<float>()[i], once.as<float>()[7 * 8 + i], 1e-4) << i;
}

TEST_F(ModelCommandTest, ReconstructionsComeBackInTheDataUnits) {
  const HostTensor data = measured(80);
  write_rows(at("rows.csv"), data);
  write("tiny.yaml",
        {.data = "{source: csv, path: rows.csv, scale: standard, test: train, validation: none}",
         .model = "{bottleneck: {dense: 3}, likelihood: mse}",
         .train = "{steps: 1500, batch_size: 40, optimizer: {adam: 0.01}}"});
  run("tiny.yaml");
  const HostTensor made = result("reconstruct", folder_name_, "made.npy", {"--data", "rows.csv"});
  for (int64_t i = 0; i < data.type.elements(); ++i)
    EXPECT_NEAR(made.as<float>()[i], data.as<float>()[i], 0.2 * std::pow(10, i % 4)) << i;
}

/// The number behind a metric's name in a printed table.
double printed(const std::string& table, const std::string& metric) {
  const size_t line = table.find("\n" + metric + " ");
  if (line == std::string::npos) return NAN;
  return std::strtod(table.c_str() + line + 1 + metric.size(), nullptr);
}

TEST_F(ModelCommandTest, EvaluatePrintsTheTestMetrics) {
  write("tiny.yaml", {.train = "{epochs: 6, batch_size: 32, stop: {patience: 2}}"});
  run("tiny.yaml");
  const Output output = latent({"evaluate", folder_name_});
  ASSERT_EQ(output.code, 0) << output.err;
  const auto test =
      nlohmann::json::parse(bytes_of(at(folder_name_ + "/summary.json")))["metrics"]["test"];
  for (const char* metric : {"loss", "bce", "mse", "mae", "sse", "l0", "explained_variance"})
    EXPECT_NEAR(printed(output.out, metric), test[metric], 1e-3 * std::abs(double(test[metric])))
        << metric << output.out;

  const Output pca = latent({"evaluate", folder_name_, "--set", "evaluate=[reconstruction, pca]"});
  EXPECT_EQ(pca.code, 0) << pca.err;
  EXPECT_NE(pca.out.find("pca"), std::string::npos) << pca.out;
  // Its own reconstructions are not its test rows.
  result("reconstruct", folder_name_, "made.npy");
  const Output other = latent({"evaluate", folder_name_, "--data", "made.npy"});
  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_NE(printed(other.out, "mse"), printed(output.out, "mse"));
}

TEST_F(ModelCommandTest, PlanListsNineLaunchesAStep) {
  const std::string simple = std::string(LATENT_SOURCE_DIR) + "/experiments/article/simple.yaml";
  const Output plan = latent({"plan", std::filesystem::absolute(simple).string(), "--set",
                              "data={source: strokes, count: 600}"});
  ASSERT_EQ(plan.code, 0) << plan.err;
  for (const char* part : {"MFLOP", "arena", "without reuse", "H200", "decoder.0"})
    EXPECT_NE(plan.out.find(part), std::string::npos) << plan.out << part;
  const size_t last = plan.out.rfind('\n', plan.out.size() - 2) + 1;
  EXPECT_TRUE(plan.out.ends_with(" launches a step\n")) << plan.out;
  const int launches = std::stoi(plan.out.substr(last));
  EXPECT_GT(launches, 0);
  EXPECT_LE(launches, 9) << plan.out;
  EXPECT_FALSE(exists("runs"));
  expect_refused(latent({"plan", simple, "--gpu", "K80"}), {"K80", "H200"});
}

TEST_F(ModelCommandTest, ProfileTellsTheTimeOfEveryKernel) {
  const std::string simple = std::string(LATENT_SOURCE_DIR) + "/experiments/article/simple.yaml";
  const Output profile = latent({"profile", std::filesystem::absolute(simple).string(), "--device",
                                 "cpu", "--set", "data={source: strokes, count: 600}"});
  ASSERT_EQ(profile.code, 0) << profile.err;
  for (const char* part :
       {"gather", "bernoulli_nll", "adam", "decoder.0", "library", "node by node"})
    EXPECT_NE(profile.out.find(part), std::string::npos) << profile.out << part;
  EXPECT_FALSE(exists("runs"));
}

TEST_F(ModelCommandTest, InfoTellsWhatThereIs) {
  const struct {
    std::vector<std::string> arguments;
    std::vector<const char*> parts;
  } commands[] = {
      {{"--version"}, {"latent ", "commit "}},
      {{"info"}, {"latent ", "cpu", "latent info parts"}},
      {{"info", "parts"}, {"dense", "bernoulli", "adamw", "weight_decay", "mirror", "cosine"}},
      {{"info", "data"}, {"strokes", "mnist", "npy", "not there"}},
      {{"info", "metrics"}, {"explained_variance", "bce", "nats"}},
      {{"info", "devices"}, {"cpu"}},
      {{"data", "list"}, {"strokes", "fashion-mnist"}},
      {{"run", "--help"}, {"--resume", "--overwrite", "--dry-run", "--check", "--out"}},
  };
  for (const auto& [arguments, parts] : commands) {
    const Output output = latent(arguments);
    EXPECT_EQ(output.code, 0) << output.err;
    for (const char* part : parts)
      EXPECT_NE(output.out.find(part), std::string::npos) << output.out << part;
  }
}

}  // namespace
}  // namespace latent
