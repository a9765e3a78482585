#include "models/training.h"

#include <algorithm>

#include "core/graph/autodiff.h"
#include "kernels/norm/unit_norm.h"
#include "kernels/ops.h"
#include "kernels/track.h"
#include "kernels/unless.h"

namespace latent {
namespace {

Var state(Graph& graph, const std::string& name, Type type, Init init = {}) {
  return graph.variable(
      {.name = name, .type = std::move(type), .role = Role::state, .init = init, .group = ""});
}

Var constant(Graph& graph, const std::string& name, Type type) {
  return graph.variable(
      {.name = name, .type = std::move(type), .role = Role::constant, .init = {}, .group = ""});
}

struct Counters {
  Var step, latch, sums;
};

Counters counters(Graph& graph, const std::string& prefix, int terms) {
  return {state(graph, prefix + "step", {DType::u64, {1}}),
          state(graph, prefix + "latch", {DType::u64, {1}}),
          state(graph, prefix + "sums", {DType::f64, {2 + terms}})};
}

/// Bookkeeping at the end of a step; returns the new latch and step.
std::pair<Var, Var> keep_books(Graph& graph, const std::vector<Term>& terms, const Counters& c,
                               Var weights) {
  Graph::Scope scope(graph, "bookkeeping");
  Track op{.terms = {}, .weighted = bool(weights)};
  std::vector<Var> in{c.sums, c.latch, c.step};
  if (weights) in.push_back(weights);
  for (const Term& term : terms) {
    op.terms.push_back({.weight = static_cast<float>(term.weight), .schedule = term.schedule});
    in.push_back(term.value);
  }
  const std::vector<Var> out = graph.apply(op, in);
  graph.assign(c.sums, out[0]);
  graph.assign(c.latch, out[1]);
  graph.assign(c.step, out[2]);
  return {out[1], out[2]};
}

void list_names(const std::vector<Term>& terms, std::vector<std::string>* names) {
  if (!names) return;
  names->clear();
  for (const Term& t : terms) names->push_back(t.name);
}

/// Trained parameters in the order of their flat buffer.
std::vector<Var> trained(const Model& model, Build& build) {
  std::vector<Var> result;
  for (const Parameter& p : model.parameters())
    if (!p.frozen) result.push_back(leaf(build, p));
  const FlatLayout layout = build.graph.layout(kParameters);
  std::ranges::sort(result, {}, [&](const Var& v) {
    return std::ranges::find(layout.names, build.graph.node(v).variable) - layout.names.begin();
  });
  return result;
}

/// A state vector of the optimizer: one variable a parameter, in one flat group.
Var optimizer_state(Graph& graph, const std::string& name, const std::vector<Var>& parameters,
                    double initial) {
  const std::string group = "optimizer." + name;
  const Init fill = [initial](HostTensor& t) { std::ranges::fill(t.as<float>(), float(initial)); };
  for (const Var& p : parameters)
    graph.variable({.name = cat(group, ".", graph.node(p).variable),
                    .type = p.type(),
                    .role = Role::state,
                    .init = initial == 0 ? Init{} : fill,
                    .group = group});
  return graph.flat(group);
}

/// The weights in the flat buffer that are kept at norm 1.
UnitNorm unit_norms(const Model& model, const FlatLayout& layout) {
  UnitNorm op;
  for (const Parameter& p : model.parameters()) {
    if (p.unit == UnitVectors::none || p.frozen) continue;
    const auto at = std::ranges::find(layout.names, p.name) - layout.names.begin();
    op.matrices.push_back({.offset = layout.offsets[at],
                           .rows = p.type.dim(1),
                           .cols = p.type.dim(0),
                           .columns = p.unit == UnitVectors::columns});
  }
  return op;
}

/// In the flat order of the parameters.
std::vector<Var> gradients_of(Build& build, const Model& model, Var loss) {
  const std::vector<Var> parameters = trained(model, build);
  if (parameters.empty())
    throw UserError("model: every layer has `freeze: true`, so there is nothing to train");
  return gradient(loss, parameters);
}

void update_parameters(Build& build, const Model& model, const TrainingOptions& options,
                       const std::vector<Var>& gradients, Var latch, Var step) {
  Graph& graph = build.graph;
  const std::vector<Var> parameters = trained(model, build);
  const FlatLayout layout = graph.layout(kParameters);
  const Var p = graph.flat(kParameters);
  Graph::Scope scope(graph, "optimizer");
  const Var g = pack(gradients, layout);
  std::vector<Var> in{latch, step, p, g}, leaves{p};
  for (const std::string& name : options.optimizer.states) {
    const bool last = name == options.optimizer.states.back();
    in.push_back(optimizer_state(graph, name, parameters, last ? options.optimizer.initial : 0));
    leaves.push_back(in.back());
  }
  if (options.clip > 0) in.push_back(apply(ClipFactor{.max_norm = options.clip}, {g}));
  std::vector<Var> out = graph.apply(options.optimizer.op, in);
  if (const UnitNorm units = unit_norms(model, layout); !units.matrices.empty())
    out[0] = apply(units, {latch, out[0]});
  for (size_t i = 0; i < out.size(); ++i) graph.assign(leaves[i], out[i]);
  for (const auto& [leaf, value] : build.updates)
    graph.assign(leaf, latent::apply(Unless{}, {latch, leaf, value}));
  if (options.ema > 0) {
    build.averaged = true;
    for (const Parameter& parameter : model.parameters())
      if (!parameter.frozen) leaf(build, parameter);
    build.averaged = false;
    const Var average = graph.flat(kAverages);
    graph.assign(average, apply(Ema{.decay = options.ema}, {latch, step, average, out[0]}));
  }
}

/// The model where nothing is drawn: what metrics and views show.
struct Plain {
  Var code, output, mean;
};

Plain plain(const Model& model, Build& build, Var x) {
  Plain p;
  p.code = model.encode(build, x).mean;
  p.output = model.decode(build, p.code);
  p.mean = model.likelihood().mean(p.output);
  return p;
}

/// Is the likelihood's term in the objective another number than the metric of its name? Where the input is corrupted or
/// elements are emphasised; of a mean error also where the code is drawn, or cells are missing: its rows count alike
/// then, however many cells they have.
bool differs_from_metric(const Term& term, const Batch& b, const Code& code) {
  if (b.input != b.clean || b.weight != b.known) return true;
  return (b.known || code.logvar) && term.name != "nll";
}

/// What evaluation adds to the objective's terms; not part of the loss. Means over elements are sums over the known ones
/// by all of them, and `known` is the share that they have to be divided by.
void add_metrics(const Model& model, Build& build, const Plain& f, const Batch& batch,
                 std::vector<Term>& terms) {
  const double size = static_cast<double>(elements(model.target_shape()));
  const auto add = [&](const std::string& name, Var value) {
    if (std::ranges::find(terms, name, &Term::name) == terms.end())
      terms.push_back({name, value, 0});
  };
  const Var x = batch.target, known = batch.known;
  const Likelihood& likelihood = model.likelihood();
  if (likelihood.term() == "nll") add("nll", likelihood.rows(build, f.output, x, known));
  const auto over_known = [&](Var each) { return sum_rows(known ? known * each : each); };
  if (likelihood.probability()) add("bce", bernoulli_nll(f.output, x, known) * (1 / size));
  const Var squared = over_known(square(f.mean - x));
  add("sse", squared);
  add("mse", squared * (1 / size));
  add("mae", mean_absolute_error(f.mean, x, known));
  add("code_mean", mean_rows(f.code));
  add("l0", sum_rows(greater(abs(f.code), 0)));
  if (known) add("known", mean_rows(known));
}

}  // namespace

Graph training_graph(const Model& model, const SplitSource& source, const TrainingOptions& options,
                     std::vector<std::string>* terms, std::vector<std::string>* notes) {
  Graph graph;
  Build build{.graph = graph, .training = true, .taps = {}};
  const Var first_step = build.step = state(graph, "step", {DType::u64, {1}});
  build.seed = constant(graph, names::kSeed, {DType::u64, {1}});
  build.length = &options.length;
  build.rows = source.rows;
  const Batch batch = gather_batch(
      build, model, source,
      {.batch = options.batch,
       .shuffle = options.shuffle,
       .tail = options.drop_tail ? Gather::Tail::drop : Gather::Tail::wrap,
       .binarize = source.dynamic_binarize ? Gather::Binarize::dynamic : Gather::Binarize::none},
      &options.length);
  const Forward f = forward(model, build, batch.input, batch.target, &options.length, batch.weight);
  list_names(f.terms, terms);
  if (notes) *notes = build.notes;
  const Var loss = objective(f.terms, first_step);
  const Counters c = counters(graph, "", static_cast<int>(f.terms.size()));
  // Before the counter moves: what was drawn is drawn again for its gradient.
  const std::vector<Var> gradients = gradients_of(build, model, loss);
  const auto [latch, step] = keep_books(graph, f.terms, c, {});
  update_parameters(build, model, options, gradients, latch, step);
  return graph;
}

Graph evaluation_graph(const Model& model, const SplitSource& source, int64_t batch,
                       std::vector<std::string>* terms, bool averaged_weights,
                       size_t* objective_terms) {
  Graph graph;
  Build build{.graph = graph, .averaged = averaged_weights, .taps = {}};
  const std::string prefix = source.name + ".";
  const Var first_step = build.step = state(graph, prefix + "step", {DType::u64, {1}});
  build.seed = constant(graph, names::kSeed, {DType::u64, {1}});
  build.rows = source.rows;
  const Batch b = gather_batch(
      build, model, source,
      {.batch = batch,
       .sequential = true,
       .binarize = source.dynamic_binarize ? Gather::Binarize::fixed : Gather::Binarize::none});
  const Var real_rows = apply(RowWeights{.batch = batch, .rows = source.rows}, {first_step});
  const Forward f = forward(model, build, b.input, b.target, nullptr, b.weight);
  // Where nothing is drawn this is the same graph again, and becomes one with it.
  Build undrawn{.graph = graph, .averaged = averaged_weights, .taps = {}};
  const Plain p = plain(model, undrawn, b.clean);
  std::vector<Term> all = f.terms;
  if (objective_terms) *objective_terms = all.size();
  Term& likelihood = *std::ranges::find(all, model.likelihood().term(), &Term::name);
  if (differs_from_metric(likelihood, b, f.code)) likelihood.name = "objective." + likelihood.name;
  add_metrics(model, undrawn, p, b, all);
  list_names(all, terms);
  const Var code = reshape(p.code, {batch, -1});
  const Var peak = state(graph, prefix + "peak", {DType::f32, {code.shape()[1]}});
  graph.assign(peak, max_cols(abs(code), peak));
  keep_books(graph, all, counters(graph, prefix, static_cast<int>(all.size())), real_rows);
  return graph;
}

std::string view_input(View view) { return view == View::decoder ? "code" : "input"; }

Graph view_graph(const Model& model, View view, int64_t batch, bool averaged_weights) {
  Graph graph;
  Build build{.graph = graph, .averaged = averaged_weights, .taps = {}};
  Shape shape{batch};
  const Shape& row = view == View::decoder ? model.code_shape() : model.row_shape();
  shape.insert(shape.end(), row.begin(), row.end());
  Var v = constant(graph, view_input(view), {DType::f32, shape});
  if (view != View::decoder) v = model.encode(build, v).mean;
  if (view != View::encoder) v = model.likelihood().mean(model.decode(build, v));
  graph.output("result", v);
  return graph;
}

Graph score_graph(const Model& model, const std::string& score, int64_t batch,
                  bool averaged_weights) {
  if (model.target_shape() != model.row_shape())
    throw UserError(cat(score, ": is of the rows themselves, and data.target asks for others"));
  const Likelihood& likelihood = model.likelihood();
  if ((score == "nll" || score == "elbo") && likelihood.term() != "nll")
    throw UserError(cat(score, ": needs a likelihood in nats: bernoulli, gaussian, ..."));
  Graph graph;
  Build build{.graph = graph, .averaged = averaged_weights, .taps = {}};
  Shape shape{batch};
  shape.insert(shape.end(), model.row_shape().begin(), model.row_shape().end());
  const Var x = constant(graph, view_input(View::autoencoder), {DType::f32, shape});
  const Type counter{DType::u64, {1}};
  if (score == "elbo") {
    build.seed = constant(graph, names::kSeed, counter);
    build.step = constant(graph, kScoreStep, counter);
    const Code code = model.encode(build, x);
    if (!code.kl) throw UserError("elbo: needs a code that is drawn: bottleneck gaussian");
    const Var nll = likelihood.rows(build, model.decode(build, code.value), x, {});
    graph.output("result", code.over_samples(nll) + code.kl);
    return graph;
  }
  const Plain p = plain(model, build, x);
  const double size = static_cast<double>(elements(model.row_shape()));
  graph.output("result", score == "nll"   ? likelihood.rows(build, p.output, x, {})
                         : score == "mse" ? sum_rows(square(p.mean - x)) * (1 / size)
                                          : mean_absolute_error(p.mean, x, {}));
  return graph;
}

}  // namespace latent
