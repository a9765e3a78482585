// README.md's "Add an op", built: its text is tests/softsign.cu, and the op is everywhere that an op is.
#include <algorithm>

#include "core/graph/samples.h"
#include "kernels/functions.h"
#include "kernels/ops.h"
#include "tests/interpreter.h"
#include "tests/readme.h"

namespace latent {

Var softsign(Var x);  // the line in kernels/ops.h

namespace {

TEST(AddAnOp, ReadmeShowsWhatIsBuilt) { expect_shown("Add an op", "tests/softsign.cu"); }

TEST(AddAnOp, IsAnOp) {
  Graph graph;
  const Var x = graph.variable(
      {.name = "x", .type = {DType::f32, {3}}, .role = Role::constant, .init = {}, .group = ""});
  const Values leaves{{"x", host_tensor<float>({3}, std::vector<float>{-1, 0, 3})}};
  const auto y = interpret(graph, leaves, *open_device("cpu"), std::vector{softsign(x)});
  EXPECT_EQ(y[0], host_tensor<float>({3}, std::vector<float>{-0.5f, 0, 0.75f}));
}

TEST(AddAnOp, IsAnActivationAndHasSamples) {
  const PointwiseFamily* family = find_pointwise("softsign");
  ASSERT_NE(family, nullptr);
  EXPECT_TRUE(family->activation);
  EXPECT_TRUE(family->linear && family->matmul_gradient && family->output_gradient);
  EXPECT_TRUE(std::ranges::any_of(all_samples(),
                                  [](const Sample& s) { return s.name.starts_with("softsign/"); }));
}

}  // namespace
}  // namespace latent
