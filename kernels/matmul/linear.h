// Products with what stands behind them, as one op: a layer with bias and activation, and the gradient that goes
// down through it. Passes put them in place of the plain ops that `reference` says. For .cu files only: others
// reach them through a PointwiseFamily.
#pragma once

#include "kernels/adding.h"
#include "kernels/functions.h"
#include "kernels/matmul/product.h"

namespace latent {

/// Checks and types that need no F.
std::vector<Type> infer_linear(std::string_view op, Types in, bool trans_w);
std::vector<Type> infer_product_gradient(std::string_view op, Types in, bool trans_w, bool adds);
std::vector<Var> linear_reference(std::string_view function, std::span<const Var> in, bool trans_w);
std::vector<Var> product_gradient_reference(std::string_view function, std::span<const Var> in,
                                            bool trans_w);

template <class F>
struct Activation {
  static constexpr bool kNothing = std::same_as<F, Identity>;
  static constexpr LibraryEpilogue kLibrary =
      std::string_view(F::name) == "relu" ? LibraryEpilogue::relu : LibraryEpilogue::none;
  static constexpr bool kAdds = false;
  template <class T>
  struct Epilogue {
    explicit Epilogue(const Args&) {}
    LATENT_HD T operator()(T value, int64_t) const { return F::template d<0>(value); }
  };
};

/// Times f'(x), from y = f(x) in input 2; plus input 3, where there is one.
template <class F>
struct ActivationGradient {
  static constexpr bool kNothing = std::same_as<F, Identity>;
  static constexpr LibraryEpilogue kLibrary = LibraryEpilogue::none;
  static constexpr bool kAdds = false;
  template <class T>
  struct Epilogue {
    const T *y, *more;
    explicit Epilogue(const Args& args)
        : y(args.input<T>(2)), more(args.in.size() > 3 ? args.input<T>(3) : nullptr) {}
    LATENT_HD T operator()(T value, int64_t i) const {
      const T g = value * F::dy(y[i]);
      return more ? g + more[i] : g;
    }
  };
};

/// (x [..., in], w [out, in], b [out]) -> f(x w^T + b) [..., out]; without b where it isn't given. With trans_w =
/// false w is [in, out], as a decoder that is tied to its encoder has it: f(x w + b).
template <class F>
struct Linear {
  static inline const std::string name =
      std::same_as<F, Identity> ? std::string("linear") : cat("linear.", F::name);
  bool trans_w = true;

  std::vector<Type> infer(Types in) const { return infer_linear(name, in, trans_w); }
  Kernel prepare(const Signature& s, Device& device) const {
    return product_kernel<Activation<F>>(s.in[0].dtype, gemm(s), s.in.size() == 3, device);
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    return linear_reference(std::same_as<F, Identity> ? "" : F::name, in, trans_w);
  }
  Cost cost(const Signature& s) const {
    return product_cost(s, gemm(s), product_launches<Activation<F>>(gemm(s)));
  }
  bool operator==(const Linear&) const = default;

 private:
  Gemm gemm(const Signature& s) const { return make_gemm(s.in[0], s.in[1], false, trans_w); }
};

/// The gradient that goes down through a layer and the activation under it: (g [..., out], w, y [..., in]) ->
/// (g w) f'(x) [..., in] with y = f(x); w is [out, in], or with trans_w = false [in, out], as its layer has it. With
/// `adds` there is a fourth input, of the output's type, which is added.
template <class F>
struct MatMulActivationGrad {
  static inline const std::string name = cat("matmul.", F::name, "_gradient");
  bool trans_w = true, adds = false;

  std::vector<Type> infer(Types in) const {
    return infer_product_gradient(name, in, trans_w, adds);
  }
  Kernel prepare(const Signature& s, Device& device) const {
    return product_kernel<ActivationGradient<F>>(s.in[0].dtype, gemm(s), false, device);
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    return product_gradient_reference(std::same_as<F, Identity> ? "" : F::name, in, trans_w);
  }
  Cost cost(const Signature& s) const {
    return product_cost(s, gemm(s), product_launches<ActivationGradient<F>>(gemm(s)));
  }
  bool operator==(const MatMulActivationGrad&) const = default;

 private:
  Gemm gemm(const Signature& s) const { return make_gemm(s.in[0], s.in[1], false, !trans_w); }
};

/// Puts the products of an activation into its family.
template <class F>
void add_products(PointwiseFamily& family) {
  family.linear = Linear<F>{true};
  family.linear_tied = Linear<F>{false};
  if constexpr (kFromOutput<F>) {
    family.matmul_gradient = MatMulActivationGrad<F>{true};
    family.matmul_gradient_tied = MatMulActivationGrad<F>{false};
    if constexpr (!ActivationGradient<F>::kNothing)
      register_adding(RegisterAdding<MatMulActivationGrad<F>>::find);
  }
}

}  // namespace latent
