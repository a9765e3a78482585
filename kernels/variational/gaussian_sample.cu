#include "kernels/variational/gaussian_sample.h"

#include "core/graph/samples.h"
#include "core/random/philox.h"
#include "kernels/adding.h"
#include "kernels/ops.h"
#include "kernels/random/draw.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"

namespace latent {
namespace {

/// Where the noise of a row of z comes from.
template <class T>
struct Noise {
  const uint64_t *seed, *step;
  uint64_t stream;
  int64_t units;
  LATENT_HD T operator()(int64_t row, int64_t unit) const {
    return T(normal(*seed, *step, stream, static_cast<uint64_t>(row * units + unit)));
  }
};

template <class T>
struct Densities {
  T kl, log_ratio;
};

struct SumDensities {
  template <class A>
  static LATENT_HD A identity() {
    return {0, 0};
  }
  template <class A>
  static LATENT_HD A combine(A a, A b) {
    return {a.kl + b.kl, a.log_ratio + b.log_ratio};
  }
};

template <class T>
struct SampleBody {
  const T* h;
  Noise<T> noise;
  T* z;
  int64_t units, samples;
  LATENT_HD Densities<T> operator()(int64_t r, int64_t u) const {
    const T* const of = h + r / samples * 2 * units;
    const T mu = of[u], logvar = of[units + u];
    const T deviation = math::exp(T(0.5) * logvar), eps = noise(r, u);
    const T drawn = mu + deviation * eps;
    z[r * units + u] = drawn;
    return {T(0.5) * (mu * mu + deviation * deviation - T(1) - logvar),
            T(0.5) * (eps * eps + logvar - drawn * drawn)};
  }
};

template <class T>
struct StoreDensities {
  T *kl, *log_ratio;
  int64_t samples;
  LATENT_HD void operator()(int64_t r, Densities<T> d) const {
    log_ratio[r] = d.log_ratio;
    if (r % samples == 0) kl[r / samples] = d.kl;
  }
};

/// The cotangents of mu and logvar of one unit. Row r counts the rows of all leading axes.
template <class T>
struct SampleGradBody {
  const T *h, *z, *kl, *log_ratio;  // cotangents; nullptr where none is given
  const T* more;                    // likewise
  Noise<T> noise;
  T* out;
  int64_t rows, units, samples;
  LATENT_HD void operator()(int64_t r, int64_t u) const {
    const int64_t row = r % rows;
    const T* const of = h + row * 2 * units;
    const T mu = of[u], deviation = math::exp(T(0.5) * of[units + u]);
    const T of_kl = kl ? kl[r] : T(0);
    T of_mu = of_kl * mu, of_logvar = T(0.5) * of_kl * (deviation * deviation - T(1));
    for (int64_t s = 0; s < samples; ++s) {
      const int64_t at = r * samples + s;
      const T spread = deviation * noise(row * samples + s, u);
      const T ratio = log_ratio ? log_ratio[at] : T(0);
      const T drawn = (z ? z[at * units + u] : T(0)) - ratio * (mu + spread);
      of_mu += drawn;
      of_logvar += T(0.5) * (drawn * spread + ratio);
    }
    const int64_t at = r * 2 * units + u;
    out[at] = more ? of_mu + more[at] : of_mu;
    out[at + units] = more ? of_logvar + more[at + units] : of_logvar;
  }
};

bool is_counter(const Type& t) { return t == Type{DType::u64, {1}}; }

void require_code(std::string_view op, Types in, int64_t samples) {
  const bool real = !in.empty() && (in[0].dtype == DType::f32 || in[0].dtype == DType::f64);
  if (in.size() < 3 || !real || in[0].rank() != 2 || in[0].dim(0) % 2 != 0 || !is_counter(in[1]) ||
      !is_counter(in[2]))
    throw op_error(op, "takes means and log-variances [rows, 2 units], seed u64[1], step u64[1]",
                   in);
  if (samples < 1) throw op_error(op, cat(samples, " samples"), in);
}

/// The ops' parts of h and the noise, in graph ops: mu and deviation [rows, 1, units], eps [rows, samples, units].
struct Parts {
  Var mu, logvar, deviation, eps;
  Parts(std::span<const Var> in, uint64_t stream, int64_t samples) {
    const Var h = in[0];
    const int64_t rows = h.shape()[0], units = h.shape()[1] / 2;
    mu = reshape(slice(h, 0, 0, units), {rows, 1, units});
    logvar = reshape(slice(h, 0, units, 2 * units), {rows, 1, units});
    deviation = exp(0.5 * logvar);
    const Draw draw{.kind = Draw::Kind::normal, .stream = stream, .shape = {rows, samples, units}};
    eps = cast(apply(draw, {in[1], in[2]}), h.type().dtype);
  }
  Var z() const { return mu + deviation * eps; }
};

}  // namespace

std::vector<Type> GaussianSample::infer(Types in) const {
  require_code(name, in, samples);
  if (in.size() != 3) throw op_error(name, "takes three inputs", in);
  const DType dtype = in[0].dtype;
  const int64_t rows = in[0].shape[0], units = in[0].shape[1] / 2;
  return {{dtype, {rows * samples, units}}, {dtype, {rows}}, {dtype, {rows * samples}}};
}

Kernel GaussianSample::prepare(const Signature& s, Device&) const {
  const int64_t rows = s.out[0].shape[0], units = s.out[0].shape[1];
  return real_kernel(s.in[0].dtype, [=, *this](const Args& a, auto real) {
    using T = decltype(real);
    const Noise<T> noise{a.input<uint64_t>(1), a.input<uint64_t>(2), stream, units};
    reduce_rows(a.stream, rows, units, SumDensities{},
                SampleBody<T>{a.input<T>(0), noise, a.output<T>(0), units, samples},
                StoreDensities<T>{a.output<T>(1), a.output<T>(2), samples});
  });
}

std::vector<Var> GaussianSample::vjp(const Pullback& p) const {
  std::vector<Var> result(3);
  if (!p.needs[0]) return result;
  GaussianSampleGrad op{.stream = stream, .samples = samples};
  std::vector<Var> in(p.in.begin(), p.in.end());
  bool* const given[] = {&op.z, &op.kl, &op.log_ratio};
  for (int o = 0; o < 3; ++o)
    if ((*given[o] = bool(p.cotangents[o]))) in.push_back(p.cotangents[o]);
  result[0] = latent::apply(op, std::span<const Var>(in));
  return result;
}

std::vector<Var> GaussianSample::reference(std::span<const Var> in) const {
  const Parts parts(in, stream, samples);
  const int64_t rows = in[0].shape()[0], units = in[0].shape()[1] / 2;
  const Var z = parts.z(), flat = reshape(z, {rows * samples, units});
  const Var kl = 0.5 * sum_rows(square(parts.mu) + exp(parts.logvar) - 1 - parts.logvar);
  const Var ratio = 0.5 * (square(parts.eps) + parts.logvar - square(z));
  return {flat, kl, sum_rows(reshape(ratio, {rows * samples, units}))};
}

std::vector<Type> GaussianSampleGrad::infer(Types in) const {
  require_code(name, in, samples);
  if (in.size() != size_t(3 + z + kl + log_ratio + adds))
    throw op_error(name, "takes the cotangents that it says", in);
  const int64_t rows = in[0].shape[0], units = in[0].shape[1] / 2;
  Shape lead;
  size_t next = 3;
  const auto check = [&](bool given, const Shape& tail) {
    if (!given) return;
    const Type& t = in[next];
    if (t.dtype != in[0].dtype || t.shape.size() < tail.size() ||
        !std::equal(tail.rbegin(), tail.rend(), t.shape.rbegin()))
      throw op_error(name, "a cotangent does not fit", in);
    const Shape before(t.shape.begin(), t.shape.end() - static_cast<int64_t>(tail.size()));
    if (next > 3 && before != lead) throw op_error(name, "leading axes differ", in);
    lead = before;
    ++next;
  };
  check(z, {rows * samples, units});
  check(kl, {rows});
  check(log_ratio, {rows * samples});
  lead.insert(lead.end(), {rows, 2 * units});
  const Type out{in[0].dtype, lead};
  if (adds && in.back() != out)
    throw op_error(name, cat("what is added must be ", to_string(out)), in);
  return {out};
}

Kernel GaussianSampleGrad::prepare(const Signature& s, Device&) const {
  const int64_t rows = s.in[0].shape[0], units = s.in[0].shape[1] / 2;
  const int64_t all = s.out[0].elements() / (2 * units);
  return real_kernel(s.in[0].dtype, [=, *this](const Args& a, auto real) {
    using T = decltype(real);
    int next = 3;
    const auto cotangent = [&](bool given) { return given ? a.input<T>(next++) : nullptr; };
    const T *const of_z = cotangent(z), *const of_kl = cotangent(kl),
                   *const of_ratio = cotangent(log_ratio);
    for_each_row(
        a.stream, all, units,
        SampleGradBody<T>{a.input<T>(0), of_z, of_kl, of_ratio, cotangent(adds),
                          Noise<T>{a.input<uint64_t>(1), a.input<uint64_t>(2), stream, units},
                          a.output<T>(0), rows, units, samples});
  });
}

std::vector<Var> GaussianSampleGrad::reference(std::span<const Var> in) const {
  const Parts parts(in, stream, samples);
  const int64_t rows = in[0].shape()[0], units = in[0].shape()[1] / 2;
  // Cotangents as [..., rows, samples, units], or with 1 in place of the last two.
  const auto shaped = [&](Var v, int tail, const Shape& inner) {
    Shape shape(v.shape().begin(), v.shape().end() - tail);
    shape.insert(shape.end(), inner.begin(), inner.end());
    return reshape(v, shape);
  };
  size_t next = 3;
  Var drawn, of_mu, of_logvar;
  const auto add_to = [](Var& total, Var term) { total = total ? total + term : term; };
  const Var of_z = z ? shaped(in[next++], 2, {rows, samples, units}) : Var{};
  const Var of_kl = kl ? shaped(in[next++], 1, {rows, 1, 1}) : Var{};
  const Var ratio = log_ratio ? shaped(in[next++], 1, {rows, samples, 1}) : Var{};
  if (of_z) drawn = of_z;
  if (ratio) add_to(drawn, -ratio * parts.z());
  const int one[] = {1};
  const auto over_samples = [&](Var v) { return sum_axes(v, one, true); };
  if (drawn) {
    add_to(of_mu, over_samples(drawn));
    add_to(of_logvar, 0.5 * over_samples(drawn * parts.deviation * parts.eps));
  }
  if (ratio) add_to(of_logvar, 0.5 * over_samples(ratio));
  if (of_kl) {
    add_to(of_mu, of_kl * parts.mu);
    add_to(of_logvar, 0.5 * of_kl * (exp(parts.logvar) - 1));
  }
  const Var halves[] = {of_mu, of_logvar};
  const Var joined = concat(halves, 0);  // [..., rows, 1, 2 units]
  Shape shape(joined.shape().begin(), joined.shape().end() - 3);
  shape.insert(shape.end(), {rows, 2 * units});
  const Var out = reshape(joined, shape);
  return {adds ? out + in.back() : out};
}

namespace {

constexpr uint64_t kStream = stream_of("bottleneck.sample");

Sample forward_sample(int64_t rows, int64_t units, int64_t samples, bool bench = false) {
  const Type counter{DType::u64, {1}};
  return {.name = cat("gaussian_sample/", rows, "x", units, "x", samples),
          .op = GaussianSample{.stream = kStream, .samples = samples},
          .in = {{DType::f32, {rows, 2 * units}}, counter, counter},
          .range = {{-1, 1}, {0, 1e9}, {0, 1e6}},
          .bench = bench};
}

Sample gradient_sample(const GaussianSampleGrad& op, Shape lead, int64_t rows, int64_t units,
                       bool bench = false) {
  const Type counter{DType::u64, {1}};
  const auto type = [&](Shape tail) {
    Shape shape = lead;
    shape.insert(shape.end(), tail.begin(), tail.end());
    return Type{DType::f32, shape};
  };
  Sample sample{.name = cat("gaussian_sample/gradient/", to_string(lead), "/", rows, "x", units,
                            "x", op.samples, op.z ? "/z" : "", op.kl ? "/kl" : "",
                            op.log_ratio ? "/log_ratio" : "", op.adds ? "/adds" : ""),
                .op = op,
                .in = {{DType::f32, {rows, 2 * units}}, counter, counter},
                .range = {{-1, 1}, {0, 1e9}, {0, 1e6}},
                .bench = bench};
  if (op.z) sample.in.push_back(type({rows * op.samples, units}));
  if (op.kl) sample.in.push_back(type({rows}));
  if (op.log_ratio) sample.in.push_back(type({rows * op.samples}));
  if (op.adds) sample.in.push_back(type({rows, 2 * units}));
  sample.range.resize(sample.in.size());
  return sample;
}

const RegisterAdding<GaussianSampleGrad> registered_adding;
const RegisterSamples registered{
    "variational/gaussian_sample", [] {
      std::vector<Sample> all{forward_sample(1, 1, 1),  forward_sample(5, 3, 1),
                              forward_sample(3, 7, 4),  forward_sample(37, 1, 2),
                              forward_sample(2, 33, 3), forward_sample(128, 20, 1, true)};
      GaussianSampleGrad op{.stream = kStream, .samples = 1};
      all.push_back(gradient_sample(op, {}, 1, 1));
      all.push_back(gradient_sample(op, {2}, 3, 5));
      op.log_ratio = false;
      all.push_back(gradient_sample(op, {}, 5, 3));
      all.push_back(gradient_sample(op, {}, 128, 20, true));
      op.adds = true;
      all.push_back(gradient_sample(op, {2}, 5, 3));
      op = {.stream = kStream, .samples = 3, .z = true, .kl = false, .log_ratio = true};
      all.push_back(gradient_sample(op, {2, 2}, 2, 3));
      op = {.stream = kStream, .samples = 2, .z = false, .kl = true, .log_ratio = false};
      all.push_back(gradient_sample(op, {}, 3, 5));
      op = {.stream = kStream, .samples = 2, .z = false, .kl = false, .log_ratio = true};
      all.push_back(gradient_sample(op, {}, 3, 5));
      return all;
    }};

}  // namespace
}  // namespace latent
