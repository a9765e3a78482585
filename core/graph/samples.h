// Samples of ops: what tests check and benches time. Each op's file registers its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/graph/op.h"

namespace latent {

struct Sample {
  std::string name;  ///< "matmul/nt/256x784x32"
  AnyOp op;
  std::vector<Type> in;  ///< written as f32; the gradient checks replace f32 by f64
  /// Per input: values drawn uniformly from [lo, hi] (integers for integer types). Default [-1, 1]
  /// for reals, [0, 255] for u8, [0, 3] else.
  struct Range {
    double lo = -1, hi = 1;
  };
  std::vector<Range> range = {};
  int order = 2;  ///< highest gradient order that exists: 0 none, 1 where a selection stops it
  std::vector<bool> wrt = {};  ///< inputs to differentiate; default: every real input
  double tolerance =
      2e-5;            ///< kernel against reference and CPU against GPU: ||a-b|| / ||b||, in f32
  bool bench = false;  ///< also timed
};

/// All samples, in the order of their files' names.
std::vector<Sample> all_samples();

/// At namespace scope of an op's .cu file: `const RegisterSamples samples{"matmul", [] { return
/// std::vector<Sample>{...}; }};`
struct RegisterSamples {
  RegisterSamples(std::string file, std::function<std::vector<Sample>()> make);
};

}  // namespace latent
