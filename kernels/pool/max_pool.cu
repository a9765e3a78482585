#include "kernels/pool/max_pool.h"

#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/conv/divisor.h"
#include "kernels/ops.h"
#include "kernels/pool/lanes.h"
#include "kernels/real.h"

namespace latent {
namespace {

/// Pieces of the large map: those of the window, and where some of its elements are in none, pieces with these.
struct Pieces {
  Window w;
  int64_t count[2];
  Divisor height, width;

  Pieces(const Window& window, bool all) : w(window) {
    for (int axis = 0; axis < 2; ++axis)
      count[axis] =
          all ? fold::ceil_div(w.large[axis] + w.before[axis], w.kernel[axis]) : w.small[axis];
    height = Divisor(count[0]);
    width = Divisor(count[1]);
  }
  int64_t area() const { return count[0] * count[1]; }
};

/// What lies in one piece: rows [top, bottom), columns [left, right) of an image.
struct Piece {
  int64_t image, top, bottom, left, right;
  int64_t small;  ///< its place in the small map, or -1

  LATENT_HD Piece(const Pieces& pieces, int64_t row) {
    const Window& w = pieces.w;
    auto rest = static_cast<uint32_t>(row);
    const int64_t x = pieces.width.split(rest), y = pieces.height.split(rest);
    image = rest;
    top = y * w.kernel[0] - w.before[0];
    bottom = top + w.kernel[0] < w.large[0] ? top + w.kernel[0] : w.large[0];
    top = top > 0 ? top : 0;
    left = x * w.kernel[1] - w.before[1];
    right = left + w.kernel[1] < w.large[1] ? left + w.kernel[1] : w.large[1];
    left = left > 0 ? left : 0;
    small = y < w.small[0] && x < w.small[1] ? (image * w.small[0] + y) * w.small[1] + x : -1;
  }
};

/// The greatest of a piece in each of n channels, and where it is first. A NaN is greater than all.
template <class T, int kLanes>
struct Greatest {
  T value[kLanes];
  int64_t at[kLanes];

  LATENT_HD Greatest(const T* x, const Piece& piece, const Window& w, int64_t channels, int n) {
    for (int64_t h = piece.top; h < piece.bottom; ++h)
      for (int64_t v = piece.left; v < piece.right; ++v) {
        const int64_t position = h * w.large[1] + v;
        const T* const from = x + (piece.image * w.large_area() + position) * channels;
        const bool first = h == piece.top && v == piece.left;
        for (int l = 0; l < n; ++l) {
          const bool greater =
              first || from[l] > value[l] || (from[l] != from[l] && value[l] == value[l]);
          value[l] = greater ? from[l] : value[l];
          at[l] = greater ? position : at[l];
        }
      }
  }
};

template <class T>
struct MaxPoolBody {
  const T* x;
  T* out;
  Pieces pieces;
  int64_t channels;

  template <int kLanes>
  LATENT_HD void run(int64_t row, int64_t channel, int n) const {
    const Greatest<T, kLanes> best(x + channel, Piece(pieces, row), pieces.w, channels, n);
    for (int l = 0; l < n; ++l) out[row * channels + channel + l] = best.value[l];
  }
};

/// Rows are pieces of `images` images of x, of which g may have several batches.
template <class T>
struct MaxPoolGradBody {
  const T *g, *x;
  T* out;
  Pieces pieces;
  int64_t channels, images;

  template <int kLanes>
  LATENT_HD void run(int64_t row, int64_t channel, int n) const {
    const Window& w = pieces.w;
    const Piece piece(pieces, row);
    T* const to = out + piece.image * w.large_area() * channels + channel;
    Piece of_x = piece;
    of_x.image = piece.image % images;
    const Greatest<T, kLanes> best(x + channel, of_x, w, channels, n);
    for (int64_t h = piece.top; h < piece.bottom; ++h)
      for (int64_t v = piece.left; v < piece.right; ++v) {
        const int64_t position = h * w.large[1] + v;
        for (int l = 0; l < n; ++l) {
          const bool here = piece.small >= 0 && best.at[l] == position;
          to[position * channels + l] = here ? g[piece.small * channels + channel + l] : T(0);
        }
      }
  }
};

template <class T>
struct MaxPoolSelectBody {
  const T *v, *x;
  T* out;
  Pieces pieces;
  int64_t channels, images;

  template <int kLanes>
  LATENT_HD void run(int64_t row, int64_t channel, int n) const {
    const Window& w = pieces.w;
    Piece piece(pieces, row);
    const T* const from = v + piece.image * w.large_area() * channels + channel;
    piece.image %= images;
    const Greatest<T, kLanes> best(x + channel, piece, w, channels, n);
    for (int l = 0; l < n; ++l) out[row * channels + channel + l] = from[best.at[l] * channels + l];
  }
};

void require_pieces(std::string_view op, const Window& w, Types in) {
  if (w.kernel[0] != w.stride[0] || w.kernel[1] != w.stride[1])
    throw op_error(op, "pieces must not overlap", in);
}

bool is_map(const Type& t, const int64_t (&map)[2]) {
  return t.rank() >= 3 && t.dim(2) == map[0] && t.dim(1) == map[1];
}

Type with_map(Type t, const int64_t (&map)[2]) {
  t.shape[t.rank() - 3] = map[0];
  t.shape[t.rank() - 2] = map[1];
  return t;
}

/// v [..., X's axes with `from`, channels] and x [X's axes with large, channels] -> v with `to`.
Type of_greatest(std::string_view op, Types in, const Window& w, const int64_t (&from)[2],
                 const int64_t (&to)[2]) {
  require_reals(op, in, 2);
  require_pieces(op, w, in);
  const Type &v = in[0], &x = in[1];
  if (!is_map(x, w.large) || !is_map(v, from) || v.rank() < x.rank() || v.dim(0) != x.dim(0) ||
      !std::equal(x.shape.begin(), x.shape.end() - 3, v.shape.begin() + (v.rank() - x.rank())))
    throw op_error(op, "takes a map [..., X] and x [X]", in);
  return with_map(v, to);
}

int64_t images_of(const Type& t) {
  const int64_t image = t.dim(0) * t.dim(1) * t.dim(2);
  return image ? t.elements() / image : 0;
}

/// Of an op whose second input chooses among the elements of the first.
template <template <class> class Body>
Kernel choosing_kernel(const Signature& s, const Pieces& pieces, int64_t taps) {
  const int64_t channels = s.in[1].dim(0), images = images_of(s.in[1]);
  const int64_t rows = images_of(s.in[0]) * pieces.area();
  return real_kernel(s.in[0].dtype, [=](const Args& args, auto real) {
    using T = decltype(real);
    for_each_lanes<std::is_same_v<T, double>>(
        args.stream, rows, channels, taps,
        Body<T>{args.input<T>(0), args.input<T>(1), args.output<T>(0), pieces, channels, images});
  });
}

}  // namespace

std::vector<Type> MaxPool::infer(Types in) const {
  require_reals(name, in, 1);
  require_pieces(name, window, in);
  if (!is_map(in[0], window.large))
    throw op_error(name, cat("takes [..., ", window.large[0], ", ", window.large[1], ", channels]"),
                   in);
  return {with_map(in[0], window.small)};
}

Kernel MaxPool::prepare(const Signature& s, Device&) const {
  const Pieces pieces(window, false);
  const int64_t channels = s.in[0].dim(0), rows = images_of(s.in[0]) * pieces.area();
  return real_kernel(s.in[0].dtype, [=, taps = window.taps()](const Args& args, auto real) {
    using T = decltype(real);
    for_each_lanes<std::is_same_v<T, double>>(
        args.stream, rows, channels, taps,
        MaxPoolBody<T>{args.input<T>(0), args.output<T>(0), pieces, channels});
  });
}

std::vector<Var> MaxPool::vjp(const Pullback& p) const {
  return {apply(MaxPoolGrad{window}, {p.cotangents[0], p.in[0]})};
}

std::vector<Type> MaxPoolGrad::infer(Types in) const {
  return {of_greatest(name, in, window, window.small, window.large)};
}

Kernel MaxPoolGrad::prepare(const Signature& s, Device&) const {
  return choosing_kernel<MaxPoolGradBody>(s, Pieces(window, true), 2 * window.taps());
}

std::vector<Var> MaxPoolGrad::vjp(const Pullback& p) const {
  std::vector<Var> result(2);  // x only selects
  if (p.needs[0]) result[0] = apply(MaxPoolSelect{window}, {p.cotangents[0], p.in[1]});
  return result;
}

std::vector<Type> MaxPoolSelect::infer(Types in) const {
  return {of_greatest(name, in, window, window.large, window.small)};
}

Kernel MaxPoolSelect::prepare(const Signature& s, Device&) const {
  return choosing_kernel<MaxPoolSelectBody>(s, Pieces(window, false), window.taps());
}

std::vector<Var> MaxPoolSelect::vjp(const Pullback& p) const {
  std::vector<Var> result(2);
  if (p.needs[0]) result[0] = apply(MaxPoolGrad{window}, {p.cotangents[0], p.in[1]});
  return result;
}

Var max_pool(Var x, const Window& window) { return apply(MaxPool{window}, {x}); }

namespace {

std::vector<Sample> samples() {
  std::vector<Sample> all;
  const auto add = [&](const std::string& name, std::array<int64_t, 2> large,
                       std::array<int64_t, 2> size, Padding padding, const Shape& lead,
                       int64_t channels, bool bench = false) {
    const Window w = window_over(large, size, size, padding);
    const auto type = [&](const Shape& before, const int64_t(&map)[2]) {
      Shape shape = before;
      shape.insert(shape.end(), lead.begin(), lead.end());
      shape.insert(shape.end(), {map[0], map[1], channels});
      return Type{DType::f32, shape};
    };
    all.push_back({.name = cat("max_pool/", name),
                   .op = MaxPool{w},
                   .in = {type({}, w.large)},
                   .bench = bench});
    all.push_back({.name = cat("max_pool/gradient/", name),
                   .op = MaxPoolGrad{w},
                   .in = {type({}, w.small), type({}, w.large)},
                   .bench = bench});
    if (bench) return;
    all.push_back({.name = cat("max_pool/gradient/batch/", name),
                   .op = MaxPoolGrad{w},
                   .in = {type({2}, w.small), type({}, w.large)}});
    all.push_back({.name = cat("max_pool/select/", name),
                   .op = MaxPoolSelect{w},
                   .in = {type({2}, w.large), type({}, w.large)}});
  };
  add("one", {1, 1}, {1, 1}, Padding::valid, {}, 1);
  add("valid", {5, 7}, {2, 3}, Padding::valid, {3}, 5);
  add("same", {7, 7}, {2, 3}, Padding::same, {2, 3}, 37);
  add("wide", {4, 4}, {2, 2}, Padding::valid, {2}, 67);
  add("bench", {28, 28}, {2, 2}, Padding::valid, {128}, 16, true);
  return all;
}
const RegisterSamples registered{"pool/max_pool", samples};

}  // namespace
}  // namespace latent
