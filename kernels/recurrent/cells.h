// The cells of recurrent layers: what one unit does at one step, and the same in graph ops.
//
//   struct Cell {
//     static constexpr const char* name;
//     static constexpr int kGates;          // columns of x and of h W' + b, a unit
//     static constexpr int kKept;           // values a unit leaves at each step for the gradient
//     static constexpr bool kCarries;       // the last of them is what it hands to its next step beside h
//     static constexpr bool kTwoGradients;  // those of x and of h W' + b differ
//     // From x, a = h W' + b of the step before, h before and what is carried: h; fills `kept`.
//     template <class T> static LATENT_HD T forward(const T* x, const T* a, T before, T& carry, T* kept);
//     // From the gradient of h (dh) and, from the step behind, that of what is carried or goes on
//     // beside the product (carry): fills dx and da, leaves carry for the step before.
//     template <class T> static LATENT_HD void backward(const CellState<T>& s, T dh, T& carry, T* dx, T* da);
//   };
//
// The references do all units of a step at once; gates lie behind one another in the last axis.
#pragma once

#include <array>

#include "core/math/math.h"
#include "kernels/ops.h"

namespace latent {

/// What `backward` may look at: h before and after the step, and what the step kept.
template <class T, int kKept>
struct CellState {
  T before, after;  ///< h
  T carried;        ///< what came from the step before
  T kept[kKept == 0 ? 1 : kKept];
};

/// A step in graph ops: x, a and the kept values [..., n * units], everything else [..., units].
struct CellStep {
  Var h, carry, kept;
};
struct CellGradient {
  Var dx, da, carry;
};
struct CellReferenceState {
  Var before, after, carried, kept;
};

/// Piece k of n of the last axis.
inline Var piece(Var v, int k, int n) {
  const int64_t size = v.shape().back() / n;
  return slice(v, 0, k * size, (k + 1) * size);
}

/// LSTM with a forget gate (Hochreiter & Schmidhuber 1997; Gers et al. 2000). Gates i f g o:
///   c = f c + i g,  h = o tanh c.  Keeps i f g o c.
struct LstmCell {
  static constexpr const char* name = "lstm";
  static constexpr int kGates = 4, kKept = 5;
  static constexpr bool kCarries = true, kTwoGradients = false;

  template <class T>
  static LATENT_HD T forward(const T* x, const T* a, T, T& carry, T* kept) {
    const T i = math::sigmoid(x[0] + a[0]), f = math::sigmoid(x[1] + a[1]);
    const T g = math::tanh(x[2] + a[2]), o = math::sigmoid(x[3] + a[3]);
    carry = f * carry + i * g;
    kept[0] = i, kept[1] = f, kept[2] = g, kept[3] = o, kept[4] = carry;
    return o * math::tanh(carry);
  }
  template <class T>
  static LATENT_HD void backward(const CellState<T, kKept>& s, T dh, T& carry, T* dx, T* da) {
    const T i = s.kept[0], f = s.kept[1], g = s.kept[2], o = s.kept[3];
    const T t = math::tanh(s.kept[4]);
    const T dc = carry + dh * o * (T(1) - t * t);
    dx[0] = da[0] = dc * g * i * (T(1) - i);
    dx[1] = da[1] = dc * s.carried * f * (T(1) - f);
    dx[2] = da[2] = dc * i * (T(1) - g * g);
    dx[3] = da[3] = dh * t * o * (T(1) - o);
    carry = dc * f;
  }

  static CellStep step(Var x, Var a, Var, Var carry) {
    const Var sum = x + a;
    const Var i = sigmoid(piece(sum, 0, 4)), f = sigmoid(piece(sum, 1, 4));
    const Var g = tanh(piece(sum, 2, 4)), o = sigmoid(piece(sum, 3, 4));
    const Var c = f * carry + i * g;
    return {o * tanh(c), c, concat(std::array{i, f, g, o, c}, 0)};
  }
  static CellGradient gradient(const CellReferenceState& s, Var dh, Var carry) {
    const Var i = piece(s.kept, 0, 5), f = piece(s.kept, 1, 5), g = piece(s.kept, 2, 5),
              o = piece(s.kept, 3, 5), t = tanh(piece(s.kept, 4, 5));
    Var dc = dh * (o * (1 - square(t)));
    if (carry) dc = dc + carry;
    const Var dx = concat(std::array{dc * (g * i * (1 - i)), dc * (s.carried * f * (1 - f)),
                                     dc * (i * (1 - square(g))), dh * (t * o * (1 - o))},
                          0);
    return {dx, dx, dc * f};
  }
};

/// GRU (Cho et al. 2014), as PyTorch has it: gates r z n, the reset gate outside of the product,
///   n = tanh(x_n + r a_n),  h = (1 - z) n + z h.  Keeps r z n a_n.
struct GruCell {
  static constexpr const char* name = "gru";
  static constexpr int kGates = 3, kKept = 4;
  static constexpr bool kCarries = false, kTwoGradients = true;

  template <class T>
  static LATENT_HD T forward(const T* x, const T* a, T before, T&, T* kept) {
    const T r = math::sigmoid(x[0] + a[0]), z = math::sigmoid(x[1] + a[1]);
    const T n = math::tanh(x[2] + r * a[2]);
    kept[0] = r, kept[1] = z, kept[2] = n, kept[3] = a[2];
    return (T(1) - z) * n + z * before;
  }
  template <class T>
  static LATENT_HD void backward(const CellState<T, kKept>& s, T dh, T& carry, T* dx, T* da) {
    const T r = s.kept[0], z = s.kept[1], n = s.kept[2];
    dh += carry;
    const T dn = dh * (T(1) - z) * (T(1) - n * n);
    dx[0] = da[0] = dn * s.kept[3] * r * (T(1) - r);
    dx[1] = da[1] = dh * (s.before - n) * z * (T(1) - z);
    dx[2] = dn;
    da[2] = dn * r;
    carry = dh * z;
  }

  static CellStep step(Var x, Var a, Var before, Var) {
    const Var r = sigmoid(piece(x, 0, 3) + piece(a, 0, 3)),
              z = sigmoid(piece(x, 1, 3) + piece(a, 1, 3));
    const Var q = piece(a, 2, 3), n = tanh(piece(x, 2, 3) + r * q);
    return {(1 - z) * n + z * before, {}, concat(std::array{r, z, n, q}, 0)};
  }
  static CellGradient gradient(const CellReferenceState& s, Var dh, Var carry) {
    const Var r = piece(s.kept, 0, 4), z = piece(s.kept, 1, 4), n = piece(s.kept, 2, 4),
              q = piece(s.kept, 3, 4);
    if (carry) dh = dh + carry;
    const Var dn = dh * ((1 - z) * (1 - square(n)));
    const Var dr = dn * (q * r * (1 - r)), dz = dh * ((s.before - n) * z * (1 - z));
    return {concat(std::array{dr, dz, dn}, 0), concat(std::array{dr, dz, dn * r}, 0), dh * z};
  }
};

/// The plain recurrent unit (Elman 1990): h = tanh(x + a). Keeps nothing but h.
struct RnnCell {
  static constexpr const char* name = "rnn";
  static constexpr int kGates = 1, kKept = 0;
  static constexpr bool kCarries = false, kTwoGradients = false;

  template <class T>
  static LATENT_HD T forward(const T* x, const T* a, T, T&, T*) {
    return math::tanh(x[0] + a[0]);
  }
  template <class T>
  static LATENT_HD void backward(const CellState<T, kKept>& s, T dh, T&, T* dx, T* da) {
    dx[0] = da[0] = dh * (T(1) - s.after * s.after);
  }

  static CellStep step(Var x, Var a, Var, Var) { return {tanh(x + a), {}, {}}; }
  static CellGradient gradient(const CellReferenceState& s, Var dh, Var) {
    const Var dx = dh * (1 - square(s.after));
    return {dx, dx, {}};
  }
};

}  // namespace latent
