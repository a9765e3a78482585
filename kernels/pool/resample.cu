#include "kernels/pool/resample.h"

#include "core/graph/samples.h"
#include "kernels/conv/divisor.h"
#include "kernels/ops.h"
#include "kernels/pool/lanes.h"
#include "kernels/real.h"

namespace latent {
namespace {

/// One position of what is made.
template <class T, class Axis, bool kTransposed>
struct ResampleBody {
  const T* in;
  T* out;
  Axis height, width;
  int64_t channels;
  Divisor made_height, made_width;

  LATENT_HD static int64_t first(const Axis& axis, int64_t made) {
    return kTransposed ? axis.first_reader(made) : axis.first(made);
  }
  LATENT_HD static int64_t end(const Axis& axis, int64_t made) {
    return kTransposed ? axis.end_reader(made) : axis.end(made);
  }
  LATENT_HD static T weight(const Axis& axis, int64_t made, int64_t read) {
    return kTransposed ? axis.template weight<T>(read, made) : axis.template weight<T>(made, read);
  }

  template <int kLanes>
  LATENT_HD void run(int64_t row, int64_t channel, int n) const {
    auto image = static_cast<uint32_t>(row);
    const uint32_t x = made_width.split(image), y = made_height.split(image);
    const int64_t of_height = kTransposed ? height.out : height.in;
    const int64_t of_width = kTransposed ? width.out : width.in;
    const int64_t left = first(width, x), right = end(width, x), bottom = end(height, y);
    T sum[kLanes] = {};
    for (int64_t h = first(height, y); h < bottom; ++h)
      for (int64_t v = left; v < right; ++v) {
        const T w = weight(height, y, h) * weight(width, x, v);
        const T* const from = in + ((image * of_height + h) * of_width + v) * channels + channel;
        for (int l = 0; l < n; ++l) sum[l] += w * from[l];
      }
    T* const to = out + row * channels + channel;
    for (int l = 0; l < n; ++l) to[l] = sum[l];
  }
};

template <class Axis, bool kTransposed>
Kernel resample_kernel(const Signature& s, const Axis& height, const Axis& width) {
  const int64_t channels = s.in[0].dim(0);
  const int64_t rows = channels ? s.out[0].elements() / channels : 0;
  const int64_t reads =
      std::max<int64_t>(1, s.in[0].elements() / std::max<int64_t>(1, s.out[0].elements()));
  return real_kernel(s.in[0].dtype, [=](const Args& args, auto real) {
    using T = decltype(real);
    for_each_lanes<std::is_same_v<T, double>>(
        args.stream, rows, channels, reads,
        ResampleBody<T, Axis, kTransposed>{args.input<T>(0), args.output<T>(0), height, width,
                                           channels, Divisor(kTransposed ? height.in : height.out),
                                           Divisor(kTransposed ? width.in : width.out)});
  });
}

}  // namespace

template <class Axis>
std::vector<Type> Resample<Axis>::infer(Types in) const {
  require_reals(name, in, 1);
  Type t = in[0];
  const int64_t from[] = {transposed ? height.out : height.in, transposed ? width.out : width.in};
  if (t.rank() < 3 || t.dim(2) != from[0] || t.dim(1) != from[1])
    throw op_error(name, cat("takes [..., ", from[0], ", ", from[1], ", channels]"), in);
  t.shape[t.rank() - 3] = transposed ? height.in : height.out;
  t.shape[t.rank() - 2] = transposed ? width.in : width.out;
  return {t};
}

template <class Axis>
Kernel Resample<Axis>::prepare(const Signature& s, Device&) const {
  return transposed ? resample_kernel<Axis, true>(s, height, width)
                    : resample_kernel<Axis, false>(s, height, width);
}

template <class Axis>
std::vector<Var> Resample<Axis>::vjp(const Pullback& p) const {
  return {apply(Resample{height, width, !transposed}, {p.cotangents[0]})};
}

template <class Axis>
Cost Resample<Axis>::cost(const Signature& s) const {
  Cost cost = streaming_cost(s, 0);
  cost.flops = 2.0 * static_cast<double>(std::max(s.in[0].elements(), s.out[0].elements()));
  return cost;
}

template struct Resample<MeanAxis>;
template struct Resample<NearestAxis>;
template struct Resample<LinearAxis>;

Var avg_pool(Var x, const Window& w) {
  const auto axis = [&](int a) {
    return MeanAxis{w.large[a], w.small[a], w.kernel[a], w.before[a]};
  };
  return apply(Resample<MeanAxis>{axis(0), axis(1)}, {x});
}

namespace {
template <class Axis>
Var upsample(Var x, int64_t factor) {
  const auto axis = [&](int from_right) {
    const int64_t in = x.type().dim(from_right);
    return Axis{in, in * factor, factor};
  };
  return apply(Resample<Axis>{axis(2), axis(1)}, {x});
}
}  // namespace

Var upsample_nearest(Var x, int64_t factor) { return upsample<NearestAxis>(x, factor); }
Var upsample_bilinear(Var x, int64_t factor) { return upsample<LinearAxis>(x, factor); }

namespace {

std::vector<Sample> samples() {
  std::vector<Sample> all;
  const auto add = [&](const std::string& name, const auto& op, Shape lead, int64_t channels,
                       bool bench = false) {
    for (const bool transposed : {false, true}) {
      auto own = op;
      own.transposed = transposed;
      Shape shape = lead;
      shape.insert(shape.end(), {transposed ? op.height.out : op.height.in,
                                 transposed ? op.width.out : op.width.in, channels});
      all.push_back({.name = cat(op.name, transposed ? "/adjoint/" : "/", name),
                     .op = own,
                     .in = {{DType::f32, shape}},
                     .bench = bench});
    }
  };
  add("one", Resample<MeanAxis>{{1, 1, 1, 0}, {1, 1, 1, 0}}, {}, 1);
  add("valid", Resample<MeanAxis>{{5, 2, 2, 0}, {7, 2, 3, 0}}, {3}, 5);
  add("same", Resample<MeanAxis>{{7, 4, 2, 0}, {7, 3, 3, 1}}, {2, 3}, 37);
  add("bench", Resample<MeanAxis>{{28, 14, 2, 0}, {28, 14, 2, 0}}, {128}, 16, true);
  add("odd", Resample<NearestAxis>{{3, 6, 2}, {5, 15, 3}}, {2, 3}, 5);
  add("wide", Resample<NearestAxis>{{1, 2, 2}, {3, 6, 2}}, {2}, 67);
  add("bench", Resample<NearestAxis>{{14, 28, 2}, {14, 28, 2}}, {128}, 16, true);
  add("odd", Resample<LinearAxis>{{3, 6, 2}, {5, 15, 3}}, {2, 3}, 5);
  add("one", Resample<LinearAxis>{{1, 4, 4}, {1, 1, 1}}, {2}, 1);
  add("even", Resample<LinearAxis>{{4, 16, 4}, {2, 10, 5}}, {2}, 3);
  add("bench", Resample<LinearAxis>{{14, 28, 2}, {14, 28, 2}}, {128}, 16, true);
  return all;
}
const RegisterSamples registered{"pool/resample", samples};

}  // namespace
}  // namespace latent
