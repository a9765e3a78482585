#include "kernels/random/draw.h"

#include "core/graph/samples.h"
#include "core/random/philox.h"
#include "kernels/skeleton/skeleton.h"

namespace latent {
namespace {

/// 1 or -1, by a word's top bit.
LATENT_HD Float4 rademacher4(uint64_t seed, uint64_t step, uint64_t stream, uint64_t block) {
  const Words4 w = random_words4(seed, step, stream, block);
  Float4 sign;
  for (int i = 0; i < 4; ++i) sign.v[i] = math::float_of(0x3f800000u | (w.v[i] & 0x80000000u));
  return sign;
}

/// Elements 4 block to 4 block + 3 of out [n]. Whole: all four are there, as a loop needs that shall
/// vectorise; else what is beyond the end is left out.
template <Draw::Kind kind, bool Whole>
struct DrawBlock {
  const uint64_t *seed, *step;
  uint64_t stream;
  float p;
  int64_t first, n;
  float* out;

  LATENT_HD Float4 draw(uint64_t block) const {
    if constexpr (kind == Draw::Kind::uniform) {
      return uniform4(*seed, *step, stream, block);
    } else if constexpr (kind == Draw::Kind::normal) {
      return normal4(*seed, *step, stream, block);
    } else if constexpr (kind == Draw::Kind::rademacher) {
      return rademacher4(*seed, *step, stream, block);
    } else {
      return bernoulli4(*seed, *step, stream, block, p);
    }
  }
  LATENT_HD void operator()(int64_t i) const {
    const int64_t block = first + i;
    const Float4 four = draw(static_cast<uint64_t>(block));
    for (int k = 0; k < 4; ++k)
      if (Whole || 4 * block + k < n) out[4 * block + k] = four.v[k];
  }
};

template <Draw::Kind kind>
Kernel draw_kernel(const Draw& op, int64_t n) {
  return {.run = [stream = op.stream, p = op.p, n](const Args& a) {
    const DrawBlock<kind, false> all{a.input<uint64_t>(0), a.input<uint64_t>(1), stream, p, 0, n,
                                     a.output<float>(0)};
    if (a.stream.gpu) return for_each(a.stream, (n + 3) / 4, all);
    for_each(a.stream, n / 4, DrawBlock<kind, true>{all.seed, all.step, stream, p, 0, n, all.out});
    DrawBlock<kind, false> last = all;
    last.first = n / 4;
    for_each(a.stream, n % 4 ? 1 : 0, last);
  }};
}

const RegisterSamples samples{
    "random/draw", [] {
      const Type counter{DType::u64, {1}};
      const auto sample = [&](const char* kind_name, Draw::Kind kind, Shape shape) {
        return Sample{.name = cat("draw/", kind_name, "/", to_string(shape)),
                      .op = Draw{.kind = kind, .stream = stream_of("sample"), .shape = shape},
                      .in = {counter, counter},
                      .range = {{0, 1e9}, {0, 1e6}},
                      .order = 0,
                      .bench = elements(shape) > 1000};
      };
      return std::vector<Sample>{sample("uniform", Draw::Kind::uniform, {7}),
                                 sample("uniform", Draw::Kind::uniform, {256, 784}),
                                 sample("normal", Draw::Kind::normal, {3, 5}),
                                 sample("normal", Draw::Kind::normal, {256, 784}),
                                 sample("bernoulli", Draw::Kind::bernoulli, {}),
                                 sample("bernoulli", Draw::Kind::bernoulli, {256, 784}),
                                 sample("rademacher", Draw::Kind::rademacher, {3, 5}),
                                 sample("rademacher", Draw::Kind::rademacher, {256, 784})};
    }};

}  // namespace

std::vector<Type> Draw::infer(Types in) const {
  const Type counter{DType::u64, {1}};
  if (in.size() != 2 || in[0] != counter || in[1] != counter)
    throw op_error(name, "takes seed u64[1] and step u64[1]", in);
  if (!(p >= 0 && p <= 1)) throw op_error(name, cat("probability ", p, " is not in [0, 1]"), in);
  return {{DType::f32, shape}};
}

Kernel Draw::prepare(const Signature& s, Device&) const {
  const int64_t n = s.out[0].elements();
  switch (kind) {
    case Kind::uniform:
      return draw_kernel<Kind::uniform>(*this, n);
    case Kind::normal:
      return draw_kernel<Kind::normal>(*this, n);
    case Kind::rademacher:
      return draw_kernel<Kind::rademacher>(*this, n);
    default:
      return draw_kernel<Kind::bernoulli>(*this, n);
  }
}

}  // namespace latent
