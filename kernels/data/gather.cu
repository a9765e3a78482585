#include "kernels/data/gather.h"

#include "core/graph/samples.h"
#include "core/random/order.h"
#include "kernels/data/stored.h"
#include "kernels/skeleton/skeleton.h"

namespace latent {
namespace {

/// Which row of the data set is row i of the batch.
struct Rows {
  uint64_t batch, rows, epoch;  // epoch: positions in one
  bool shuffle, sequential;

  explicit Rows(const Gather& g)
      : batch(static_cast<uint64_t>(g.batch)),
        rows(static_cast<uint64_t>(g.rows)),
        epoch(g.tail == Gather::Tail::drop ? rows / batch * batch : rows),
        shuffle(g.shuffle),
        sequential(g.sequential) {}

  LATENT_HD uint64_t position(uint64_t step, int64_t i) const {
    return step * batch + static_cast<uint64_t>(i);
  }
  LATENT_HD int64_t operator()(uint64_t seed, uint64_t step, int64_t i) const {
    const uint64_t p = position(step, i);
    if (sequential) return static_cast<int64_t>(p < rows ? p : rows - 1);
    const uint64_t e = p / epoch, q = p - e * epoch;
    return static_cast<int64_t>(shuffle ? EpochOrder(seed, e, rows)(q) : q);
  }
};

template <class S>
struct GatherBody {
  const uint64_t *seed, *step;
  const float *shift, *scale;
  int shift_stride, scale_stride;  // 0: one value for all columns
  float* out;
  int64_t cols, rows_per_block;
  Rows rows;
  Gather::Binarize binarize;
  uint64_t stream;
  const S* block[Gather::kMaxBlocks];

  LATENT_HD const S* row(int64_t r) const {
    return block[r / rows_per_block] + r % rows_per_block * cols;
  }

  /// Value of column c, scaled, and with its random word made 0 or 1.
  LATENT_HD float value(S stored, int64_t c, uint32_t word) const {
    const float v = (value_of(stored) - shift[c * shift_stride]) * scale[c * scale_stride];
    if (binarize == Gather::Binarize::none) return v;
    const float bound = binarize == Gather::Binarize::threshold ? 0.5f : uniform_of(word);
    return math::select(v > bound, 1.0f, 0.0f);
  }

  /// The words of columns 4 q to 4 q + 3; each row begins a new block of four.
  LATENT_HD Words4 words(int64_t i, int64_t r, int64_t q) const {
    const bool fixed = binarize == Gather::Binarize::fixed;
    if (!fixed && binarize != Gather::Binarize::dynamic) return {};
    const int64_t block = (fixed ? r : i) * ((cols + 3) / 4) + q;
    return random_words4(*seed, fixed ? 0 : *step, stream, static_cast<uint64_t>(block));
  }

  /// Columns 4 q to 4 q + 3 of row i, whose source is row r.
  LATENT_HD void four(int64_t i, int64_t r, int64_t q) const {
    struct alignas(4 * sizeof(S)) Stored4 {
      S v[4];
    };
    struct alignas(16) Out4 {
      float v[4];
    };
    const Words4 w = words(i, r, q);
    const S* from = row(r) + 4 * q;
    float* to = out + i * cols + 4 * q;
    if (cols % 4 == 0) {
      const Stored4 stored = *reinterpret_cast<const Stored4*>(from);
      Out4 result;
      for (int k = 0; k < 4; ++k) result.v[k] = value(stored.v[k], 4 * q + k, w.v[k]);
      *reinterpret_cast<Out4*>(to) = result;
    } else {
      for (int k = 0; k < 4; ++k)
        if (4 * q + k < cols) to[k] = value(from[k], 4 * q + k, w.v[k]);
    }
  }

  template <int ShiftStride, int ScaleStride>
  LATENT_CPU_BODY void plain_row(const S* from, float* to) const {
    const float first_shift = shift[0], first_scale = scale[0];
#pragma omp simd
    for (int64_t c = 0; c < cols; ++c)
      to[c] = (value_of(from[c]) - (ShiftStride ? shift[c] : first_shift)) *
              (ScaleStride ? scale[c] : first_scale);
  }

  LATENT_CPU_BODY void cpu_row(int64_t i, int64_t r) const {
    const S* from = row(r);
    float* to = out + i * cols;
    if (binarize != Gather::Binarize::none) {
      for (int64_t q = 0; q < (cols + 3) / 4; ++q) four(i, r, q);
    } else if (shift_stride) {
      scale_stride ? plain_row<1, 1>(from, to) : plain_row<1, 0>(from, to);
    } else {
      scale_stride ? plain_row<0, 1>(from, to) : plain_row<0, 0>(from, to);
    }
  }
};

template <class S>
struct CpuGather {
  static constexpr int64_t kRows = 8;  // of a task
  int64_t batch;
  GatherBody<S> g;

  /// Rows lie far apart: all of a task are asked for before the first is read.
  LATENT_CPU_BODY void prefetch(const S* row) const {
    constexpr int64_t kLine = 64 / sizeof(S);
    for (int64_t c = 0; c < std::min<int64_t>(g.cols, 64 * kLine); c += kLine)
      __builtin_prefetch(row + c);
  }

  LATENT_CPU_BODY void operator()(int64_t task) const {
    const int64_t begin = task * kRows, count = std::min(kRows, batch - begin);
    int64_t source[kRows];
    for (int64_t k = 0; k < count; ++k) {
      source[k] = g.rows(*g.seed, *g.step, begin + k);
      prefetch(g.row(source[k]));
    }
    for (int64_t k = 0; k < count; ++k) g.cpu_row(begin + k, source[k]);
  }
};

/// A block a row; its first thread finds the source.
template <class S>
struct GpuGather {
  static constexpr int max_threads = 256;
  GatherBody<S> g;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(int64_t, source, 1);
    const int64_t i = t.block();
    if (t.thread() == 0) source[0] = g.rows(*g.seed, *g.step, i);
    t.sync();
    const int64_t r = source[0];
    for (int64_t q = t.thread(); q < (g.cols + 3) / 4; q += t.threads()) g.four(i, r, q);
  }
};

template <class S>
Kernel gather_kernel(const Gather& op, const Signature& s) {
  const int64_t cols = s.out[0].elements() / op.batch;
  return {.run = [op, cols, count = s.in.size() - 4, shifts = s.in[2].elements(),
                  scales = s.in[3].elements()](const Args& a) {
    GatherBody<S> body{.seed = a.input<uint64_t>(0),
                       .step = a.input<uint64_t>(1),
                       .shift = a.input<float>(2),
                       .scale = a.input<float>(3),
                       .shift_stride = shifts > 1,
                       .scale_stride = scales > 1,
                       .out = a.output<float>(0),
                       .cols = cols,
                       .rows_per_block = op.rows_per_block,
                       .rows = Rows(op),
                       .binarize = op.binarize,
                       .stream = op.stream,
                       .block = {}};
    for (size_t k = 0; k < count; ++k) body.block[k] = a.input<S>(static_cast<int>(4 + k));
    if (a.stream.gpu) {
      const int64_t warps = std::clamp<int64_t>(fold::ceil_div(cols, 4 * 32), 1, 8);
      launch(a.stream, {.blocks = op.batch, .threads = static_cast<int>(32 * warps)},
             GpuGather<S>{body});
    } else {
      cpu::run_tasks(fold::ceil_div(op.batch, CpuGather<S>::kRows), op.batch * cols,
                     CpuGather<S>{op.batch, body});
    }
  }};
}

struct Real {
  const uint64_t* step;
  uint64_t batch, rows;
  float* out;
  LATENT_HD void operator()(int64_t i) const {
    out[i] = *step * batch + static_cast<uint64_t>(i) < rows ? 1.0f : 0.0f;
  }
};

Type counter() { return {DType::u64, {1}}; }

}  // namespace

std::vector<Type> Gather::infer(Types in) const {
  if (in.size() < 5 || in[0] != counter() || in[1] != counter())
    throw op_error(name, "takes seed u64[1], step u64[1], shift, scale and blocks", in);
  if (batch < 1 || rows < 1 || rows_per_block < 1)
    throw op_error(name, cat("batch ", batch, " of ", rows, " rows in blocks of ", rows_per_block),
                   in);
  if (tail == Tail::drop && batch > rows)
    throw op_error(name, cat("a batch of ", batch, " from ", rows, " rows drops them all"), in);
  const int64_t count = (rows + rows_per_block - 1) / rows_per_block;
  if (static_cast<int64_t>(in.size()) != 4 + count || count > kMaxBlocks)
    throw op_error(name, cat(rows, " rows are ", count, " blocks (at most ", kMaxBlocks, ")"), in);
  const DType stored = in[4].dtype;
  if (stored != DType::u8 && stored != DType::f32 && stored != DType::f16 && stored != DType::bf16)
    throw op_error(name, "blocks are u8, f32, f16 or bf16", in);
  if (in[4].rank() < 1) throw op_error(name, "a block has no rows", in);
  for (int64_t k = 0; k < count; ++k) {
    Type want{stored, in[4].shape};
    want.shape[0] = std::min(rows_per_block, rows - k * rows_per_block);
    if (in[4 + k] != want) throw op_error(name, cat("block ", k, " is not ", to_string(want)), in);
  }
  Type out{DType::f32, in[4].shape};
  out.shape[0] = batch;
  for (int k : {2, 3})
    if (in[k].dtype != DType::f32 ||
        (in[k].elements() != 1 && in[k].elements() != out.elements() / batch))
      throw op_error(name, "shift and scale are f32, one value or one a column", in);
  return {out};
}

Kernel Gather::prepare(const Signature& s, Device&) const {
  switch (s.in[4].dtype) {
    case DType::u8:
      return gather_kernel<uint8_t>(*this, s);
    case DType::f16:
      return gather_kernel<Half>(*this, s);
    case DType::bf16:
      return gather_kernel<Bfloat>(*this, s);
    default:
      return gather_kernel<float>(*this, s);
  }
}

Cost Gather::cost(const Signature& s) const {
  const double n = static_cast<double>(s.out[0].elements());
  return {.flops = 2 * n, .bytes = n * static_cast<double>(4 + size_of(s.in[4].dtype))};
}

std::vector<Type> RowWeights::infer(Types in) const {
  if (in.size() != 1 || in[0] != counter()) throw op_error(name, "takes step u64[1]", in);
  return {{DType::f32, {batch}}};
}

Kernel RowWeights::prepare(const Signature&, Device&) const {
  return {.run = [op = *this](const Args& a) {
    for_each(a.stream, op.batch,
             Real{a.input<uint64_t>(0), static_cast<uint64_t>(op.batch),
                  static_cast<uint64_t>(op.rows), a.output<float>(0)});
  }};
}

namespace {

Sample gather_sample(const std::string& name, const Gather& op, DType stored, Shape row,
                     bool columns) {
  const Type scale{DType::f32, {columns ? elements(row) : 1}};
  Sample sample{.name = "gather/" + name,
                .op = op,
                .in = {counter(), counter(), scale, scale},
                .range = {{0, 1e6}, {0, 9}, {-1, 1}, {-1, 1}},
                .order = 0};
  if (op.binarize != Gather::Binarize::none) sample.range[2] = {0, 0}, sample.range[3] = {0, 0.004};
  for (int64_t first = 0; first < op.rows; first += op.rows_per_block) {
    Shape shape = row;
    shape.insert(shape.begin(), std::min(op.rows_per_block, op.rows - first));
    sample.in.push_back({stored, shape});
    sample.range.push_back(stored == DType::u8 ? Sample::Range{0, 255} : Sample::Range{-1, 1});
  }
  return sample;
}

const RegisterSamples samples{
    "data/gather", [] {
      using enum Gather::Binarize;
      Gather small{.batch = 5, .rows = 17, .rows_per_block = 7};
      std::vector<Sample> all;
      all.push_back(gather_sample("u8", small, DType::u8, {6}, false));
      all.push_back(gather_sample("f32/columns", small, DType::f32, {3, 4}, true));
      all.push_back(gather_sample("f16", small, DType::f16, {130}, false));
      all.push_back(gather_sample("bf16", small, DType::bf16, {1}, true));
      small.tail = Gather::Tail::drop;
      all.push_back(gather_sample("drop", small, DType::u8, {5, 5, 1}, true));
      small.shuffle = false;
      all.push_back(gather_sample("in_order", small, DType::u8, {5, 4}, false));
      small.sequential = true;
      all.push_back(gather_sample("sequential", small, DType::f32, {33}, false));
      for (auto [name, binarize] :
           {std::pair{"threshold", threshold}, {"dynamic", dynamic}, {"fixed", fixed}}) {
        small.binarize = binarize;
        all.push_back(gather_sample(name, small, DType::u8, {27}, false));
      }
      Gather mnist{.batch = 256, .rows = 2000, .rows_per_block = 2000};
      all.push_back(gather_sample("mnist", mnist, DType::u8, {28, 28, 1}, false));
      all.back().bench = true;
      return all;
    }};

const RegisterSamples row_weights{
    "data/row_weights", [] {
      return std::vector<Sample>{{.name = "row_weights",
                                  .op = RowWeights{.batch = 7, .rows = 33},
                                  .in = {counter()},
                                  .range = {{0, 5}},
                                  .order = 0}};
    }};

}  // namespace
}  // namespace latent
