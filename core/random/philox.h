// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers:
// as easy as 1, 2, 3, SC 2011). A draw is a function of (seed, step, stream, element): no state,
// any order, the same bits on every device.
//
// The key is the seed. The counter is (element / 4, step, stream); four neighbouring elements share
// a block. A stream is the hash of the *name* of what is drawn, so that adding a draw changes
// nobody else's.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/hd.h"
#include "core/math/math.h"

namespace latent {

/// The stream of a name, for example "corruption" or "init/encoder.0.weight": FNV-1a of 64 bits.
constexpr uint64_t stream_of(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

struct Words4 {
  uint32_t v[4];
};
struct Float4 {
  float v[4];
};

/// The block cipher itself: ten rounds on a counter of four words under a key of two.
LATENT_HD Words4 philox4x32(Words4 counter, uint32_t key0, uint32_t key1) {
  uint32_t c0 = counter.v[0], c1 = counter.v[1], c2 = counter.v[2], c3 = counter.v[3];
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * c0, b = uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<uint32_t>(b >> 32) ^ c1 ^ key0;
    c2 = static_cast<uint32_t>(a >> 32) ^ c3 ^ key1;
    c1 = static_cast<uint32_t>(b);
    c3 = static_cast<uint32_t>(a);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// The words of elements 4 block to 4 block + 3. What of block and step is beyond 32 bits enters
/// the stream's words.
LATENT_HD Words4 random_words4(uint64_t seed, uint64_t step, uint64_t stream, uint64_t block) {
  const uint64_t mixed = stream ^ (block >> 32) ^ (step >> 32 << 32);
  return philox4x32({{static_cast<uint32_t>(block), static_cast<uint32_t>(step),
                      static_cast<uint32_t>(mixed), static_cast<uint32_t>(mixed >> 32)}},
                    static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

/// Uniform in [0, 1): the top 24 bits, an exact float.
LATENT_HD float uniform_of(uint32_t word) {
  return static_cast<float>(static_cast<int32_t>(word >> 8)) * 0x1p-24f;
}

/// P(true) = p rounded to a multiple of 2^-24; an integer comparison. The same as uniform < p for
/// such p.
LATENT_HD bool bernoulli_of(uint32_t word, float p) {
  return static_cast<int32_t>(word >> 8) < static_cast<int32_t>(p * 0x1p24f + 0.5f);
}

/// Two standard normals from two words: Box and Muller (1958), radius from u in (0, 1], so at most
/// 5.77.
LATENT_HD void normal_pair_of(uint32_t a, uint32_t b, float* first, float* second) {
  const float u = 1.0f - uniform_of(a);
  const float radius = math::sqrt(-2.0f * math::log(u));
  float sine, cosine;
  math::sincos_2pi(uniform_of(b), &sine, &cosine);
  *first = radius * cosine;
  *second = radius * sine;
}

// ---- Four elements at once: 4 block to 4 block + 3 ----

LATENT_HD Float4 uniform4(uint64_t seed, uint64_t step, uint64_t stream, uint64_t block) {
  const Words4 w = random_words4(seed, step, stream, block);
  return {{uniform_of(w.v[0]), uniform_of(w.v[1]), uniform_of(w.v[2]), uniform_of(w.v[3])}};
}

LATENT_HD Float4 normal4(uint64_t seed, uint64_t step, uint64_t stream, uint64_t block) {
  const Words4 w = random_words4(seed, step, stream, block);
  Float4 z;
  normal_pair_of(w.v[0], w.v[1], &z.v[0], &z.v[1]);
  normal_pair_of(w.v[2], w.v[3], &z.v[2], &z.v[3]);
  return z;
}

/// 1 with probability p, else 0.
LATENT_HD Float4 bernoulli4(uint64_t seed, uint64_t step, uint64_t stream, uint64_t block,
                            float p) {
  const Words4 w = random_words4(seed, step, stream, block);
  Float4 mask;
  for (int i = 0; i < 4; ++i) mask.v[i] = math::select(bernoulli_of(w.v[i], p), 1.0f, 0.0f);
  return mask;
}

// ---- One element: the same numbers, at the price of four ----

LATENT_HD uint32_t random_word(uint64_t seed, uint64_t step, uint64_t stream, uint64_t element) {
  const Words4 w = random_words4(seed, step, stream, element / 4);
  const uint32_t low = (element & 1) != 0 ? w.v[1] : w.v[0];
  const uint32_t high = (element & 1) != 0 ? w.v[3] : w.v[2];
  return (element & 2) != 0 ? high : low;
}

LATENT_HD float uniform(uint64_t seed, uint64_t step, uint64_t stream, uint64_t element) {
  return uniform_of(random_word(seed, step, stream, element));
}

LATENT_HD bool bernoulli(uint64_t seed, uint64_t step, uint64_t stream, uint64_t element, float p) {
  return bernoulli_of(random_word(seed, step, stream, element), p);
}

LATENT_HD float normal(uint64_t seed, uint64_t step, uint64_t stream, uint64_t element) {
  const Words4 w = random_words4(seed, step, stream, element / 4);
  const bool high = (element & 2) != 0;
  float first, second;
  normal_pair_of(high ? w.v[2] : w.v[0], high ? w.v[3] : w.v[1], &first, &second);
  return math::select((element & 1) != 0, second, first);
}

}  // namespace latent
