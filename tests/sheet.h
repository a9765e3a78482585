// A graph on constants that are written down in the test.
#pragma once

#include <string>
#include <vector>

#include "core/graph/autodiff.h"
#include "kernels/ops.h"
#include "tests/interpreter.h"

namespace latent {

struct Sheet {
  Graph graph;
  Values leaves;

  template <class T = float>
  Var put(Shape shape, std::vector<T> values) {
    const std::string name = cat("v", leaves.size());
    leaves.emplace(name, host_tensor<T>(shape, values));
    return graph.variable({.name = name,
                           .type = leaves.at(name).type,
                           .role = Role::constant,
                           .init = {},
                           .group = ""});
  }
  Var row(std::vector<float> values) {
    const int64_t n = static_cast<int64_t>(values.size());
    return put({n}, std::move(values));
  }
  template <class T = float>
  std::vector<T> get(Var v) {
    const HostTensor t = interpret(graph, leaves, *open_device("cpu"), std::vector{v})[0];
    const auto values = t.as<T>();
    return {values.begin(), values.end()};
  }
  /// f'(x) elementwise.
  std::vector<float> slope(Var y, Var x) { return get(gradient(sum(y), std::vector{x})[0]); }
};

}  // namespace latent
