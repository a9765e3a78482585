#include "kernels/track.h"

#include "core/graph/samples.h"
#include "kernels/real.h"
#include "kernels/skeleton/skeleton.h"

namespace latent {
namespace {

/// A term's rows are summed in this many pieces, each as one warp does it, and these in order.
constexpr int kPieces = 8;

template <class T>
struct TrackBody {
  const double* sums;
  const uint64_t *latch, *step;
  double* new_sums;
  uint64_t *new_latch, *new_step;
  const T* row_weights;  // may be missing
  int64_t rows;          // B
  int count;             // of terms
  const T* value[Track::kMaxTerms];
  bool by_row[Track::kMaxTerms];
  float weight[Track::kMaxTerms];
  Schedule schedule[Track::kMaxTerms];

  /// Term `term` of row r by its weight; term `count` is the weights themselves.
  struct WeightedRow {
    const T *value, *weights;
    LATENT_HD T operator()(int64_t r) const {
      if (!value) return weights[r];
      return weights ? value[r] * weights[r] : value[r];
    }
  };
  /// Sums to make: pieces of them are tasks.
  LATENT_HD int tasks() const { return (count + (row_weights ? 1 : 0)) * kPieces; }
  LATENT_HD bool is_sum(int term) const { return term == count || by_row[term]; }
  LATENT_HD WeightedRow row(int term) const {
    return {term == count ? nullptr : value[term], row_weights};
  }
  LATENT_HD int64_t piece_begin(int piece) const {
    const int64_t begin = piece * fold::chunk(rows, kPieces);
    return begin < rows ? begin : rows;
  }

  static LATENT_HD double total(const T* pieces) {
    T sum = pieces[0];
    for (int k = 1; k < kPieces; ++k) sum += pieces[k];
    return static_cast<double>(sum);
  }
  LATENT_HD double examples(const T* pieces) const {
    return row_weights ? total(pieces + count * kPieces) : static_cast<double>(rows);
  }
  LATENT_HD double mean(int term, const T* pieces) const {
    if (!by_row[term]) return static_cast<double>(value[term][0]);
    return total(pieces + term * kPieces) / examples(pieces);
  }
  LATENT_HD double share(int term, double mean_of_term) const {
    return static_cast<double>(weight[term] * schedule[term].factor(static_cast<int64_t>(*step))) *
           mean_of_term;
  }

  /// Writes the new state of all but the terms' sums; returns by how many examples those grow.
  LATENT_HD double finish(double loss, double examples_now) const {
    const uint64_t latched = *latch, now = *step;
    const bool finite = math::abs(loss) <= 1.7976931348623157e308;
    const double grow = latched == 0 && finite ? examples_now : 0.0;
    new_sums[0] = sums[0] + grow;
    new_sums[1] = grow > 0 ? sums[1] + grow * loss : sums[1];
    new_latch[0] = latched != 0 || finite ? latched : now + 1;
    new_step[0] = latched != 0 ? now : now + 1;
    return grow;
  }
  LATENT_HD void add_term(int term, double grow, double mean_of_term) const {
    const double old = sums[2 + term];
    new_sums[2 + term] = grow > 0 ? old + grow * mean_of_term : old;
  }
};

template <class T>
struct CpuTrack {
  TrackBody<T> body;

  LATENT_CPU_BODY void operator()(int64_t) const {
    T pieces[(Track::kMaxTerms + 1) * kPieces];
    for (int task = 0; task < body.tasks(); ++task) {
      const int term = task / kPieces, piece = task % kPieces;
      if (body.is_sum(term))
        pieces[task] = fold::cpu_warp<Sum, T>(body.piece_begin(piece), body.piece_begin(piece + 1),
                                              body.row(term));
    }
    double mean[Track::kMaxTerms], loss = 0;
    for (int term = 0; term < body.count; ++term) {
      mean[term] = body.mean(term, pieces);
      loss += body.share(term, mean[term]);
    }
    const double grow = body.finish(loss, body.examples(pieces));
    for (int term = 0; term < body.count; ++term) body.add_term(term, grow, mean[term]);
  }
};

/// One block. Its warps share the tasks; then a lane has a term.
template <class T>
struct GpuTrack {
  TrackBody<T> body;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(T, pieces, (Track::kMaxTerms + 1) * kPieces);
    SHARED(double, shares, Track::kMaxTerms);
    SHARED(double, growth, 1);
    for (int task = t.warp(); task < body.tasks(); task += t.warps()) {
      const int term = task / kPieces, piece = task % kPieces;
      if (!body.is_sum(term)) continue;
      const T sum = fold::gpu_warp<Sum, T>(t, body.piece_begin(piece), body.piece_begin(piece + 1),
                                           body.row(term));
      if (t.lane() == 0) pieces[task] = sum;
    }
    t.sync();
    if (t.warp() != 0) return;

    const int term = t.lane();
    double mean = 0;
    if (term < body.count) {
      mean = body.mean(term, pieces);
      shares[term] = body.share(term, mean);
    }
    t.sync_warp();
    if (t.lane() == 0) {
      double loss = 0;
      for (int k = 0; k < body.count; ++k) loss += shares[k];
      growth[0] = body.finish(loss, body.examples(pieces));
    }
    t.sync_warp();
    if (term < body.count) body.add_term(term, growth[0], mean);
  }
};

template <class T>
void run_track(const Track& op, int64_t rows, const std::vector<bool>& by_row, const Args& a) {
  TrackBody<T> body{.sums = a.input<double>(0),
                    .latch = a.input<uint64_t>(1),
                    .step = a.input<uint64_t>(2),
                    .new_sums = a.output<double>(0),
                    .new_latch = a.output<uint64_t>(1),
                    .new_step = a.output<uint64_t>(2),
                    .row_weights = op.weighted ? a.input<T>(3) : nullptr,
                    .rows = rows,
                    .count = static_cast<int>(op.terms.size()),
                    .value = {},
                    .by_row = {},
                    .weight = {},
                    .schedule = {}};
  for (int k = 0; k < body.count; ++k) {
    body.value[k] = a.input<T>(3 + op.weighted + k);
    body.by_row[k] = by_row[k];
    body.weight[k] = op.terms[k].weight;
    body.schedule[k] = op.terms[k].schedule;
  }
  if (!a.stream.gpu) {
    cpu::run_tasks(1, rows, CpuTrack<T>{body});
  } else if constexpr (std::is_same_v<T, float>) {
    const int warps = std::clamp(body.tasks(), 1, 32);
    launch(a.stream, {.blocks = 1, .threads = 32 * warps}, GpuTrack<T>{body});
  } else {
    no_gpu_body(a.stream);
  }
}

/// B: the length of the row weights or of the first term that has rows; 1 without any.
int64_t rows_of(const Track& op, Types in) {
  for (size_t i = 3; i < in.size(); ++i)
    if (in[i].elements() != 1 || (op.weighted && i == 3)) return in[i].elements();
  return 1;
}

}  // namespace

std::vector<Type> Track::infer(Types in) const {
  const Type counter{DType::u64, {1}};
  const size_t count = terms.size(), first = 3 + (weighted ? 1 : 0);
  if (in.size() != first + count)
    throw op_error(
        name, cat("takes sums, latch, step, ", weighted ? "row weights, " : "", count, " terms"),
        in);
  if (count > kMaxTerms) throw op_error(name, cat("takes at most ", kMaxTerms, " terms"), in);
  if (in[0] != Type{DType::f64, {2 + static_cast<int64_t>(count)}})
    throw op_error(name, cat("the sums of ", count, " terms are f64[", 2 + count, "]"), in);
  if (in[1] != counter || in[2] != counter) throw op_error(name, "latch and step are u64[1]", in);
  const int64_t rows = rows_of(*this, in);
  for (size_t i = 3; i < in.size(); ++i) {
    if (in[i].dtype != in[3].dtype || (in[i].dtype != DType::f32 && in[i].dtype != DType::f64))
      throw op_error(name, "terms and row weights are f32 or f64, all the same", in);
    if (in[i].rank() > 1 || (in[i].elements() != rows && (i < first || in[i].elements() != 1)))
      throw op_error(name, cat("a term is [", rows, "] or one value"), in);
  }
  return {in[0], in[1], in[2]};
}

Kernel Track::prepare(const Signature& s, Device&) const {
  const int64_t rows = rows_of(*this, s.in);
  std::vector<bool> by_row;
  for (size_t i = 3 + (weighted ? 1 : 0); i < s.in.size(); ++i)
    by_row.push_back(s.in[i].elements() == rows);
  const DType real = s.in.size() > 3 ? s.in[3].dtype : DType::f32;
  return real_kernel(real, [op = *this, rows, by_row](const Args& a, auto zero) {
    run_track<decltype(zero)>(op, rows, by_row, a);
  });
}

namespace {

Sample track_sample(const std::string& name, const std::vector<Shape>& terms, int64_t weights) {
  const Type counter{DType::u64, {1}};
  Track op{.terms = {}, .weighted = weights > 0};
  Sample sample{.name = "track/" + name,
                .op = {},
                .in = {{DType::f64, {2 + static_cast<int64_t>(terms.size())}}, counter, counter},
                .range = {{0, 100}, {0, 0}, {0, 50}},
                .order = 0};
  if (weights > 0) {
    sample.in.push_back({DType::f32, {weights}});
    sample.range.push_back({0.5, 1});
  }
  for (const Shape& shape : terms) {
    const Schedule rise{.kind = Schedule::Kind::linear, .span = 40};
    op.terms.push_back({.weight = 0.5f, .schedule = op.terms.empty() ? Schedule{} : rise});
    sample.in.push_back({DType::f32, shape});
    sample.range.push_back({0, 100});
  }
  sample.op = op;
  return sample;
}

const RegisterSamples samples{
    "track", [] {
      std::vector<Sample> all{
          track_sample("rows", {{256}}, 0), track_sample("mixed", {{100}, {}, {1}, {100}}, 0),
          track_sample("weighted", {{33}, {33}, {1}}, 33),
          track_sample("long", {{4096}, {4096}, {4096}}, 4096), track_sample("scalar", {{1}}, 0)};
      all[0].bench = true;
      return all;
    }};

}  // namespace
}  // namespace latent
