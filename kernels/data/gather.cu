#include "kernels/data/gather.h"

#include <limits>

#include "core/graph/samples.h"
#include "kernels/data/gather_body.h"

namespace latent {
namespace {

template <class S>
struct CpuGather {
  int64_t batch;
  GatherBody<S> g;

  struct Row {
    const GatherBody<S>& g;
    LATENT_CPU_BODY void operator()(int64_t i, int64_t r) const { g.cpu_row(i, r); }
  };
  LATENT_CPU_BODY void operator()(int64_t task) const { cpu_rows(g, task, batch, Row{g}); }
};

/// A block a row; its first thread finds the source.
template <class S>
struct GpuGather {
  static constexpr int max_threads = 256;
  GatherBody<S> g;

  LATENT_KERNEL void operator()(Thread& t) const {
    SHARED(int64_t, source, 1);
    const int64_t i = t.block();
    if (t.thread() == 0) source[0] = g.source(i);
    t.sync();
    const int64_t r = source[0];
    for (int64_t q = t.thread(); q < g.quads(); q += t.threads())
      g.write(g.out, i, q, g.read(i, r, q));
  }
};

template <class S>
Kernel gather_kernel(const GatherPlan& plan) {
  return {.run = [plan](const Args& a) {
    const GatherBody<S> body = plan.body<S>(a);
    if (a.stream.gpu)
      launch(a.stream, plan.grid(), GpuGather<S>{body});
    else
      cpu::run_tasks(plan.tasks(), plan.op.batch * plan.cols, CpuGather<S>{plan.op.batch, body});
  }};
}

struct Id {
  const uint64_t *seed, *step;
  BatchRows rows;
  int32_t* out;
  LATENT_HD void operator()(int64_t i) const {
    out[i] = static_cast<int32_t>(rows(*seed, *step, i));
  }
};

struct Real {
  const uint64_t* step;
  uint64_t batch, rows;
  float* out;
  LATENT_HD void operator()(int64_t i) const {
    out[i] = *step * batch + static_cast<uint64_t>(i) < rows ? 1.0f : 0.0f;
  }
};

Type counter() { return {DType::u64, {1}}; }

void check_batch(std::string_view name, const Gather& g, Types in) {
  if (g.batch < 1 || g.rows < 1 || g.rows_per_block < 1)
    throw op_error(
        name, cat("batch ", g.batch, " of ", g.rows, " rows in blocks of ", g.rows_per_block), in);
  if (g.tail == Gather::Tail::drop && g.batch > g.rows)
    throw op_error(name, cat("a batch of ", g.batch, " from ", g.rows, " rows drops them all"), in);
}

}  // namespace

std::vector<Type> Gather::infer(Types in) const {
  if (in.size() < 5 || in[0] != counter() || in[1] != counter())
    throw op_error(name, "takes seed u64[1], step u64[1], shift, scale and blocks", in);
  check_batch(name, *this, in);
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
  return stored_kernel(s.in[4].dtype, [plan = GatherPlan(*this, s)](auto stored) {
    return gather_kernel<decltype(stored)>(plan);
  });
}

Cost Gather::cost(const Signature& s) const {
  const double n = static_cast<double>(s.out[0].elements());
  return {.flops = 2 * n, .bytes = n * static_cast<double>(4 + size_of(s.in[4].dtype))};
}

std::vector<Type> GatherIds::infer(Types in) const {
  if (in.size() != 2 || in[0] != counter() || in[1] != counter())
    throw op_error(name, "takes seed u64[1] and step u64[1]", in);
  check_batch(name, gather, in);
  if (gather.rows > std::numeric_limits<int32_t>::max())
    throw op_error(name, cat(gather.rows, " rows have no numbers of 32 bits"), in);
  return {{DType::i32, {gather.batch}}};
}

Kernel GatherIds::prepare(const Signature&, Device&) const {
  return {.run = [batch = gather.batch, rows = BatchRows(gather)](const Args& a) {
    for_each(a.stream, batch,
             Id{a.input<uint64_t>(0), a.input<uint64_t>(1), rows, a.output<int32_t>(0)});
  }};
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

const RegisterSamples ids{"data/gather_ids", [] {
                            Gather gather{.batch = 5, .rows = 17};
                            std::vector<Sample> all;
                            const auto add = [&](const char* name) {
                              all.push_back({.name = cat("gather.ids/", name),
                                             .op = GatherIds{gather},
                                             .in = {counter(), counter()},
                                             .range = {{0, 1e6}, {0, 9}},
                                             .order = 0});
                            };
                            add("shuffled");
                            gather.tail = Gather::Tail::drop;
                            add("drop");
                            gather.shuffle = false;
                            add("in_order");
                            gather.sequential = true;
                            add("sequential");
                            gather = {.batch = 300, .rows = 100000};
                            add("300");
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
