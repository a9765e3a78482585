#include "kernels/data/corrupt.h"

#include "core/graph/samples.h"
#include "kernels/data/corrupt_body.h"
#include "kernels/data/gather_body.h"

namespace latent {
namespace {

using Kind = Corruption::Kind;
using Now = CorruptionNow;

/// `body` of what corrupts in that kind.
template <class Body>
LATENT_HD void corrupt(Kind kind, const Body& body) {
  switch (kind) {
    case Kind::masking:
      return body(Corrupt<Kind::masking>{});
    case Kind::gaussian:
      return body(Corrupt<Kind::gaussian>{});
    case Kind::salt_and_pepper:
      return body(Corrupt<Kind::salt_and_pepper>{});
    case Kind::dropout:
      return body(Corrupt<Kind::dropout>{});
  }
}

/// Four elements in the registers of a thread.
struct CorruptFour {
  float *x, *w;
  const Now& now;
  uint64_t seed, step, stream, block;

  template <class Corrupts>
  LATENT_HD void operator()(Corrupts) const {
    typename Corrupts::Draw drawn[4];
    Corrupts::draw4(seed, step, stream, block, drawn);
    for (int k = 0; k < 4; ++k) {
      x[k] = Corrupts::value(x[k], drawn[k], now);
      w[k] *= Corrupts::weight(drawn[k], now);
    }
  }
};

/// A row on the CPU, in pieces that stay in registers and cache: first what is drawn, then the
/// elements, each a loop that vectorises.
struct CorruptRow {
  static constexpr int64_t kPiece = 256;
  float *row, *weights;  // weights may be missing
  int64_t cols;
  const Now& given;
  uint64_t seed, step, stream, first;

  template <class Corrupts>
  LATENT_HD void operator()(Corrupts) const {  // as `corrupt` is
    const Now now = given;                     // a copy that no store can alias
    const uint64_t s = seed, t = step, id = stream;
    alignas(64) typename Corrupts::Draw drawn[kPiece];
    for (int64_t begin = 0; begin < cols; begin += kPiece) {
      const int64_t n = cols - begin < kPiece ? cols - begin : kPiece, blocks = (n + 3) / 4;
      const uint64_t block = first + static_cast<uint64_t>(begin / 4);
#pragma omp simd
      for (int64_t q = 0; q < blocks; ++q)
        Corrupts::draw4(s, t, id, block + static_cast<uint64_t>(q), drawn + 4 * q);
      float* x = row + begin;
#pragma omp simd
      for (int64_t k = 0; k < n; ++k) x[k] = Corrupts::value(x[k], drawn[k], now);
      if (!weights) continue;
      float* w = weights + begin;
#pragma omp simd
      for (int64_t k = 0; k < n; ++k) w[k] *= Corrupts::weight(drawn[k], now);
    }
  }
};

template <class S>
struct CorruptBody {
  GatherBody<S> g;
  float *clean, *weights;  // may be missing
  bool fixed, missing;
  int count;  // of corruptions
  Corruption corruption[CorruptedGather::kMaxCorruptions];

  LATENT_HD uint64_t step() const { return fixed ? 0 : *g.step; }
  LATENT_HD float amount(int k) const {
    return fixed ? corruption[k].amount : amount_at(corruption[k], static_cast<int64_t>(step()));
  }
  /// The first random block of row i, whose source is row r.
  LATENT_HD int64_t first_block(int64_t i, int64_t r) const {
    return first_corruption_block(fixed ? r : i, g.cols);
  }

  /// Columns 4 q to 4 q + 3 of row i of every output.
  LATENT_HD void four(int64_t i, int64_t r, int64_t q, const float* amounts) const {
    typename GatherBody<S>::Four x = g.read(i, r, q), w = {{1, 1, 1, 1}};
    if (missing)
      for (int k = 0; k < 4; ++k) {
        const bool known = x.v[k] == x.v[k];
        x.v[k] = math::select(known, x.v[k], 0.0f);
        w.v[k] = math::select(known, 1.0f, 0.0f);
      }
    if (clean) g.write(clean, i, q, x);
    const typename GatherBody<S>::Four known = w;
    for (int k = 0; k < count; ++k) {
      const Now now(corruption[k], amounts[k]);
      const auto block = static_cast<uint64_t>(first_block(i, r) + q);
      corrupt(corruption[k].kind,
              CorruptFour{x.v, w.v, now, *g.seed, step(), corruption[k].stream, block});
    }
    if (missing)
      for (int k = 0; k < 4; ++k) x.v[k] = math::select(known.v[k] > 0, x.v[k], 0.0f);
    g.write(g.out, i, q, x);
    if (weights) g.write(weights, i, q, w);
  }

  /// The same of a whole row, which stays in the cache while one corruption after the other goes
  /// over it.
  LATENT_CPU_BODY void cpu_row(int64_t i, int64_t r, const float* amounts) const {
    float *x = g.out + i * g.cols, *w = weights ? weights + i * g.cols : nullptr;
    g.cpu_row(i, r);
    if (w) {
#pragma omp simd
      for (int64_t c = 0; c < g.cols; ++c)
        w[c] = math::select(missing && !(x[c] == x[c]), 0.0f, 1.0f);
    }
    if (missing) {
#pragma omp simd
      for (int64_t c = 0; c < g.cols; ++c) x[c] = math::select(x[c] == x[c], x[c], 0.0f);
    }
    if (clean) std::copy_n(x, g.cols, clean + i * g.cols);
    for (int k = 0; k < count; ++k) {
      const Now now(corruption[k], amounts[k]);
      const auto first = static_cast<uint64_t>(first_block(i, r));
      corrupt(corruption[k].kind,
              CorruptRow{x, w, g.cols, now, *g.seed, step(), corruption[k].stream, first});
    }
    if (!missing || count == 0) return;
    const S* from = g.row(r);
#pragma omp simd
    for (int64_t c = 0; c < g.cols; ++c) {
      const float v = value_of(from[c]);
      x[c] = math::select(v == v, x[c], 0.0f);
    }
  }
};

template <class S>
struct CpuCorrupt {
  int64_t batch;
  CorruptBody<S> body;

  struct Row {
    const CorruptBody<S>& body;
    const float* amounts;
    LATENT_CPU_BODY void operator()(int64_t i, int64_t r) const { body.cpu_row(i, r, amounts); }
  };
  LATENT_CPU_BODY void operator()(int64_t task) const {
    float amounts[CorruptedGather::kMaxCorruptions];
    for (int k = 0; k < body.count; ++k) amounts[k] = body.amount(k);
    cpu_rows(body.g, task, batch, Row{body, amounts});
  }
};

/// A block a row; its first threads find the source and the amounts.
template <class S>
struct GpuCorrupt {
  static constexpr int max_threads = 256;
  CorruptBody<S> body;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(int64_t, source, 1);
    SHARED(float, amounts, CorruptedGather::kMaxCorruptions);
    const int64_t i = t.block();
    if (t.thread() == 0) source[0] = body.g.source(i);
    if (t.thread() < body.count) amounts[t.thread()] = body.amount(t.thread());
    t.sync();
    const int64_t r = source[0];
    for (int64_t q = t.thread(); q < body.g.quads(); q += t.threads()) body.four(i, r, q, amounts);
  }
};

template <class S>
Kernel corrupt_kernel(const CorruptedGather& op, const GatherPlan& plan) {
  return {.run = [op, plan](const Args& a) {
    CorruptBody<S> body{.g = plan.body<S>(a),
                        .clean = op.clean ? a.output<float>(1) : nullptr,
                        .weights = op.weights ? a.output<float>(1 + op.clean) : nullptr,
                        .fixed = op.fixed,
                        .missing = op.missing,
                        .count = static_cast<int>(op.corruptions.size()),
                        .corruption = {}};
    std::ranges::copy(op.corruptions, body.corruption);
    if (a.stream.gpu)
      launch(a.stream, plan.grid(), GpuCorrupt<S>{body});
    else
      cpu::run_tasks(plan.tasks(), plan.op.batch * plan.cols, CpuCorrupt<S>{plan.op.batch, body});
  }};
}

}  // namespace

std::vector<Type> CorruptedGather::infer(Types in) const {
  const Type out = gather.infer(in).front();
  if (corruptions.size() > kMaxCorruptions)
    throw op_error(name, cat("takes at most ", kMaxCorruptions, " corruptions"), in);
  for (const Corruption& c : corruptions) {
    if (!(c.amount >= 0) || (c.kind != Kind::gaussian && c.amount > 1))
      throw op_error(name, cat("an amount of ", c.amount), in);
    if (!(c.lo <= c.hi)) throw op_error(name, cat("[", c.lo, ", ", c.hi, "] is no range"), in);
  }
  return std::vector<Type>(1 + clean + weights, out);
}

Kernel CorruptedGather::prepare(const Signature& s, Device&) const {
  return stored_kernel(s.in[4].dtype, [&](auto stored) {
    return corrupt_kernel<decltype(stored)>(*this, GatherPlan(gather, s));
  });
}

Cost CorruptedGather::cost(const Signature& s) const {
  const double n = static_cast<double>(s.out[0].elements());
  return {.flops = n * (2 + 15 * static_cast<double>(corruptions.size())),
          .bytes = n * static_cast<double>(size_of(s.in[4].dtype) + 4 * s.out.size())};
}

namespace {

Sample corrupt_sample(const std::string& name, const CorruptedGather& op, DType stored, Shape row) {
  const Type counter{DType::u64, {1}}, scale{DType::f32, {1}};
  Sample sample{.name = "gather/corrupted/" + name,
                .op = op,
                .in = {counter, counter, scale, scale},
                .range = {{0, 1e6}, {0, 9}, {-1, 1}, {-1, 1}},
                .order = 0};
  for (int64_t first = 0; first < op.gather.rows; first += op.gather.rows_per_block) {
    Shape shape = row;
    shape.insert(shape.begin(), std::min(op.gather.rows_per_block, op.gather.rows - first));
    sample.in.push_back({stored, shape});
    sample.range.push_back(stored == DType::u8 ? Sample::Range{0, 255} : Sample::Range{-1, 1});
  }
  return sample;
}

const RegisterSamples samples{
    "data/corrupt", [] {
      const Corruption masking{.amount = 0.3f},
          gaussian{.kind = Kind::gaussian, .amount = 0.5f, .lo = -1, .hi = 1},
          salt{.kind = Kind::salt_and_pepper, .amount = 0.4f, .lo = -1, .hi = 2},
          dropout{.kind = Kind::dropout, .amount = 0.25f};
      const Gather small{.batch = 5, .rows = 17, .rows_per_block = 7};
      std::vector<Sample> all;
      const auto add = [&](const std::string& name, CorruptedGather op, DType stored, Shape row) {
        all.push_back(corrupt_sample(name, op, stored, std::move(row)));
      };
      add("masking", {.gather = small, .corruptions = {masking}}, DType::u8, {33});
      add("gaussian", {.gather = small, .corruptions = {gaussian}, .clean = true}, DType::f32,
          {3, 4});
      add("salt_and_pepper", {.gather = small, .corruptions = {salt}, .weights = true}, DType::f16,
          {1});
      add("dropout", {.gather = small, .corruptions = {dropout}, .fixed = true, .clean = true},
          DType::bf16, {130});
      add("none", {.gather = small, .corruptions = {}, .missing = true, .weights = true},
          DType::f32, {27});
      CorruptedGather list{.gather = small,
                           .corruptions = {masking, gaussian, salt, dropout},
                           .missing = true,
                           .clean = true,
                           .weights = true};
      for (size_t k = 0; k < 4; ++k) {
        Corruption& c = list.corruptions[k];
        c.stream += k;
        c.struck = 2, c.spared = 0.5f;
        c.schedule = {.kind = Schedule::Kind::cosine, .span = 10, .to = 0.5f};
      }
      add("list", list, DType::f32, {30});
      list.gather.sequential = list.fixed = true;
      add("list/fixed", list, DType::u8, {8});
      Gather mnist{.batch = 256, .rows = 2000, .rows_per_block = 2000};
      add("masking/mnist", {.gather = mnist, .corruptions = {masking}, .clean = true}, DType::u8,
          {28, 28, 1});
      all.back().bench = true;
      add("gaussian/mnist", {.gather = mnist, .corruptions = {gaussian}, .clean = true}, DType::u8,
          {28, 28, 1});
      all.back().bench = true;
      return all;
    }};

}  // namespace
}  // namespace latent
