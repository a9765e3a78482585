// Linear maps of a map along its height and its width: average pooling and upsampling, and their adjoints.
#pragma once

#include "core/graph/op.h"
#include "kernels/conv/window.h"

namespace latent {

/// How one axis of `in` elements becomes one of `out`: element o is the sum over i in [first(o), end(o)) of
/// weight(o, i) times element i, and element i is read by o in [first_reader(i), end_reader(i)) at most.

/// Means over pieces of `size`; those over the border are means over what lies inside.
struct MeanAxis {
  static constexpr const char* name = "avg_pool";
  int64_t in = 1, out = 1, size = 1, before = 0;

  LATENT_HD int64_t first(int64_t o) const {
    const int64_t begin = o * size - before;
    return begin > 0 ? begin : 0;
  }
  LATENT_HD int64_t end(int64_t o) const {
    const int64_t end = (o + 1) * size - before;
    return end < in ? end : in;
  }
  LATENT_HD int64_t first_reader(int64_t i) const {
    return static_cast<uint32_t>(i + before) / static_cast<uint32_t>(size);
  }
  LATENT_HD int64_t end_reader(int64_t i) const {
    const int64_t o = first_reader(i);
    return o < out ? o + 1 : o;
  }
  template <class T>
  LATENT_HD T weight(int64_t o, int64_t) const {
    return T(1) / T(end(o) - first(o));
  }
  bool operator==(const MeanAxis&) const = default;
};

/// Each element `factor` times.
struct NearestAxis {
  static constexpr const char* name = "upsample_nearest";
  int64_t in = 1, out = 1, factor = 1;

  LATENT_HD int64_t first(int64_t o) const {
    return static_cast<uint32_t>(o) / static_cast<uint32_t>(factor);
  }
  LATENT_HD int64_t end(int64_t o) const { return first(o) + 1; }
  LATENT_HD int64_t first_reader(int64_t i) const { return i * factor; }
  LATENT_HD int64_t end_reader(int64_t i) const { return (i + 1) * factor; }
  template <class T>
  LATENT_HD T weight(int64_t, int64_t) const {
    return T(1);
  }
  bool operator==(const NearestAxis&) const = default;
};

/// Linear between the centres of elements, constant beyond the outermost: what PyTorch calls align_corners=False.
struct LinearAxis {
  static constexpr const char* name = "upsample_bilinear";
  int64_t in = 1, out = 1, factor = 1;

  /// Where o's centre lies, in elements of `in`.
  template <class T>
  LATENT_HD T position(int64_t o) const {
    const T p = T(2 * o + 1) / T(2 * factor) - T(0.5), last = T(in - 1);
    return p < T(0) ? T(0) : p > last ? last : p;
  }
  LATENT_HD int64_t first(int64_t o) const { return static_cast<int64_t>(position<float>(o)); }
  LATENT_HD int64_t end(int64_t o) const {
    const int64_t i = first(o) + 2;
    return i < in ? i : in;
  }
  LATENT_HD int64_t first_reader(int64_t i) const {
    const int64_t o = ((2 * i - 1) * factor - 2) / 2;
    return o > 0 ? o : 0;
  }
  LATENT_HD int64_t end_reader(int64_t i) const {
    const int64_t o = ((2 * i + 3) * factor + 2) / 2;
    return o < out ? o : out;
  }
  template <class T>
  LATENT_HD T weight(int64_t o, int64_t i) const {
    const T distance = position<T>(o) - T(i), w = T(1) - (distance < T(0) ? -distance : distance);
    return w > T(0) ? w : T(0);
  }
  bool operator==(const LinearAxis&) const = default;
};

/// x [..., height.in, width.in, channels] -> [..., height.out, width.out, channels], or transposed the adjoint, which
/// goes the other way. f32 or f64.
template <class Axis>
struct Resample {
  static constexpr const char* name = Axis::name;
  Axis height, width;
  bool transposed = false;

  std::vector<Type> infer(Types in) const;
  Kernel prepare(const Signature& s, Device& device) const;
  std::vector<Var> vjp(const Pullback& p) const;
  Cost cost(const Signature& s) const;
  bool operator==(const Resample&) const = default;
};

}  // namespace latent
