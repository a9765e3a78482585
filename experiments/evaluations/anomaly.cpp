// Anomaly detection: rows that the model explains badly are anomalies. Their score is held against the labels, and against
// a threshold that the training rows alone give; beside it stand two scores that nothing was trained for.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/data/moments.h"
#include "core/data/pca.h"
#include "core/report/detection.h"
#include "experiments/evaluation.h"

namespace latent {
namespace {

using namespace schema;

const RegisterChoice contamination{
    Family::threshold,
    {"contamination",
     "that share of the training rows would be called anomalies",
     {required("rate", real("(0, 1)"), "share of the training rows")},
     {},
     ""}};
const RegisterChoice quantile_choice{Family::threshold,
                                     {"quantile",
                                      "that quantile of the training scores",
                                      {required("q", real("[0, 1]"), "0.95: 95 % lie below")},
                                      {},
                                      ""}};
const RegisterChoice deviations{Family::threshold,
                                {"std",
                                 "mean of the training scores plus n standard deviations",
                                 {required("n", real(), "how many")},
                                 {},
                                 ""}};
const RegisterChoice value{
    Family::threshold,
    {"value", "the threshold itself", {required("at", real(), "in the score's units")}, {}, ""}};

double threshold_of(const Choice& choice, const std::vector<double>& scores) {
  if (choice.name == "value") return choice.option("at").as_real();
  if (choice.name == "contamination") return quantile(scores, 1 - choice.option("rate").as_real());
  if (choice.name == "quantile") return quantile(scores, choice.option("q").as_real());
  const double n = static_cast<double>(scores.size());
  const double mean = std::accumulate(scores.begin(), scores.end(), 0.0) / n;
  double squares = 0;
  for (const double score : scores) squares += (score - mean) * (score - mean);
  return mean + choice.option("n").as_real() * std::sqrt(squares / n);
}

const std::vector<int64_t>& labels_of(const DataSet& data, const std::string& split) {
  return split == "train"        ? data.train_labels
         : split == "validation" ? data.validation_labels
                                 : data.test_labels;
}

/// By name of the label, which names are normal: `data.normal`.
std::vector<bool> anomalous_rows(const Experiment& e, const std::string& split) {
  const std::vector<std::string> normal = read_data_options(e.config.at("data"), e.seed).normal;
  std::vector<bool> anomalous;
  for (const int64_t label : labels_of(e.data, split))
    anomalous.push_back(std::ranges::find(normal, e.data.label_names.at(
                                                      static_cast<size_t>(label))) == normal.end());
  return anomalous;
}

/// Squared distance of each scaled row from the mean of the training rows.
std::vector<double> distances(const Experiment& e, const StoredRows& rows) {
  const std::vector<double> mean = moments_of(e.data.train, e.data.shift, e.data.scale).mean;
  std::vector<double> out(static_cast<size_t>(rows.count()));
  for_each_block(rows, e.data.shift, e.data.scale, [&](size_t block, const float* x, int64_t n) {
    double* sums = out.data() + static_cast<int64_t>(block) * kMomentRows;
    for (int64_t r = 0; r < n; ++r, x += mean.size())
      for (size_t k = 0; k < mean.size(); ++k) sums[r] += (x[k] - mean[k]) * (x[k] - mean[k]);
  });
  return out;
}

std::string score_of(const Choice& choice, const Experiment& e) {
  const Value& score = choice.option("score");
  return score.is("auto") ? e.model->likelihood().term() : score.as_string();
}

void check(const Choice& choice, const Experiment& e) {
  require_whole_rows(e.data, "anomaly");
  if (e.data.test.count() > 0 && e.data.test_labels.empty())
    throw UserError("anomaly: the data have no labels, so that nothing tells what an anomaly is");
  score_graph(*e.model, score_of(choice, e), 1);
}

Metrics run(const EvaluationInput& in) {
  const Experiment& e = in.experiment;
  const std::string score = score_of(in.choice, e);
  const std::vector<bool> anomalous = anomalous_rows(e, in.split);
  const std::vector<double> scores = in.views.scores(score, reader_of(e, in.split), e.seed);
  const double threshold = threshold_of(as_choice(in.choice.option("threshold")),
                                        in.views.scores(score, reader_of(e, "train"), e.seed));
  const Detection found = detect(scores, anomalous, threshold);
  const Value& option = in.choice.option("components");
  const int64_t rank =
      std::min(option.is("code") ? elements(e.model->code_shape()) : option.as_int(),
               elements(e.data.shape));
  return {{"auroc", auroc(scores, anomalous)},
          {"norm.auroc", auroc(distances(e, split_of(e.data, in.split)), anomalous)},
          {"pca.auroc", auroc(Pca(e.data).residuals(e.data, in.split, rank), anomalous)},
          {"average_precision", average_precision(scores, anomalous)},
          {"threshold", threshold},
          {"accuracy", found.accuracy},
          {"precision", found.precision},
          {"recall", found.recall},
          {"f1", found.f1}};
}

const RegisterEvaluation anomaly{
    {"anomaly",
     "rows that are explained badly: auroc average_precision accuracy precision recall f1 "
     "threshold norm.auroc pca.auroc",
     {option("score", words({"auto", "nll", "mse", "mae", "elbo"}), "auto",
             "auto: the likelihood's own; elbo: its negative, one draw of the code"),
      option("threshold", choice_of(Family::threshold), "{contamination: 0.1}",
             "from the scores of the training rows"),
      option("components", words({"code"}) | integer("[1, inf)"), "code",
             "of pca.auroc; code: the code's number of units")},
     {},
     ""},
    {.names = {"auroc", "average_precision", "threshold", "accuracy", "precision", "recall", "f1"},
     .check = check,
     .run = run}};

}  // namespace
}  // namespace latent
