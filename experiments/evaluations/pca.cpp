// Principal components beside the model: the exact linear optimum for a code of that size.
#include "core/data/pca.h"

#include <algorithm>

#include "experiments/evaluation.h"

namespace latent {
namespace {

using namespace schema;

/// A code wider than the data is compared with all components.
Metrics run(const EvaluationInput& in) {
  const Value& option = in.choice.option("rank");
  const Experiment& e = in.experiment;
  const int64_t rank = option.is("code") ? elements(e.model->code_shape()) : option.as_int();
  const PcaErrors errors = pca_errors(e.data, in.split, std::min(rank, elements(e.data.shape)));
  return {{"pca.mse", errors.mse},
          {"pca.sse", errors.sse},
          {"pca.explained_variance", errors.explained_variance}};
}

const RegisterEvaluation pca{
    {"pca",
     "the exact linear optimum: pca.mse pca.sse pca.explained_variance",
     {option("rank", words({"code"}) | integer("[1, inf)"), "code",
             "code: the code's number of units")},
     {},
     ""},
    {.names = {},
     .check = [](const Choice&, const Experiment& e) { require_whole_rows(e.data, "pca"); },
     .run = run}};

}  // namespace
}  // namespace latent
