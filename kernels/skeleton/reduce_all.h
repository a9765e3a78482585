// reduce_all: one result for a whole array.
#pragma once

#include "kernels/skeleton/body.h"
#include "kernels/skeleton/fold.h"

namespace latent {
inline namespace LATENT_BACKEND {

namespace skeleton {

inline constexpr int kAllWarps = 32;
/// What one block reduces alone.
inline constexpr int64_t kOneBlock = 1 << 16;

/// Elements that a block of the first launch reduces: all, or at most 1024 blocks share them.
inline int64_t all_span(int64_t n) {
  if (n <= kOneBlock) return n;
  return std::max<int64_t>(1 << 14, fold::chunk(n, 1024));
}

template <class F>
struct From {
  F f;
  int64_t first;
  LATENT_HD auto operator()(int64_t i) const { return f(first + i); }
};

/// Partial results in the workspace. Sums of an f32 functor may be f64 on a GPU, too.
template <class A>
struct Load {
  const A* p;
  LATENT_HD A operator()(int64_t i) const { return p[i]; }
};

/// A Finish that stores results as they are.
template <class A>
struct Store {
  A* p;
  LATENT_HD void operator()(int64_t i, A a) const { p[i] = a; }
  LATENT_HD void operator()(A a) const { *p = a; }
};

/// A Finish of (acc) as one of (block, acc).
template <class Finish>
struct FinishAll {
  Finish finish;
  template <class A>
  LATENT_HD void operator()(int64_t, A a) const {
    finish(a);
  }
};

template <class M, class A, class F, class Sink>
struct CpuReduceSpans {
  int64_t n, span;
  F f;
  Sink sink;

  LATENT_CPU_BODY void operator()(int64_t b) const {
    sink(b, fold::cpu_block<M, kAllWarps, A>(std::min(span, n - b * span), From<F>{f, b * span}));
  }
};

template <class M, class A, class F, class Sink>
struct GpuReduceSpans {
  int64_t n, span;
  F f;
  Sink sink;

  LATENT_KERNEL void operator()(Thread& t) const {
    const int64_t b = t.block(), rest = n - b * span;
    const A a =
        fold::gpu_block<M, kAllWarps, A>(t, rest < span ? rest : span, From<F>{f, b * span});
    if (t.thread() == 0) sink(b, a);
  }
};

/// One pass: sink(b, acc of span b).
template <bool CpuOnly, class M, class A, class F, class Sink>
void reduce_spans(Stream& stream, int64_t n, int64_t span, const F& f, const Sink& sink) {
  const int64_t blocks = n == 0 ? 1 : fold::ceil_div(n, span);
  if (!stream.gpu) {
    cpu::run_tasks(blocks, n, CpuReduceSpans<M, A, F, Sink>{n, span, f, sink});
  } else if constexpr (CpuOnly) {
    no_gpu_body(stream);
  } else {
    launch(stream, {.blocks = blocks, .threads = 32 * kAllWarps},
           GpuReduceSpans<M, A, F, Sink>{n, span, f, sink});
  }
}

}  // namespace skeleton

/// Launches of reduce_all on a GPU: 1 up to 65536 elements, 2 beyond.
inline int reduce_all_launches(int64_t n) { return n <= skeleton::kOneBlock ? 1 : 2; }

/// Bytes of workspace that reduce_all needs on every device, where f returns Acc.
template <class Acc>
size_t reduce_all_workspace(int64_t n) {
  if (n <= skeleton::kOneBlock) return 0;
  return static_cast<size_t>(fold::ceil_div(n, skeleton::all_span(n))) * sizeof(Acc);
}

/// finish(acc) with acc = the monoid's sum over i in [0, n) of f(i). f may write outputs of its
/// own.
template <class M, class F, class Finish>
void reduce_all(Stream& stream, int64_t n, M, const F& f, const Finish& finish, void* workspace) {
  using A = decltype(f(int64_t{}));
  constexpr bool kCpuOnly = cpu_only_v<F, Finish>;
  const skeleton::FinishAll<Finish> last{finish};
  if (n <= skeleton::kOneBlock) {
    skeleton::reduce_spans<kCpuOnly, M, A>(stream, n, n, f, last);
    return;
  }
  const int64_t span = skeleton::all_span(n), blocks = fold::ceil_div(n, span);
  A* partial = static_cast<A*>(workspace);
  skeleton::reduce_spans<kCpuOnly, M, A>(stream, n, span, f, skeleton::Store<A>{partial});
  skeleton::reduce_spans<kCpuOnly, M, A>(stream, blocks, blocks, skeleton::Load<A>{partial}, last);
}

}  // namespace LATENT_BACKEND
}  // namespace latent
