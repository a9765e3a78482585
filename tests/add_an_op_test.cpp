// README.md's "Add an op", built: its text is tests/softsign.cu, and the op is everywhere that an op is.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/graph/samples.h"
#include "kernels/functions.h"
#include "kernels/ops.h"
#include "tests/interpreter.h"

namespace latent {

Var softsign(Var x);  // the line in kernels/ops.h

namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(AddAnOp, ReadmeShowsWhatIsBuilt) {
  const std::string root = LATENT_SOURCE_DIR;
  if (!std::filesystem::exists(root + "/README.md")) GTEST_SKIP() << "no sources here";
  const std::string readme = text_of(root + "/README.md"),
                    file = text_of(root + "/tests/softsign.cu");
  const std::string code =
      file.substr(file.find('\n') + 1);  // without the line that says what it is
  EXPECT_NE(readme.find("```cpp\n" + code + "```"), std::string::npos);
  const size_t begin = readme.find("## Add an op"), end = readme.find("\n## ", begin);
  ASSERT_NE(begin, std::string::npos);
  EXPECT_LT(std::count(readme.begin() + begin, readme.begin() + end, '\n'), 40);
}

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
