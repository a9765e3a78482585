// Sparse rows: the layer and the loss that read them are those of the rows written out.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/graph/passes.h"
#include "core/plan/program.h"
#include "tests/sheet.h"

namespace latent {
namespace {

/// Five rows of four columns: [2 . 1 .] [. . . .] [. 3 . 3] [1 1 1 1] [. . 5 .], the batch is rows 3, 0, 1, 0.
struct Ratings : Sheet {
  CsrRows x{put<int32_t>({4}, {3, 0, 1, 0}), put<uint64_t>({6}, {0, 3, 3, 5, 9, 10}),
            // Row 0 has its first column twice.
            put<int32_t>({10}, {0, 2, 0, 3, 1, 0, 1, 2, 3, 2}),
            put({10}, {0.5f, 1, 1.5f, 3, 3, 1, 1, 1, 1, 5})};
  Var dense = put({4, 4}, {1, 1, 1, 1, 2, 0, 1, 0, 0, 0, 0, 0, 2, 0, 1, 0});
  Var logits = put({4, 4}, {0, 1, 2, 3, 1, 1, 2, 2, -1, 0, 1, 0, 3, 2, 1, 0});
};

TEST(SparseRows, WrittenOut) {
  Ratings s;
  EXPECT_EQ(s.get(csr_dense(s.x, 4)), s.get(s.dense));
}

TEST(SparseRows, LinearIsThatOfDenseRows) {
  Ratings s;
  const Var w = s.put({2, 4}, {1, 2, 3, 4, -1, 0, 2, 0.5f}),
            wt = s.put({4, 2}, {1, -1, 2, 0, 3, 2, 4, 0.5f});
  const Var y = csr_linear(s.x, w), want = linear(s.dense, w);
  EXPECT_EQ(s.get(y), s.get(want));
  EXPECT_EQ(s.get(csr_linear(s.x, wt, false)), s.get(want));
  EXPECT_EQ(s.slope(square(y), w), s.slope(square(want), w));
  EXPECT_THROW(csr_linear({s.x.starts, s.x.starts, s.x.columns, s.x.values}, w), GraphError);
  EXPECT_THROW(csr_linear(s.x, s.row({1, 2})), GraphError);
}

TEST(SparseRows, MultinomialIsThatOfDenseCounts) {
  Ratings s;
  const Var loss = multinomial_nll(s.logits, s.x), want = multinomial_nll(s.logits, s.dense);
  const auto expect_near = [](const std::vector<float>& a, const std::vector<float>& b) {
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5) << i;
  };
  expect_near(s.get(loss), s.get(want));
  EXPECT_EQ(s.get(loss)[2], 0) << "a row without entries";
  expect_near(s.slope(loss, s.logits), s.slope(want, s.logits));
}

TEST(SparseRows, MultinomialAndItsGradientAreOneNode) {
  Ratings s;
  const Var loss = mean(multinomial_nll(s.logits, s.x));
  s.graph.output("loss", loss);
  s.graph.output("slope", gradient(loss, std::vector{s.logits})[0]);
  const Graph after = optimise(s.graph);
  const auto count = [&](const std::string& op) {
    return std::ranges::count_if(after.nodes(),
                                 [&](const Node& n) { return !n.leaf() && n.op.name() == op; });
  };
  EXPECT_EQ(count("multinomial_nll.csr.with_gradient"), 1);
  EXPECT_EQ(count("multinomial_nll.csr"), 0);
  EXPECT_EQ(count("multinomial_nll.csr.gradient"), 0);
}

/// A layer of either kind of weight with its gradient, and the loss: after the passes nobody reads the rows written out.
TEST(SparseRows, ArrayReadersBecomeReadersOfEntries) {
  for (const bool trans_w : {true, false}) {
    Ratings s;
    const Var w = trans_w ? s.put({4, 4}, {1, 2, 0, 4, -1, 0, 2, 0.5f, 1, 1, 2, 0, 0, 1, 3, 1})
                          : s.put({4, 4}, {1, -1, 1, 0, 2, 0, 1, 1, 0, 2, 2, 3, 4, 0.5f, 0, 1}),
              b = s.row({0.5f, -1, 0, 2}), x = csr_dense(s.x, 4);
    const Var loss = mean(multinomial_nll(linear(x, w, b, trans_w), x));
    const std::vector<Var> slopes = gradient(loss, std::vector{w, b});
    s.graph.output("loss", loss);
    s.graph.output("w", slopes[0]);
    s.graph.output("b", slopes[1]);
    const Graph after = optimise(s.graph);
    for (const Node& node : after.nodes())
      EXPECT_FALSE(!node.leaf() && node.op.name() == "csr_dense");
    for (const auto& [name, v] : s.graph.outputs()) {
      const auto found = std::ranges::find(after.outputs(), name, [](auto& o) { return o.first; });
      const HostTensor got = interpret(after, s.leaves, *open_device("cpu"),
                                       std::vector{found->second})[0],
                       want = interpret(s.graph, s.leaves, *open_device("cpu"), std::vector{v})[0];
      for (size_t i = 0; i < want.as<float>().size(); ++i)
        EXPECT_NEAR(got.as<float>()[i], want.as<float>()[i], 1e-5) << name;
    }
  }
}

/// Several predictions of a row are compared with it as an array.
TEST(SparseRows, SamplesAreComparedWithRowsWrittenOut) {
  Ratings s;
  const Var logits = s.put({8, 4}, std::vector<float>(32, 1));
  s.graph.output("loss", mean(multinomial_nll(logits, csr_dense(s.x, 4))));
  const Graph after = optimise(s.graph);
  EXPECT_TRUE(std::ranges::any_of(
      after.nodes(), [](const Node& n) { return !n.leaf() && n.op.name() == "csr_dense"; }));
}

}  // namespace
}  // namespace latent
