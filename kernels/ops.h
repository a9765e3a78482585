// The ops as functions: what models, tests and references are written with. One line an op; its .cu
// file holds the rest. Binary ops broadcast from the right as numpy does. Axes are counted from the
// right: 0 is the last.
#pragma once

#include <span>

#include "core/graph/graph.h"

namespace latent {

struct Window;  // kernels/conv/window.h

// Functions of one variable (kernels/pointwise): f32 or f64, any shape.
Var abs(Var x);
Var elu(Var x);  // alpha = 1
Var exp(Var x);
Var gelu(Var x);  // x * Phi(x), not the tanh approximation
Var identity(Var x);
Var leaky_relu(Var x);  // slope 0.01
Var log(Var x);
Var reciprocal(Var x);
Var relu(Var x);
Var sigmoid(Var x);
Var silu(Var x);
Var softplus(Var x);
Var sqrt(Var x);
Var square(Var x);
Var tanh(Var x);

// Structural (kernels/structural).
Var add(Var a, Var b);
Var sub(Var a, Var b);
Var mul(Var a, Var b);
Var div(Var a, Var b);
Var affine(Var x, double a, double b);  // a x + b
Var fill(Graph& graph, const Type& type, double value);
Var fill_like(Var x, double value);
Var cast(Var x, DType to);
Var reshape(Var x, const Shape& shape);  // a view; one dimension may be -1
Var broadcast_to(Var x, const Shape& shape);
// Undoes broadcast_to: sums to `shape`, aligned from the right.
Var sum_to(Var x, const Shape& shape);
Var sum_axes(Var x, std::span<const int> axes, bool keep);  // keep: summed axes stay with size 1
Var sum(Var x);                                             // of all elements -> []
Var mean(Var x);
Var sum_rows(Var x);  // [rows, ...] -> [rows]: over all axes but the first
Var mean_rows(Var x);
Var sum_cols(Var x);  // [rows, ...] -> [...]: over the first axis
Var mean_cols(Var x);
Var slice(Var x, int axis, int64_t begin, int64_t end);   // [begin, end) of one axis
Var pad(Var x, int axis, int64_t before, int64_t after);  // with zeros, the adjoint of slice
Var concat(std::span<const Var> parts, int axis);
Var transpose(Var x);       // the last two axes change places
Var flip(Var x, int axis);  // backwards
Var channels_first(Var x);  // [..., height, width, channels] -> [..., channels, height, width]
Var channels_last(Var x);   // and back
// One flat buffer; parts in the layout's order.
Var pack(std::span<const Var> parts, const FlatLayout& layout);
Var log_sum_exp(Var x);                // [..., n] -> [...], without overflow
Var greater(Var x, double threshold);  // 1 where x > threshold, else 0; no gradient
// x [rows, d], running [d] -> the larger of both [d]; no gradient.
Var max_cols(Var x, Var running);

inline Var operator+(Var a, Var b) { return add(a, b); }
inline Var operator-(Var a, Var b) { return sub(a, b); }
inline Var operator*(Var a, Var b) { return mul(a, b); }
inline Var operator/(Var a, Var b) { return div(a, b); }
inline Var operator*(double a, Var x) { return affine(x, a, 0); }
inline Var operator*(Var x, double a) { return affine(x, a, 0); }
inline Var operator+(Var x, double b) { return affine(x, 1, b); }
inline Var operator+(double b, Var x) { return affine(x, 1, b); }
inline Var operator-(Var x, double b) { return affine(x, 1, -b); }
inline Var operator-(double b, Var x) { return affine(x, -1, b); }
inline Var operator-(Var x) { return affine(x, -1, 0); }
inline Var operator/(Var x, double a) { return affine(x, 1 / a, 0); }

// Products (kernels/matmul): a [..., M, K], b [..., K, N], or transposed; leading axes broadcast.
Var matmul(Var a, Var b, bool trans_a = false, bool trans_b = false);
// x [..., in], w [out, in] (trans_w) or [in, out], b [out] or none -> [..., out]
Var linear(Var x, Var w, Var b = {}, bool trans_w = true);

// Normalisation (kernels/norm), over the last axis of x [..., d]. Of a batch: norm/batch_norm.h.
Var layer_norm(Var x, Var weight, Var bias, double eps = 1e-5);  // weight, bias [d]
Var normalize(Var x);                                            // to Euclidean norm 1
Var batch_norm(Var x, Var weight, Var bias, Var mean, Var var, double eps = 1e-5);  // all [d]

// Draws (kernels/random): seed, step u64[1]; every element is 0 with probability `rate`, else
// divided by 1 - rate.
Var dropout(Var seed, Var step, Var x, double rate, uint64_t stream);

// The k largest entries of each row [..., d], by value or magnitude, the others 0 (kernels/select).
Var topk(Var x, int64_t k, bool magnitude = false);
Var topk(Var x, Var k, bool magnitude = false);  // k: a number [] or [1], rounded, in [1, d]

// Recurrent layers (kernels/recurrent), from h = 0: x [rows, steps or 1 (the same at every step), gates
// * units] is the input's product with weight_ih and bias_ih, w [gates * units, units] weight_hh, b
// bias_hh or none -> h [rows, steps, units]. Gates as PyTorch has them.
Var lstm(Var x, Var w, Var b, int64_t steps);
Var gru(Var x, Var w, Var b, int64_t steps);
Var rnn(Var x, Var w, Var b, int64_t steps);

// Sparse rows (kernels/sparse/csr.h): the rows `ids` of a data set.
struct CsrRows {
  Var ids, starts, columns, values;
};
Var csr_dense(const CsrRows& x, int64_t width);                // -> [rows, width]
Var csr_linear(const CsrRows& x, Var w, bool trans_w = true);  // w as in linear -> [rows, out]

// Convolutions (kernels/conv), NHWC: w [filters, kernel, channels], b of the output's channels or none.
Var conv(Var x, Var w, const Window& window);  // [..., large, channels] -> [..., small, filters]
Var conv_transposed(Var x, Var w, const Window& window);  // the other way
Var conv_layer(Var x, Var w, Var b, const Window& window, bool transposed);

// Pools and upsampling (kernels/pool): maps [..., height, width, channels].
Var max_pool(Var x, const Window& window);
Var avg_pool(Var x, const Window& window);
Var upsample_nearest(Var x, int64_t factor);
Var upsample_bilinear(Var x, int64_t factor);

// Losses (kernels/loss): prediction [rows, ...] and target [rows / samples, ...] -> [rows]; row r of
// the prediction is compared with row r / samples of the target. `weight`, alike the target: what
// each element counts, 0 for an unobserved one.
Var bernoulli_nll(Var logits, Var x, Var weight = {});  // nats, summed over elements
Var gaussian_nll(Var mu, Var x, Var weight = {}, double variance = 1);  // likewise
// With a log-variance that is learned: mu and log-variance side by side in mu_logvar [rows, ..., 2],
// or one logvar [1] of all elements.
Var gaussian_nll_pairs(Var mu_logvar, Var x, Var weight = {});
Var gaussian_nll_shared(Var mu, Var x, Var logvar, Var weight = {});
Var laplace_nll(Var mu, Var x, Var weight = {}, double scale = 1);  // likewise
Var mean_squared_error(Var y, Var x, Var weight = {});              // mean over all elements
Var mean_absolute_error(Var y, Var x, Var weight = {});             // mean over all elements
Var multinomial_nll(Var logits, Var x, Var weight = {});  // nats; x counts, without the coefficient
Var multinomial_nll(Var logits, const CsrRows& x);
// Weights for means over a row that leave out elements of weight 0: w elements / number of the
// others.
Var mean_weights(Var w);

}  // namespace latent
