// The multinomial loss against sparse counts: logits are dense, targets are read where they lie.
#include "core/graph/samples.h"
#include "kernels/loss/log_sum_exp.h"
#include "kernels/loss/multinomial.h"
#include "kernels/loss/rows.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"
#include "kernels/sparse/add_entries.h"

namespace latent {
namespace {

constexpr int kWarps = skeleton::kRowWarps;

template <class T>
struct Logits {
  const T* row;
  LATENT_HD ScaledSum<T> operator()(int64_t c) const { return {row[c], T(1)}; }
};

/// Sums over a row's entries.
template <class T>
struct EntrySums {
  T count, dot;
};
struct EntryMonoid {
  template <class A>
  static LATENT_HD A identity() {
    return {0, 0};
  }
  template <class A>
  static LATENT_HD A combine(A a, A b) {
    return {a.count + b.count, a.dot + b.dot};
  }
};
template <class T>
struct Entry {
  CsrEntries<T> x;
  const T* row;
  LATENT_HD EntrySums<T> operator()(int64_t k) const {
    return {x.values[k], weighted(x.values[k], row[x.columns[k]])};
  }
};

/// From logits and entries of row r: the loss where `nll` is given, h (softmax sum x - x) where
/// `gradient` is. h is one a row, or `scale`.
template <class T>
struct CsrNll {
  CsrEntries<T> x;
  const T *logits, *h;
  T scale;
  T *nll, *gradient;
  int64_t rows, cols;  ///< of the logits; gradients may ask for a multiple of the rows

  LATENT_HD T factor(int64_t task) const { return h ? h[task] : scale; }
  LATENT_HD void store(int64_t task, ScaledSum<T> exps, EntrySums<T> entries) const {
    if (nll) nll[task] = exps.log() * entries.count - entries.dot;
  }
};

template <class T>
struct CpuCsrNll : CsrNll<T> {
  LATENT_CPU_BODY void operator()(int64_t task) const {
    const int64_t r = task % this->rows, cols = this->cols;
    const T* row = this->logits + r * cols;
    const auto exps = fold::cpu_block<LogSumExpMonoid, kWarps, ScaledSum<T>>(cols, Logits<T>{row});
    const int64_t begin = this->x.begin(r), end = std::max(begin, this->x.end(r));
    const auto from = Entry<T>{this->x, row};
    EntrySums<T> entries{0, 0};
    for (int64_t k = begin; k < end; ++k) entries = EntryMonoid::combine(entries, from(k));
    this->store(task, exps, entries);
    if (!this->gradient) return;
    const T h = this->factor(task), share = h * (entries.count / exps.sum);
    T* out = this->gradient + task * cols;
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c) out[c] = share * math::exp(row[c] - exps.max);
    for (int64_t k = begin; k < end; ++k) out[this->x.columns[k]] -= h * this->x.values[k];
  }
};

/// A block a row.
template <class T>
struct GpuCsrNll : CsrNll<T> {
  static constexpr int max_threads = 32 * kWarps;
  LATENT_KERNEL void operator()(Thread& t) const {
    const int64_t task = t.block(), r = task % this->rows, cols = this->cols;
    const T* row = this->logits + r * cols;
    const auto exps =
        fold::gpu_block<LogSumExpMonoid, kWarps, ScaledSum<T>>(t, cols, Logits<T>{row});
    const auto entries = fold::gpu_warp<EntryMonoid, EntrySums<T>>(
        t, this->x.begin(r), this->x.end(r), Entry<T>{this->x, row});
    if (t.thread() == 0) this->store(task, exps, entries);
    if (!this->gradient) return;
    const T h = this->factor(task), share = h * (entries.count / exps.sum);
    T* out = this->gradient + task * cols;
    t.sync();  // the gradient may overwrite the logits, which other warps have read at their entries
    for (int64_t c = t.thread(); c < cols; c += max_threads)
      out[c] = share * math::exp(row[c] - exps.max);
    t.sync();
    if (t.warp() == 0) add_entries(t, this->x, r, -h, out);
  }
};

template <class T>
void run_nll(const Args& a, int64_t tasks, const CsrNll<T>& body) {
  if (!a.stream.gpu) {
    cpu::run_tasks(tasks, tasks * body.cols, CpuCsrNll<T>{body});
  } else if constexpr (cpu_only_v<CsrEntries<T>>) {
    no_gpu_body(a.stream);
  } else if (tasks > 0) {
    launch(a.stream, {.blocks = tasks, .threads = 32 * kWarps}, GpuCsrNll<T>{body});
  }
}

/// Checks logits [rows, d], ids, starts, columns, values behind `first` others.
void require_counts(std::string_view name, Types in, size_t first) {
  if (in.size() != first + 5) throw op_error(name, cat("takes ", first + 5, " inputs"), in);
  const Type& logits = in[first];
  require_csr(name, in, first + 1, logits.dtype);
  if (logits.rank() != 2 || logits.dim(1) != in[first + 1].elements() || logits.dim(0) == 0)
    throw op_error(name, "logits must be [rows, d], d > 0", in);
}

Var dense(std::span<const Var> in) {
  return csr_dense({in[1], in[2], in[3], in[4]}, in[0].shape()[1]);
}

Cost counts_cost(const Signature& s, size_t logits) {
  return streaming_cost({{s.in[logits]}, s.out},
                        20 * static_cast<double>(s.in[logits].elements()) /
                            static_cast<double>(std::max<int64_t>(1, s.out[0].elements())));
}

struct CsrMultinomialGradient {
  static constexpr const char* name = "multinomial_nll.csr.gradient";

  std::vector<Type> infer(Types in) const {
    require_counts(name, in, 1);
    return {gradient_type(name, in, in[1])};
  }
  Kernel prepare(const Signature& s, Device&) const {
    return real_kernel(s.in[0].dtype, [tasks = s.in[0].elements(), rows = s.in[1].dim(1),
                                       cols = s.in[1].dim(0)](const Args& a, auto real) {
      using T = decltype(real);
      run_nll<T>(a, tasks,
                 {CsrEntries<T>(a, 2), a.input<T>(1), a.input<T>(0), T(1), nullptr, a.output<T>(0),
                  rows, cols});
    });
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    const Var l = in[1], x = dense(in.subspan(1));
    const Var p = exp(l - reshape(log_sum_exp(l), {l.shape()[0], 1}));
    return {over_elements(in[0], l) * (p * sum_axes(x, std::vector{0}, true) - x)};
  }
  int overwrites(int) const { return 1; }
  Cost cost(const Signature& s) const { return counts_cost(s, 1); }
  bool operator==(const CsrMultinomialGradient&) const = default;
};

struct CsrMultinomialWithGradient {
  static constexpr const char* name = "multinomial_nll.csr.with_gradient";
  double scale = 1;  ///< of the gradient: the cotangent of every row

  std::vector<Type> infer(Types in) const {
    require_counts(name, in, 0);
    return {{in[0].dtype, {in[0].shape[0]}}, in[0]};
  }
  Kernel prepare(const Signature& s, Device&) const {
    return real_kernel(s.in[0].dtype, [scale = scale, rows = s.in[0].dim(1), cols = s.in[0].dim(0)](
                                          const Args& a, auto real) {
      using T = decltype(real);
      run_nll<T>(a, rows,
                 {CsrEntries<T>(a, 1), a.input<T>(0), nullptr, T(scale), a.output<T>(0),
                  a.output<T>(1), rows, cols});
    });
  }
  std::vector<Var> reference(std::span<const Var> in) const;
  int overwrites(int output) const { return output == 1 ? 0 : -1; }
  Cost cost(const Signature& s) const { return counts_cost(s, 0); }
  bool operator==(const CsrMultinomialWithGradient&) const = default;
};

struct CsrMultinomial {
  static constexpr const char* name = "multinomial_nll.csr";

  AnyOp gradient() const { return CsrMultinomialGradient{}; }
  AnyOp with_gradient(double scale) const { return CsrMultinomialWithGradient{scale}; }

  std::vector<Type> infer(Types in) const {
    require_counts(name, in, 0);
    return {{in[0].dtype, {in[0].shape[0]}}};
  }
  Kernel prepare(const Signature& s, Device&) const {
    return real_kernel(s.in[0].dtype,
                       [rows = s.in[0].dim(1), cols = s.in[0].dim(0)](const Args& a, auto real) {
                         using T = decltype(real);
                         run_nll<T>(a, rows,
                                    {CsrEntries<T>(a, 1), a.input<T>(0), nullptr, T(1),
                                     a.output<T>(0), nullptr, rows, cols});
                       });
  }
  std::vector<Var> vjp(const Pullback& p) const {
    std::vector<Var> in{p.cotangents[0]}, result(p.in.size());
    in.insert(in.end(), p.in.begin(), p.in.end());
    result[0] = latent::apply(CsrMultinomialGradient{}, in);
    return result;
  }
  std::vector<Var> reference(std::span<const Var> in) const {
    return {multinomial_nll(in[0], dense(in))};
  }
  Cost cost(const Signature& s) const { return counts_cost(s, 0); }
  bool operator==(const CsrMultinomial&) const = default;
};

std::vector<Var> CsrMultinomialWithGradient::reference(std::span<const Var> in) const {
  const Var rows = latent::apply(CsrMultinomial{}, in);
  std::vector<Var> with{fill_like(rows, scale)};
  with.insert(with.end(), in.begin(), in.end());
  return {rows, latent::apply(CsrMultinomialGradient{}, with)};
}

const RegisterLossOps<CsrMultinomial> registered;

const RegisterSamples samples{
    "loss/multinomial_nll_csr", [] {
      std::vector<Sample> all;
      const auto add = [&](int64_t rows, int64_t n, int64_t entries, int64_t d,
                           bool bench = false) {
        std::vector<Type> in{{DType::f32, {rows, d}},
                             {DType::i32, {rows}},
                             {DType::u64, {n + 1}},
                             {DType::i32, {entries}},
                             {DType::f32, {entries}}};
        std::vector<Sample::Range> range{
            {-4, 4}, {0, n - 1.0}, {0, 1.0 * entries}, {0, d - 1.0}, {0, 3}};
        std::vector<bool> wrt{true, false, false, false, false};
        const auto sample = [&](const AnyOp& op) {
          all.push_back({.name = cat(op.name(), "/", rows, "x", d),
                         .op = op,
                         .in = in,
                         .range = range,
                         .wrt = wrt,
                         .bench = bench});
        };
        sample(CsrMultinomial{});
        sample(CsrMultinomialWithGradient{0.25});
        if (bench) return;
        in.insert(in.begin(), {DType::f32, {2, rows}});
        range.insert(range.begin(), {-1, 1});
        wrt.insert(wrt.begin(), true);
        sample(CsrMultinomialGradient{});
      };
      add(1, 1, 5, 37);
      add(37, 9, 40, 2);
      add(3, 20, 300, 1100);
      add(5, 7, 30, 11);
      add(256, 6, 300, 5000, true);  // drawn rows have a sixth of the entries
      return all;
    }};

}  // namespace

MultinomialOps csr_multinomial_ops() {
  return {.loss = CsrMultinomial{}, .gradient = CsrMultinomialGradient{}};
}

Var multinomial_nll(Var logits, const CsrRows& x) {
  return apply(CsrMultinomial{}, {logits, x.ids, x.starts, x.columns, x.values});
}

}  // namespace latent
