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

}  // namespace
}  // namespace latent
