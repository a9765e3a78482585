// Functions of one variable, by name. A function is a functor F in its own file
// kernels/pointwise/<name>.cu:
//
//   struct Softsign {
//     static constexpr const char* name = "softsign";
//     static constexpr int kOrder = 2;               // highest derivative that d() gives
//     static constexpr double lo = -4, hi = 4;       // where tests sample x
//     template <int K, class T>
//     static LATENT_HD T d(T x);                     // the K-th derivative, T = float or double
//     template <class T>
//     static LATENT_HD T dy(T y);                    // optional: f'(x) as a function of y = f(x)
//     template <class T>
//     static LATENT_HD T ddy(T y);                   // optional: f''(x) from y
//     static constexpr double kLow = -1, kHigh = 1;  // optional: f(x) is in [kLow, kHigh]
//     static constexpr bool kVanishes = true;        // optional: derivatives beyond kOrder are
//     zero
//   };
//   const RegisterActivation<Softsign> registered;   // or RegisterPointwise: not a value of
//   `activation:`
//
// Templates over F (Pointwise<F>, Linear<F>, ...) are instantiated by that registration and reached
// through the PointwiseFamily, so that layers and passes name no function.
#pragma once

#include <concepts>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/hd.h"
#include "core/graph/op.h"

namespace latent {

/// Whether f' can be had from y = f(x) alone, so that x need not be kept for the gradient.
template <class F>
inline constexpr bool kFromOutput = requires(float y) {
  { F::dy(y) } -> std::same_as<float>;
};

/// Whether f^(k) is zero everywhere for k > F::kOrder.
template <class F>
inline constexpr bool kVanishes = [] {
  if constexpr (requires { F::kVanishes; }) return F::kVanishes;
  return false;
}();

/// Linear layers without an activation are Linear<Identity>.
struct Identity {
  static constexpr const char* name = "linear";
  static constexpr int kOrder = 1;
  static constexpr bool kVanishes = true;
  static constexpr double lo = -2, hi = 2;
  template <int K, class T>
  static LATENT_HD T d(T x) {
    return K == 0 ? x : T(K == 1);
  }
  template <class T>
  static LATENT_HD T dy(T) {
    return T(1);
  }
};

struct Conv;  // kernels/conv/conv.h

/// Everything made of one function. Ops that do not exist for it are empty.
struct PointwiseFamily {
  std::string name;
  int order = 0;                                          ///< highest derivative
  double low = -std::numeric_limits<double>::infinity();  ///< f(x) is in [low, high]
  double high = std::numeric_limits<double>::infinity();
  AnyOp forward;          ///< x -> f(x)
  AnyOp gradient;         ///< (g, x) -> g * f'(x); g may have extra leading axes
  AnyOp output_gradient;  ///< (g, y) -> g * f'(x) from y = f(x)
  bool activation =
      false;          ///< a value of `activation:` and a layer by its name; the ops below exist
  AnyOp linear;       ///< (x [..., in], w [out, in], b [out] or none) -> f(x w^T + b) [..., out]
  AnyOp linear_tied;  ///< the same with w [in, out]: f(x w + b)
  AnyOp matmul_gradient;  ///< (g [..., out], w [out, in], y [..., in]) -> (g w) f'(x), y = f(x)
  AnyOp matmul_gradient_tied;  ///< the same with w [in, out]: (g w^T) f'(x)
  AnyOp contractive;           ///< (a [rows, J], norms [J]) -> sum_j f'(a_j)^2 norms_j [rows]
  AnyOp
      contractive_gradient;  ///< (c [..., rows], a, norms) -> of norms, and of a where f'' isn't 0
  AnyOp contractive_from_output, contractive_gradient_from_output;  ///< the same, y for a
  AnyOp (*conv)(const Conv&) = nullptr;            ///< (x, w, b or none) -> f(conv(x, w) + b)
  AnyOp (*conv_gradient)(const Conv&) = nullptr;   ///< (g, w, y) -> conv(g, w) f'(x), y = f(x)
  const Conv* (*conv_of)(const AnyOp&) = nullptr;  ///< that of one of `conv`; nullptr for others
};

/// Type of g f'(.) for g [..., X] and x [X]; throws the op's error where they do not fit.
std::vector<Type> infer_gradient(std::string_view op, Types in);

/// nullptr where no function has that name.
const PointwiseFamily* find_pointwise(std::string_view name);
/// The family whose `forward` (or `gradient`) equals op, or nullptr.
const PointwiseFamily* family_of_forward(const AnyOp& op);
const PointwiseFamily* family_of_gradient(const AnyOp& op);
/// Sorted by name.
std::vector<const PointwiseFamily*> pointwise_families();
/// Used by RegisterPointwise and RegisterActivation (kernels/pointwise/pointwise.h).
void register_pointwise(PointwiseFamily family);

}  // namespace latent
