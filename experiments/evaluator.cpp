#include "experiments/evaluator.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "experiments/evaluation.h"

namespace latent {
namespace {

constexpr int64_t kBatch = 1000;              ///< rows a step of evaluation at most
constexpr std::string_view kKnown = "known";  ///< share of the elements that are no missing cells

bool has_reconstruction(const Value::List& evaluations) {
  return std::ranges::any_of(evaluations,
                             [](const Value& v) { return as_choice(v).name == "reconstruction"; });
}

void zero(Store& store, const std::string& name) {
  store.write(name, HostTensor(store.variable(name).type));
}

}  // namespace

Evaluator::Evaluator(const Experiment& experiment, Store& store, const std::string& split,
                     bool averaged, const Program::Options& options)
    : experiment_(experiment),
      store_(store),
      split_(split),
      views_(*experiment.model, store, averaged) {
  const SplitSource source = split_source(experiment, split);
  rows_ = source.rows;
  batch_ = std::min(rows_, kBatch);
  const Graph graph =
      evaluation_graph(*experiment.model, source, batch_, &terms_, averaged, &objective_terms_);
  program_ = std::make_unique<Program>(graph, store, options);
  upload_split(experiment, split, store);
}

Metrics Evaluator::run(const Value::List& evaluations) {
  for (const char* name : {".step", ".latch", ".sums", ".peak"}) zero(store_, split_ + name);
  program_->run((rows_ + batch_ - 1) / batch_);
  if (store_.read(split_ + ".latch").as<uint64_t>()[0] != 0)
    throw std::runtime_error(cat("the loss on the ", split_, " rows is NaN or infinite"));
  const HostTensor peak = store_.read(split_ + ".peak");
  peak_.assign(peak.as<float>().begin(), peak.as<float>().end());
  const HostTensor tensor = store_.read(split_ + ".sums");
  const auto sums = tensor.as<double>();
  const bool reconstruction = has_reconstruction(evaluations);
  Metrics metrics{{"loss", sums[1] / sums[0]}};
  for (size_t i = 0; i < terms_.size(); ++i)
    if (reports(i, reconstruction))
      metrics.emplace_back(terms_[i], sums[2 + i] / sums[0] / share(terms_[i], sums));
  if (reconstruction) add_reconstruction(metrics);
  for (const Value& value : evaluations) {
    const Choice choice = as_choice(value);
    if (const EvaluationPart* part = find_evaluation(choice.name))
      std::ranges::copy(part->run({choice, experiment_, split_, views_}),
                        std::back_inserter(metrics));
  }
  return metrics;
}

/// What a mean over all elements is divided by, to be one over those that are known.
double Evaluator::share(const std::string& term, std::span<const double> sums) const {
  const auto known = std::ranges::find(terms_, kKnown);
  if (known == terms_.end() || (term != "bce" && term != "mse" && term != "mae")) return 1;
  return sums[2 + static_cast<size_t>(known - terms_.begin())] / sums[0];
}

/// Terms of the objective, nll and bce always; the others belong to `reconstruction`.
bool Evaluator::reports(size_t term, bool reconstruction) const {
  if (terms_[term] == kKnown) return false;
  return reconstruction || term < objective_terms_ || terms_[term] == "bce" ||
         terms_[term] == "nll";
}

std::vector<std::string> Evaluator::names(const Value::List& evaluations) const {
  const bool reconstruction = has_reconstruction(evaluations);
  std::vector<std::string> all{"loss"};
  for (size_t i = 0; i < terms_.size(); ++i)
    if (reports(i, reconstruction)) all.push_back(terms_[i]);
  if (reconstruction) all.insert(all.end(), {"explained_variance", "dead"});
  for (const Value& value : evaluations)
    if (const EvaluationPart* part = find_evaluation(as_choice(value).name))
      all.insert(all.end(), part->names.begin(), part->names.end());
  return all;
}

void Evaluator::add_reconstruction(Metrics& metrics) const {
  const auto sse = std::ranges::find(metrics, "sse", &Metrics::value_type::first)->second;
  const SplitStatistics statistics = statistics_of(experiment_.data, split_);
  metrics.emplace_back("explained_variance",
                       1 - sse * static_cast<double>(rows_) / statistics.sum_of_squares);
  metrics.emplace_back("dead", static_cast<double>(std::ranges::count(peak_, 0.0f)) /
                                   static_cast<double>(peak_.size()));
  if (experiment_.model->likelihood().probability())
    metrics.emplace_back("floor.bce", statistics.entropy);
}

}  // namespace latent
