// A training step of a model from YAML, on a few rows of the embedded digits.
#pragma once

#include <string>
#include <vector>

#include "core/plan/program.h"
#include "experiments/experiment.h"
#include "tests/small_models.h"

namespace latent {

/// `count` digits, 4 of 5 of them train rows. `train` is the inside of a flow map.
inline Experiment small_experiment(const std::string& model, const std::string& train,
                                   int count = 40, const std::string& more = "") {
  const std::string text = cat("data: {source: strokes, count: ", count, ", train: ", count * 4 / 5,
                               ", validation: none, test: ", count / 5, more, "}\nmodel: {", model,
                               "}\ntrain: {", train, "}\n");
  return make_experiment(resolve_config(parse_yaml(text, "test.yaml"), "test"));
}

struct Training {
  const Experiment& experiment;
  std::vector<std::string> terms;
  Store store;
  Program program;

  explicit Training(const Experiment& e, const Program::Options& options = {},
                    const std::string& device = "cpu")
      : experiment(e),
        store(open_device(device)),
        program(training_graph(*e.model, split_source(e, "train"), e.training, &terms), store,
                options) {
    upload_split(e, "train", store);
  }

  /// Mean loss an example since the sums were last cleared, which this does.
  double take_loss() {
    HostTensor sums = store.read("sums");
    const double loss = sums.as<double>()[1] / sums.as<double>()[0];
    store.write("sums", HostTensor(sums.type));
    return loss;
  }
  uint64_t counter(const std::string& name) const { return store.read(name).as<uint64_t>()[0]; }
  /// All variables, by name.
  Values values() const {
    Values all;
    for (const std::string& name : store.names()) all[name] = store.read(name);
    return all;
  }
};

}  // namespace latent
