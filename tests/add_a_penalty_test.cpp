// README.md's "Add a penalty", built: its text is tests/hoyer.cpp, and the penalty is everywhere that a penalty is.
#include <cmath>

#include "core/config/describe.h"
#include "experiments/trainer.h"
#include "tests/data_files.h"
#include "tests/readme.h"
#include "tests/small_training.h"

namespace latent {
namespace {

TEST(AddAPenalty, ReadmeShowsWhatIsBuilt) { expect_shown("Add a penalty", "tests/hoyer.cpp"); }

TEST(AddAPenalty, IsWhatItsDefinitionSays) {
  Problem p(small_model("encoder: [{dense: 4, activation: relu}], bottleneck: {dense: 2}, "
                        "likelihood: bce, penalties: [{hoyer: 0.5, at: encoder.0}]"),
            3, DType::f64);
  p.leaves.at("encoder.0.weight") = HostTensor(p.leaves.at("encoder.0.weight").type);
  const auto hoyer = [&](std::vector<double> bias) {
    p.leaves.at("encoder.0.bias") = host_tensor<double>({4}, std::span<const double>(bias));
    const Var term = p.forward.terms.back().value;
    return interpret(p.graph, p.leaves, *open_device("cpu"), std::vector{term})[0].as<double>()[0];
  };
  EXPECT_EQ(p.forward.terms.back().name, "hoyer");
  EXPECT_EQ(p.forward.terms.back().weight, 0.5);
  EXPECT_NEAR(hoyer({3, -1, -1, -1}), 1, 1e-9);
  EXPECT_NEAR(hoyer({3, 4, -1, -1}), 7.0 / 5, 1e-9);
  EXPECT_NEAR(hoyer({1, 1, 1, 1}), 2, 1e-9);
  EXPECT_EQ(hoyer({-1, -1, -1, -1}), 0);
}

TEST(AddAPenalty, TrainsAndHasItsColumn) {
  const Experiment e = small_experiment(
      "encoder: [{dense: 16, activation: sigmoid}], bottleneck: {dense: 4}, likelihood: bce, "
      "penalties: [{hoyer: 0.5, at: encoder.0}]",
      "epochs: 40, batch_size: 16, optimizer: {adam: 0.02}");
  const TemporaryFolder folder;
  Store store(open_device("cpu"));
  Watcher nobody;
  EXPECT_EQ(Trainer(e, store, folder.path(), {}, nobody).train(), Outcome::finished);
  const std::string lines = text_of(folder / "metrics.jsonl");
  const auto column = [&](size_t line_begin) {
    return std::stod(lines.substr(lines.find("\"hoyer\":", line_begin) + 8));
  };
  ASSERT_NE(lines.find("\"hoyer\":"), std::string::npos);
  EXPECT_LT(column(lines.rfind("\"epoch\":")), 0.9 * column(0)) << "fewer units are active";
}

TEST(AddAPenalty, IsInInfoParts) {
  EXPECT_NE(describe_parts().find("sum |h| / sqrt(sum h^2)"), std::string::npos);
}

}  // namespace
}  // namespace latent
