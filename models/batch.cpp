#include "models/batch.h"

#include <algorithm>

#include "kernels/ops.h"
#include "kernels/sparse/csr.h"

namespace latent {
namespace {

constexpr int64_t kBlockBytes = int64_t{256} << 20;

Var constant(Graph& graph, const std::string& name, Type type) {
  return graph.variable(
      {.name = name, .type = std::move(type), .role = Role::constant, .init = {}, .group = ""});
}

/// Rows on the device, and how a gather reads them.
struct Reader {
  Gather gather;
  std::vector<Var> in;             ///< seed, step, shift, scale, blocks
  std::optional<CsrRows> entries;  ///< of sparse rows
  int64_t width;                   ///< elements of a row

  template <class Source>
  Reader(Build& build, const Source& source, const Shape& row, const std::string& prefix,
         const char* shift, const char* scale, const Gather& rows)
      : gather(rows), in{build.seed, build.step}, width(elements(row)) {
    if (source.entries) {
      const auto array = [&](const char* name, DType dtype, int64_t count) {
        return constant(build.graph, prefix + name, {dtype, {count}});
      };
      entries = {.ids = latent::apply(GatherIds{gather}, in),
                 .starts = array("starts", DType::u64, rows.rows + 1),
                 .columns = array("columns", DType::i32, *source.entries),
                 .values = array("values", DType::f32, *source.entries)};
      return;
    }
    gather.rows_per_block = source.rows_per_block;
    const Type type{DType::f32, {source.scale_size}};
    in.push_back(constant(build.graph, shift, type));
    in.push_back(constant(build.graph, scale, type));
    for (int64_t first = 0; first < rows.rows; first += source.rows_per_block) {
      Shape shape{std::min(source.rows_per_block, rows.rows - first)};
      shape.insert(shape.end(), row.begin(), row.end());
      in.push_back(
          constant(build.graph, cat(prefix, in.size() - 4), {source.stored, std::move(shape)}));
    }
  }

  Var plain() const { return entries ? csr_dense(*entries, width) : latent::apply(gather, in); }
  /// Sparse rows under noise.
  Var corrupted(CsrNoise noise) const {
    return csr_dense(CsrBatch(*entries, std::move(noise), in[0], in[1]), width);
  }
  /// Missing cells as 0, and 1 for each of the others, else 0.
  std::pair<Var, Var> masked() const {
    const std::vector<Var> out = latent::apply_all(
        CorruptedGather{.gather = gather, .corruptions = {}, .missing = true, .weights = true}, in);
    return {out[0], out[1]};
  }
};

/// Input, clean input, weight and known cells of the rows; targets of their own bring their own cells.
Batch gather_input(const Build& build, const Model& model, const SplitSource& source,
                   const Reader& reader, const TrainingLength* length) {
  const Value& corruption = model.config().at("corruption");
  const bool corrupted = has_corruption(corruption), emphasis = has_emphasis(corruption),
             paired = source.targets.has_value(), masks = source.masked && !paired;
  Batch b;
  if (!corrupted && !source.masked) {
    b.input = b.clean = reader.plain();
    return b;
  }
  const std::vector<Corruption> corruptions =
      make_corruptions(corruption, build, source.lo, source.hi, length);
  if (reader.entries) {
    b.input = reader.corrupted({.corruptions = corruptions, .fixed = !build.training});
    b.clean = reader.plain();
    return b;
  }
  const CorruptedGather op{.gather = reader.gather,
                           .corruptions = corruptions,
                           .fixed = corrupted && !build.training,
                           .missing = source.masked,
                           .clean = corrupted && !(paired && build.training),
                           .weights = emphasis || masks};
  const std::vector<Var> out = latent::apply_all(op, reader.in);
  b.input = out[0];
  b.clean = op.clean ? out[1] : b.input;
  if (op.weights) b.weight = out.back();
  // Metrics know nothing of an emphasis.
  if (masks && !build.training) b.known = emphasis ? reader.masked().second : b.weight;
  return b;
}

}  // namespace

int64_t rows_per_block(DType stored, const Shape& row, int64_t rows) {
  const int64_t bytes = std::max<int64_t>(1, elements(row) * static_cast<int64_t>(size_of(stored)));
  return std::clamp<int64_t>(kBlockBytes / bytes, 1, std::max<int64_t>(rows, 1));
}

Batch gather_batch(Build& build, const Model& model, const SplitSource& source, Gather rows,
                   const TrainingLength* length) {
  Graph::Scope scope(build.graph, "data");
  rows.rows = source.rows;
  const Reader input(build, source, model.row_shape(), cat("data.", source.name, "."),
                     names::kShift, names::kScale, rows);
  Batch b = gather_input(build, model, source, input, length);
  if (!source.targets) {
    b.target = b.clean;
    return b;
  }
  rows.binarize = Gather::Binarize::none;
  const Reader target(build, *source.targets, model.target_shape(),
                      cat("data.", source.name, ".target."), names::kTargetShift,
                      names::kTargetScale, rows);
  if (!source.targets->masked) {
    b.target = target.plain();
    return b;
  }
  std::tie(b.target, b.known) = target.masked();
  b.weight = b.weight ? b.weight * b.known : b.known;
  return b;
}

Graph corruption_graph(const Value& corruption, const SplitSource& source, const Shape& shape) {
  Graph graph;
  const Build build{.graph = graph, .taps = {}};
  const Type counter{DType::u64, {1}}, one{DType::f32, {1}};
  const int64_t rows = shape.at(0);
  const CorruptedGather op{
      .gather = {.batch = rows, .rows = rows, .rows_per_block = rows, .sequential = true},
      .corruptions = make_corruptions(corruption, build, source.lo, source.hi),
      .fixed = true};
  graph.output("result", apply(op, {constant(graph, names::kSeed, counter),
                                    constant(graph, "corruption.step", counter),
                                    fill(graph, one, 0), fill(graph, one, 1),
                                    constant(graph, "corruption.input", {DType::f32, shape})}));
  return graph;
}

}  // namespace latent
