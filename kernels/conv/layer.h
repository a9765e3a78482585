// Convolutions with what stands behind them, as one op: a layer with bias and activation, and the gradient that goes
// down through it. Passes put them in place of the plain ops that `reference` says. For .cu files only: others reach
// them through a PointwiseFamily.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/conv/kernel.h"
#include "kernels/functions.h"
#include "kernels/matmul/linear.h"

namespace latent {

/// Checks, types and references that need no F.
std::vector<Type> infer_conv_layer(std::string_view op, Types in, const Conv& conv);
std::vector<Type> infer_conv_gradient(std::string_view op, Types in, const Conv& conv);
std::vector<Var> conv_layer_reference(std::string_view function, std::span<const Var> in,
                                      const Conv& conv);
std::vector<Var> conv_gradient_reference(std::string_view function, std::span<const Var> in,
                                         const Conv& conv);

/// (x, w, b or none) -> f(conv(x, w) + b), of either kind of Conv; one weight.
template <class F>
struct ConvLayer {
  static inline const std::string name =
      std::same_as<F, Identity> ? std::string("conv.bias") : cat("conv.", F::name);
  Conv conv;

  std::vector<Type> infer(Types in) const { return infer_conv_layer(name, in, conv); }
  Kernel prepare(const Signature& s, Device& device) const {
    return conv_kernel<Activation<F>>(s.in[0].dtype, problem(s), conv.pass(), s.in.size() == 3,
                                      device);
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    return conv_layer_reference(std::same_as<F, Identity> ? "" : F::name, in, conv);
  }
  Cost cost(const Signature& s) const {
    const bool plain = std::same_as<F, Identity> && s.in.size() == 2;
    return conv_cost(s, problem(s), conv_in_library(problem(s)) && !plain ? 2 : 1);
  }
  bool operator==(const ConvLayer&) const = default;

 private:
  ConvProblem problem(const Signature& s) const {
    return conv_problem(s.in, conv.window, conv.pass());
  }
};

/// (g, w, y) -> conv(g, w) f'(x) with y = f(x): the gradient that goes down through a layer, whose Conv is the other
/// kind, and the activation under it.
template <class F>
struct ConvActivationGrad {
  static inline const std::string name = cat("conv.", F::name, "_gradient");
  Conv conv;

  std::vector<Type> infer(Types in) const { return infer_conv_gradient(name, in, conv); }
  Kernel prepare(const Signature& s, Device& device) const {
    return conv_kernel<ActivationGradient<F>>(s.in[0].dtype, problem(s), conv.pass(), false,
                                              device);
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    return conv_gradient_reference(std::same_as<F, Identity> ? "" : F::name, in, conv);
  }
  Cost cost(const Signature& s) const {
    return conv_cost(s, problem(s), conv_in_library(problem(s)) ? 2 : 1);
  }
  bool operator==(const ConvActivationGrad&) const = default;

 private:
  ConvProblem problem(const Signature& s) const {
    return conv_problem(s.in, conv.window, conv.pass());
  }
};

/// Puts the convolutions of an activation into its family.
template <class F>
void add_convolutions(PointwiseFamily& family) {
  family.conv = [](const Conv& conv) -> AnyOp { return ConvLayer<F>{conv}; };
  family.conv_of = [](const AnyOp& op) -> const Conv* {
    const ConvLayer<F>* layer = op.as<ConvLayer<F>>();
    return layer ? &layer->conv : nullptr;
  };
  if constexpr (kFromOutput<F>)
    family.conv_gradient = [](const Conv& conv) -> AnyOp { return ConvActivationGrad<F>{conv}; };
}

}  // namespace latent
