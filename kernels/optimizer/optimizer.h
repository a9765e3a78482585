// The optimizers: each step is one fused kernel over flat buffers of parameters, gradients and
// state. The definitions are PyTorch's.
//
// Inputs   latch u64[1], step u64[1], p, g and the states (all [P], f32 or f64); last, where the
//          gradient is clipped, a factor on g [1]. The step counts this one, so t >= 1; the schedule
//          is evaluated at t - 1.
// Outputs  p', the new states; each may take the memory of the old one.
// Where the latch is not 0, nothing changes.
#pragma once

#include <string>
#include <vector>

#include "core/graph/op.h"
#include "core/train/schedule.h"

namespace latent {

class Value;

/// m' = momentum m + g;  p' = p - lr d, d = m' or, with Nesterov's momentum, g + momentum m'
/// (Sutskever et al. 2013 in PyTorch's form, without dampening). State: m, none without momentum.
struct Sgd {
  static constexpr const char* name = "sgd";
  double lr = 1e-3, momentum = 0;
  bool nesterov = false;
  Schedule schedule = {};

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  int overwrites(int output) const { return output == 0 ? 2 : 3 + output; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 4); }
  bool operator==(const Sgd&) const = default;
};

/// m' = beta1 m + (1 - beta1) g;  v' = beta2 v + (1 - beta2) g^2
/// p' = p (1 - lr decay) - lr / (1 - beta1^t) m' / (sqrt(v') / sqrt(1 - beta2^t) + eps)
/// (Kingma and Ba 2015, algorithm 1; decay: AdamW, Loshchilov and Hutter 2019). States: m, v.
struct Adam {
  static constexpr const char* name = "adam";
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, decay = 0;
  Schedule schedule = {};

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  int overwrites(int output) const { return output == 0 ? 2 : 3 + output; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 14); }
  bool operator==(const Adam&) const = default;
};

/// v' = alpha v + (1 - alpha) g^2;  p' = p - lr g / (sqrt(v') + eps)
/// (Tieleman and Hinton 2012, lecture 6e). State: v.
struct RmsProp {
  static constexpr const char* name = "rmsprop";
  double lr = 1e-2, alpha = 0.99, eps = 1e-8;
  Schedule schedule = {};

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  int overwrites(int output) const { return output == 0 ? 2 : 3 + output; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 8); }
  bool operator==(const RmsProp&) const = default;
};

/// v' = v + g^2;  p' = p - lr g / (sqrt(v') + eps)
/// (Duchi, Hazan and Singer 2011, the diagonal form). State: v.
struct Adagrad {
  static constexpr const char* name = "adagrad";
  double lr = 1e-2, eps = 1e-10;
  Schedule schedule = {};

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  int overwrites(int output) const { return output == 0 ? 2 : 3 + output; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 7); }
  bool operator==(const Adagrad&) const = default;
};

/// v' = rho v + (1 - rho) g^2;  d = g sqrt(u + eps) / sqrt(v' + eps);  u' = rho u + (1 - rho) d^2
/// p' = p - lr d   (Zeiler 2012, algorithm 1). States: u, v.
struct Adadelta {
  static constexpr const char* name = "adadelta";
  double lr = 1, rho = 0.9, eps = 1e-6;
  Schedule schedule = {};

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  int overwrites(int output) const { return output == 0 ? 2 : 3 + output; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 13); }
  bool operator==(const Adadelta&) const = default;
};

/// g [P] -> [1]: min(1, max_norm / (||g|| + 1e-6)), PyTorch's clip_grad_norm_ (Pascanu et al.
/// 2013).
struct ClipFactor {
  static constexpr const char* name = "clip_factor";
  double max_norm = 1;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  Cost cost(const Signature& s) const;
  bool operator==(const ClipFactor&) const = default;
};

/// (latch, step, average, p) -> decay average + (1 - decay) p, and p itself at the first step
/// (Polyak and Juditsky 1992; PyTorch's AveragedModel). Inputs and latch as above; the output may
/// take the average's memory.
struct Ema {
  static constexpr const char* name = "ema";
  double decay = 0.999;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device&) const;
  int overwrites(int) const { return 2; }
  Cost cost(const Signature& s) const { return streaming_cost(s, 2); }
  bool operator==(const Ema&) const = default;
};

/// What a training graph needs of an optimizer: the op, and the states in the order of its inputs.
struct Optimizer {
  AnyOp op;
  std::vector<std::string> states = {};  ///< "m", "v": variables "optimizer.m.<parameter>"
  double initial = 0;                    ///< first value of the last state; the others begin at 0
};

/// The optimizer of a resolved choice of the family `optimizer`, for example {adam: {lr: 0.001,
/// ...}}. Throws UserError where options contradict each other.
Optimizer make_optimizer(const Value& choice, const Schedule& schedule);

}  // namespace latent
