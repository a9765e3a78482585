#include "experiments/evaluator.h"

#include <algorithm>
#include <cmath>

#include "core/data/pca.h"

namespace latent {
namespace {

constexpr int64_t kBatch = 1000;  ///< rows a step of evaluation at most

void zero(Store& store, const std::string& name) {
  store.write(name, HostTensor(store.variable(name).type));
}

/// Terms that evaluation always reports; the others belong to `reconstruction`.
bool belongs_to_objective(const std::string& name, size_t index, size_t objective_terms) {
  return index < objective_terms || name == "bce";
}

}  // namespace

Evaluator::Evaluator(const Experiment& experiment, Store& store, const std::string& split,
                     bool averaged, const Program::Options& options)
    : experiment_(experiment), store_(store), split_(split) {
  const SplitSource source = split_source(experiment, split);
  rows_ = source.rows;
  batch_ = std::min(rows_, kBatch);
  const Graph graph = evaluation_graph(*experiment.model, source, batch_, &terms_, averaged);
  program_ = std::make_unique<Program>(graph, store, options);
  upload_split(experiment, split, store);
}

Metrics Evaluator::run(bool reconstruction) {
  for (const char* name : {".step", ".latch", ".sums", ".peak"}) zero(store_, split_ + name);
  program_->run((rows_ + batch_ - 1) / batch_);
  if (store_.read(split_ + ".latch").as<uint64_t>()[0] != 0)
    throw std::runtime_error(cat("the loss on the ", split_, " rows is NaN or infinite"));
  const HostTensor tensor = store_.read(split_ + ".sums");
  const auto sums = tensor.as<double>();
  const size_t objective_terms = 1 + experiment_.model->config().at("penalties").list().size();
  Metrics metrics{{"loss", sums[1] / sums[0]}};
  for (size_t i = 0; i < terms_.size(); ++i)
    if (reconstruction || belongs_to_objective(terms_[i], i, objective_terms))
      metrics.emplace_back(terms_[i], sums[2 + i] / sums[0]);
  const HostTensor peak = store_.read(split_ + ".peak");
  peak_.assign(peak.as<float>().begin(), peak.as<float>().end());
  if (!reconstruction) return metrics;
  const auto sse = std::ranges::find(metrics, "sse", &Metrics::value_type::first);
  const double total = statistics_of(experiment_.data, split_).sum_of_squares / rows_;
  metrics.emplace_back("explained_variance", 1 - sse->second / total);
  metrics.emplace_back("dead", static_cast<double>(std::ranges::count(peak_, 0.0f)) / peak_.size());
  return metrics;
}

void add_floor(const Experiment& experiment, const std::string& split, Metrics& metrics) {
  if (!experiment.model->likelihood().probability()) return;
  metrics.emplace_back("floor.bce", statistics_of(experiment.data, split).entropy);
}

void add_pca(const Experiment& experiment, const std::string& split, int64_t rank,
             Metrics& metrics) {
  const PcaErrors errors = pca_errors(experiment.data, split, rank);
  metrics.emplace_back("pca.mse", errors.mse);
  metrics.emplace_back("pca.sse", errors.sse);
  metrics.emplace_back("pca.explained_variance", errors.explained_variance);
}

}  // namespace latent
