// Skeletons: all loops and launches of kernels. An op gives named functors of plain data (pointers,
// numbers, other functors; no lambdas) with `LATENT_HD ... operator()(...) const`; the skeleton
// runs them on the stream's device. s is a Stream&, indices are int64_t, Acc is what f returns.
// For .cu files only.
//
//   for_each(s, n, f)                                  f(i)
//   for_each_row(s, rows, cols, f)                     f(r, c)
//   reduce_rows(s, rows, cols, Sum{}, f, finish)       finish(r, acc over c of f(r, c))
//   reduce_cols(s, rows, cols, Sum{}, f, finish, ws)   finish(c, acc over r of f(r, c))
//   reduce_cols_of_each(s, count, rows, cols, Sum{}, f, finish)   reduce_cols of each of count matrices
//   reduce_all(s, n, Sum{}, f, finish, ws)             finish(acc over i of f(i))
//   sum_pairs<T>(s, rows, others, units, f)            sums over pairs of rows (sum_pairs.h)
//
// skeleton::Load<T>{p} is the f that reads p, skeleton::Store<T>{p} the finish that stores into p.
//
// The workspace ws has reduce_cols_workspace<Acc>(rows, cols), reduce_all_workspace<Acc>(n) bytes.
// One launch each; reduce_cols_launches(rows), reduce_all_launches(n) say when it is two. Monoids:
// Sum, Max, or a struct with static LATENT_HD `A identity<A>()` and `A combine(A, A)`; A may be a
// struct of up to 32 bytes without default member initialisers. f is called once an element and may
// write outputs (a loss and its gradient in one pass). Work is cut by problem size alone: the same
// bits for any number of threads and, where f's values agree to the bit, on CPU and GPU. A CPU loop
// vectorises when f has no branches (math::select) and calls only LATENT_HD functions.
//
// f64 runs on the CPU only: a functor template with double among its type arguments has no GPU
// body. `static constexpr bool cpu_only` in the functor says it otherwise, either way.
//
// Where no skeleton fits, a kernel is a functor too; launch() runs it and counts it:
//
//   struct Reverse {  // out[b * 256 + i] = in[b * 256 + 255 - i]
//     static constexpr int max_threads = 256;  // optional: more registers on CUDA
//     const float* in;
//     float* out;
//     LATENT_KERNEL void operator()(Thread& t) const {
//       SHARED(float, tile, 256);  // of the block; a constant size, no initial value
//       tile[t.thread()] = in[t.block() * 256 + t.thread()];
//       t.sync();  // every thread of the block must come here
//       out[t.block() * 256 + t.thread()] = tile[255 - t.thread()];
//     }
//   };
//   if (s.gpu) launch(s, {.blocks = n / 256, .threads = 256}, Reverse{in, out});
//
// Thread has thread() threads() lane() warp() warps() block() block_y() block_z() blocks()
// blocks_y() blocks_z(); sync() and sync_warp(); shuffle(v, lane), shuffle_xor(v, mask),
// shuffle_down(v, d), shuffle_up(v, d), ballot(bool), by whole warps (a warp may leave a kernel
// early, a lane alone may not); atomic_add(p, v), atomic_max(p, v) on integers; fence(). A block
// has a multiple of 32 threads. Reductions for kernels: fold::gpu_warp, fold::gpu_block (fold.h).
#pragma once

#include "kernels/skeleton/fold.h"
#include "kernels/skeleton/for_each.h"
#include "kernels/skeleton/launch.h"
#include "kernels/skeleton/reduce_all.h"
#include "kernels/skeleton/reduce_cols.h"
#include "kernels/skeleton/reduce_rows.h"
