#include "kernels/select/topk.h"

#include "core/graph/samples.h"
#include "core/math/math.h"
#include "kernels/functions.h"
#include "kernels/ops.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"
#include "kernels/skeleton/unroll.h"

namespace latent {
namespace {

// ---- The order of entries ------------------------------------------------------------------------

/// Larger entries have larger keys, equal ones (0 and -0) the same, NaN the largest.
LATENT_HD uint32_t order_of(float x) {
  const uint32_t bits = math::bits_of(x + 0.0f);
  const uint32_t key = bits ^ (static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31) | 1u << 31);
  return key | (0u - static_cast<uint32_t>(x != x));
}
LATENT_HD uint64_t order_of(double x) {
  const uint64_t bits = __builtin_bit_cast(uint64_t, x + 0.0);
  const uint64_t key =
      bits ^ (static_cast<uint64_t>(static_cast<int64_t>(bits) >> 63) | uint64_t{1} << 63);
  return key | (uint64_t{0} - static_cast<uint64_t>(x != x));
}

template <bool kMagnitude, class T>
LATENT_HD auto key_of(T x) {
  return order_of(kMagnitude ? math::abs(x) : x);
}

/// A dropped entry is +0, so a kept one is not.
template <class T>
LATENT_HD T result_of(T x, bool kept) {
  return math::select(kept, math::select(x == T(0), T(-0.0), x), T(0));
}
LATENT_HD bool is_kept(float y) { return math::bits_of(y) != 0; }
LATENT_HD bool is_kept(double y) { return __builtin_bit_cast(uint64_t, y) != 0; }

/// k, fixed or in device memory.
struct Count {
  int64_t fixed;
  const void* at;  ///< nullptr: fixed
  DType dtype;
  LATENT_HD int64_t operator()(int64_t d) const {
    double k = static_cast<double>(fixed);
    if (at && dtype == DType::f32) k = *static_cast<const float*>(at);
    if (at && dtype == DType::f64) k = *static_cast<const double*>(at);
    if (at && dtype == DType::i32) k = *static_cast<const int32_t*>(at);
    if (at && dtype == DType::u64) k = static_cast<double>(*static_cast<const uint64_t*>(at));
    const double most = static_cast<double>(d);
    return k >= most ? d : k > 1 ? static_cast<int64_t>(k + 0.5) : 1;
  }
};

// ---- CPU: the key of the k-th largest entry, bit by bit ------------------------------------------

template <class T, bool kMagnitude>
struct CpuTopK {
  const T* x;
  T* y;
  int64_t rows, d, rows_a_task;
  Count count;

  using Key = decltype(order_of(T()));

  /// How many entries of a row have a key of at least `key`.
  LATENT_CPU_BODY int at_least(const T* row, Key key) const {
    const int size = static_cast<int>(d);
    int n = 0;
#pragma omp simd reduction(+ : n)
    for (int c = 0; c < size; ++c) n += key_of<kMagnitude>(row[c]) >= key;
    return n;
  }

  LATENT_CPU_BODY void select(const T* row, T* out, int k) const {
    const int size = static_cast<int>(d);
    // The greatest key that k entries reach. Where exactly k do, the bits below change nothing.
    Key cut = 0;
    int reach = size;
    for (Key bit = Key{1} << (8 * sizeof(Key) - 1); bit != 0 && reach != k; bit >>= 1) {
      const int n = at_least(row, cut | bit);
      if (n < k) continue;
      cut |= bit;
      reach = n;
    }
    // Of the entries at the cut those with the lowest indices stay.
    int last = size;
    for (int surplus = reach - k; surplus > 0;)
      if (key_of<kMagnitude>(row[--last]) == cut) --surplus;
#pragma omp simd
    for (int c = 0; c < size; ++c) {
      const Key key = key_of<kMagnitude>(row[c]);
      out[c] = result_of(row[c], (key > cut) | ((key == cut) & (c < last)));
    }
  }

  LATENT_CPU_BODY void operator()(int64_t task) const {
    const int k = static_cast<int>(count(d));
    const int64_t end = std::min(rows, (task + 1) * rows_a_task);
    for (int64_t r = task * rows_a_task; r < end; ++r) select(x + r * d, y + r * d, k);
  }
};

// ---- GPU: a radix select, a block a row ----------------------------------------------------------

/// Rows up to here are read once.
constexpr int64_t kLongestHeld = 24576;

/// Digits of 8 bits of (key, places behind it), largest first: no two entries are equal. A thread
/// holds Items entries, or, where Items is 0, reads them at every digit.
template <int Threads, int Items, bool kMagnitude>
struct GpuTopK {
  static constexpr int max_threads = Threads;
  static constexpr int kBins = 256, kBinsALane = kBins / 32;
  const float* x;
  float* y;
  int d;
  Count count;

  struct Found {
    int digit, size;  ///< of the bin that holds the last entry to be kept
    int rest;         ///< how many of it are
  };

  /// The entries of a thread.
  struct Entries {
    const float* row;
    int d;
    float held[Items > 0 ? Items : 1];

    LATENT_KERNEL void load(Thread& t) {
      if constexpr (Items > 0) {
        LATENT_UNROLL
        for (int j = 0; j < Items; ++j) {
          const int c = j * Threads + t.thread();
          held[j] = c < d ? row[c] : 0.0f;
        }
      }
    }
    /// f(c, entry c), whatever the order.
    template <class F>
    LATENT_KERNEL void each(Thread& t, const F& f) const {
      if constexpr (Items > 0) {
        LATENT_UNROLL
        for (int j = 0; j < Items; ++j) {
          const int c = j * Threads + t.thread();
          if (c < d) f(c, held[j]);
        }
      } else {
        for (int c = t.thread(); c < d; c += Threads) f(c, row[c]);
      }
    }
  };

  LATENT_KERNEL uint64_t rank(int c, float value) const {
    return static_cast<uint64_t>(key_of<kMagnitude>(value)) << 32 |
           static_cast<uint32_t>(d - 1 - c);
  }

  /// The bin in which the count from the largest digit down reaches `rest`; by the first warp.
  LATENT_KERNEL void find(Thread& t, const uint32_t* bins, int rest, Found* found) const {
    const int top = kBins - 1 - t.lane() * kBinsALane;  // the first lane has the largest digits
    int own = 0;
    for (int i = 0; i < kBinsALane; ++i) own += static_cast<int>(bins[top - i]);
    int sum = own;
    for (int width = 1; width < 32; width *= 2) {
      const int before = t.shuffle_up(sum, width);
      if (t.lane() >= width) sum += before;
    }
    int left = rest - (sum - own);
    if (left <= 0 || left > own) return;
    int digit = top;
    while (left > static_cast<int>(bins[digit])) left -= static_cast<int>(bins[digit--]);
    *found = {digit, static_cast<int>(bins[digit]), left};
  }

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(uint32_t, bins, kBins);
    SHARED(Found, found, 1);
    Entries entries{x + t.block() * d, d, {}};
    entries.load(t);
    int places = 0;  // where their first digit is
    while (places < 24 && (d - 1) >> (places + 8) != 0) places += 8;
    uint64_t prefix = 0, mask = 0;
    int rest = static_cast<int>(count(d));
    for (int shift = 56; shift >= 0; shift = shift == 32 ? places : shift - 8) {
      for (int b = t.thread(); b < kBins; b += Threads) bins[b] = 0;
      t.sync();
      entries.each(t, [&](int c, float value) {
        const uint64_t r = rank(c, value);
        if ((r & mask) == prefix) t.atomic_add(&bins[r >> shift & 255], 1u);
      });
      t.sync();
      if (t.warp() == 0) find(t, bins, rest, found);
      t.sync();
      prefix |= static_cast<uint64_t>(found->digit) << shift;
      mask |= uint64_t{255} << shift;
      rest = found->rest;
      if (found->size == rest) break;  // all of the bin stay
    }
    float* out = y + t.block() * d;
    entries.each(t, [&](int c, float value) {
      out[c] = result_of(value, (rank(c, value) & mask) >= prefix);
    });
  }
};

template <int Threads, int Items, bool kMagnitude>
void launch_topk(Stream& stream, const float* x, float* y, int64_t rows, int64_t d,
                 const Count& count) {
  launch(stream, {.blocks = rows, .threads = Threads},
         GpuTopK<Threads, Items, kMagnitude>{x, y, static_cast<int>(d), count});
}

template <bool kMagnitude>
void topk_on_gpu(Stream& stream, const float* x, float* y, int64_t rows, int64_t d,
                 const Count& count) {
  if (d <= 1024)
    launch_topk<256, 4, kMagnitude>(stream, x, y, rows, d, count);
  else if (d <= 4096)
    launch_topk<256, 16, kMagnitude>(stream, x, y, rows, d, count);
  else if (d <= 16384)
    launch_topk<1024, 16, kMagnitude>(stream, x, y, rows, d, count);
  else if (d <= kLongestHeld)
    launch_topk<1024, 24, kMagnitude>(stream, x, y, rows, d, count);
  else
    launch_topk<1024, 0, kMagnitude>(stream, x, y, rows, d, count);
}

template <bool kMagnitude, class T>
void run_topk(Stream& stream, const T* x, T* y, int64_t rows, int64_t d, const Count& count) {
  if (rows == 0 || d == 0) return;
  if (!stream.gpu) {
    const int64_t rows_a_task = std::max<int64_t>(1, 2048 / d);
    cpu::run_tasks(fold::ceil_div(rows, rows_a_task), 16 * rows * d,
                   CpuTopK<T, kMagnitude>{x, y, rows, d, rows_a_task, count});
  } else if constexpr (std::is_same_v<T, float>) {
    topk_on_gpu<kMagnitude>(stream, x, y, rows, d, count);
  } else {
    no_gpu_body(stream);
  }
}

/// Element i of each of g's rows [.., n] belongs to element i of y [n].
template <class T>
struct KeptBody {
  const T *g, *y;
  T* out;
  int64_t n;
  LATENT_HD void operator()(int64_t r, int64_t i) const {
    out[r * n + i] = math::select(is_kept(y[i]), g[r * n + i], T(0));
  }
};

}  // namespace

std::vector<Type> TopK::infer(Types in) const {
  if (in.size() != 1 && in.size() != 2) throw op_error(name, "takes x, or x and k", in);
  require_reals(name, in.first(1), 1);
  const int64_t d = in[0].dim(0);
  if (in[0].rank() < 1) throw op_error(name, "x has no rows", in);
  if (in.size() == 1 && (k < 1 || k > d))
    throw op_error(name, cat("k = ", k, " is not in [1, ", d, "]"), in);
  const bool number = in.size() == 1 || in[1].dtype == DType::f32 || in[1].dtype == DType::f64 ||
                      in[1].dtype == DType::i32 || in[1].dtype == DType::u64;
  if (!number || in.back().elements() < 1 || (in.size() == 2 && in[1].elements() != 1))
    throw op_error(name, "k is one number", in);
  if (d >= int64_t{1} << 31) throw op_error(name, "rows are too long", in);
  return {in[0]};
}

Kernel TopK::prepare(const Signature& s, Device&) const {
  const int64_t d = s.in[0].dim(0), rows = d ? s.in[0].elements() / d : 0;
  const bool given = s.in.size() > 1;
  const DType of_k = given ? s.in[1].dtype : DType::i32;
  return real_kernel(s.in[0].dtype, [=, op = *this](const Args& a, auto real) {
    using T = decltype(real);
    const Count count{op.k, given ? a.in[1] : nullptr, of_k};
    if (op.magnitude)
      run_topk<true>(a.stream, a.input<T>(0), a.output<T>(0), rows, d, count);
    else
      run_topk<false>(a.stream, a.input<T>(0), a.output<T>(0), rows, d, count);
  });
}

std::vector<Var> TopK::vjp(const Pullback& p) const {
  std::vector<Var> result(p.in.size());
  result[0] = apply(TopKGradient{}, {p.cotangents[0], p.out[0]});
  return result;
}

Cost TopK::cost(const Signature& s) const {
  Cost cost = streaming_cost(s, 16);
  // Rows that no block holds are read again for every digit; how many there are, the data decide.
  if (s.in[0].dim(0) > kLongestHeld) cost.bytes += 3.0 * static_cast<double>(s.in[0].bytes());
  return cost;
}

std::vector<Type> TopKGradient::infer(Types in) const { return infer_gradient(name, in); }

Kernel TopKGradient::prepare(const Signature& s, Device&) const {
  const int64_t n = s.in[1].elements(), rows = n ? s.in[0].elements() / n : 0;
  return real_kernel(s.in[0].dtype, [n, rows](const Args& a, auto real) {
    using T = decltype(real);
    for_each_row(a.stream, rows, n, KeptBody<T>{a.input<T>(0), a.input<T>(1), a.output<T>(0), n});
  });
}

std::vector<Var> TopKGradient::vjp(const Pullback& p) const {
  return {apply(TopKGradient{}, {p.cotangents[0], p.in[1]}), {}};
}

Var topk(Var x, int64_t k, bool magnitude) {
  return apply(TopK{.k = k, .magnitude = magnitude}, {x});
}
Var topk(Var x, Var k, bool magnitude) { return apply(TopK{.magnitude = magnitude}, {x, k}); }

namespace {

const RegisterSamples samples{
    "select/topk", [] {
      std::vector<Sample> all;
      // Central differences must not change the selection, so the entries of rows whose gradient
      // is checked lie apart; where they do, the op is linear and its second derivative 0.
      const auto add = [&](const Shape& shape, int64_t k, bool magnitude, int order = 2,
                           bool bench = false) {
        all.push_back(
            {.name = cat("topk/", magnitude ? "magnitude/" : "value/", to_string(shape), "/", k),
             .op = TopK{.k = k, .magnitude = magnitude},
             .in = {{DType::f32, shape}},
             .order = order,
             .bench = bench});
      };
      add({1, 37}, 5, false);
      add({37, 1}, 1, true);
      add({5, 64}, 64, false);
      add({3, 5, 7}, 2, true);
      add({3, 1100}, 25, true, 1);
      add({2, 5000}, 1, false, 0);
      add({2, 20000}, 300, false, 0);
      add({1, 40000}, 1000, true, 0);
      add({256, 1000}, 25, false, 1, true);
      add({32, 24576}, 32, false, 1, true);
      add({4, 131072}, 64, false, 1, true);
      for (const DType of_k : {DType::f32, DType::i32, DType::u64})
        all.push_back({.name = cat("topk/k/", name_of(of_k)),
                       .op = TopK{},
                       .in = {{DType::f32, {9, 37}}, {of_k, {1}}},
                       .range = {{-1, 1}, {3.1, 3.4}},
                       .wrt = {true, false}});
      all.push_back({.name = "topk/gradient/batched",
                     .op = TopKGradient{},
                     .in = {{DType::f32, {2, 3, 7}}, {DType::f32, {3, 7}}},
                     .wrt = {true, false}});
      return all;
    }};

}  // namespace
}  // namespace latent
