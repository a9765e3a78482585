// Models of tests, from the text of a `model` section, and their objectives as graphs on drawn data.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "core/config/experiment.h"
#include "core/config/parse.h"
#include "kernels/ops.h"
#include "models/batch.h"
#include "tests/interpreter.h"

namespace latent {

/// A resolved experiment; `model` and `train` are the insides of flow maps.
inline Value resolved(const std::string& model, const std::string& train = "epochs: 1") {
  const std::string text =
      cat("data: {source: strokes}\nmodel: {", model, "}\ntrain: {", train, "}\n");
  return resolve_config(parse_yaml(text, "test.yaml"), "test");
}

inline Model small_model(const std::string& model, const Shape& row = {6}, uint64_t seed = 0) {
  return Model(resolved(model).at("model"), row, seed);
}

/// Uniform in [lo, hi), f32 or f64, the same numbers in both.
inline void draw(HostTensor& t, std::mt19937_64& engine, double lo, double hi) {
  for (int64_t i = 0; i < t.type.elements(); ++i) {
    const auto value = static_cast<float>(lo + (hi - lo) * (engine() >> 11) * 0x1p-53);
    if (t.type.dtype == DType::f64)
      t.as<double>()[i] = value;
    else
      t.as<float>()[i] = value;
  }
}

/// The objective of a model on drawn rows in (0, 1), and its gradients.
struct Problem {
  Graph graph;
  Values leaves;
  std::vector<Var> parameters;
  Forward forward;
  Var loss;
  std::vector<std::string> notes;

  Problem(const Model& model, int64_t rows, DType real) {
    Build build{.graph = graph, .training = true, .real = real, .taps = {}};
    build.seed = counter("seed", 7);
    build.step = counter("step", 3);
    build.rows = 10 * rows;
    Shape shape{rows};
    shape.insert(shape.end(), model.row_shape().begin(), model.row_shape().end());
    const Var x = constant("x", {real, shape}, 0.05, 0.95);
    const Batch batch = has_corruption(model.config().at("corruption"))
                            ? corrupted(model, build, x, rows)
                            : Batch{.input = x, .clean = x, .target = x, .weight = {}, .known = {}};
    forward = latent::forward(model, build, batch.input, batch.target, nullptr, batch.weight);
    loss = objective(forward.terms);
    notes = build.notes;
    for (const Parameter& p : model.parameters()) {
      const Var v = leaf(build, p);
      HostTensor value(v.type());
      if (p.init) p.init(value);
      if (p.bias) draw(value, engine_, -0.5, 0.5);  // away from the kinks of activations
      leaves[p.name] = value;
      if (!p.frozen) parameters.push_back(v);
    }
    for (const auto& [name, v] : graph.variables())  // constants that parts bring
      if (!leaves.contains(name)) {
        HostTensor value(v.type);
        if (v.init) v.init(value);
        leaves[name] = value;
      }
  }

  Problem(const Problem&) = delete;

  Var constant(const std::string& name, const Type& type, double lo = -1, double hi = 1) {
    HostTensor value(type);
    draw(value, engine_, lo, hi);
    leaves[name] = value;
    return graph.variable(
        {.name = name, .type = type, .role = Role::constant, .init = {}, .group = ""});
  }
  Var counter(const std::string& name, uint64_t value) {
    HostTensor& tensor = leaves[name] = HostTensor(Type{DType::u64, {1}});
    tensor.as<uint64_t>()[0] = value;
    return graph.variable(
        {.name = name, .type = tensor.type, .role = Role::constant, .init = {}, .group = ""});
  }
  const std::string& name_of(Var parameter) const { return graph.node(parameter).variable; }

 private:
  /// The rows of x as a step of training gathers them, in the type of the model.
  Batch corrupted(const Model& model, Build& build, Var x, int64_t rows) {
    const SplitSource source{
        .name = "rows", .stored = DType::f32, .rows = rows, .rows_per_block = rows};
    Batch batch = gather_batch(build, model, source, {.batch = rows, .shuffle = false});
    HostTensor stored(Type{DType::f32, x.shape()});
    for (int64_t i = 0; i < stored.type.elements(); ++i)
      stored.as<float>()[i] = x.type().dtype == DType::f64
                                  ? static_cast<float>(leaves.at("x").as<double>()[i])
                                  : leaves.at("x").as<float>()[i];
    leaves["data.rows.0"] = stored;
    for (const auto& [name, value] : {std::pair{names::kShift, 0.0f}, {names::kScale, 1.0f}})
      leaves[name] = host_tensor<float>({1}, std::vector<float>{value});
    for (Var* v : {&batch.input, &batch.clean, &batch.target, &batch.weight})
      if (*v) *v = cast(*v, x.type().dtype);
    return batch;
  }

  std::mt19937_64 engine_{1};
};

}  // namespace latent
