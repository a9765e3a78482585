// Plans: a tensor keeps its memory as long as somebody reads it, and variables change behind their last reader.
#include "core/plan/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>

#include "core/device/library_time.h"
#include "core/device/sanitizer.h"
#include "kernels/ops.h"
#include "kernels/structural/structural.h"
#include "tests/small_training.h"

namespace latent {
namespace {

using Floats = std::vector<float>;

Var variable(Graph& graph, const std::string& name, int64_t n, const std::string& group = "") {
  return graph.variable(
      {.name = name, .type = {DType::f32, {n}}, .role = Role::state, .init = {}, .group = group});
}

HostTensor floats(const Floats& values) {
  return host_tensor<float>({static_cast<int64_t>(values.size())}, values);
}
Floats floats(const HostTensor& t) {
  const auto v = t.as<float>();
  return {v.begin(), v.end()};
}

/// A planned graph with variables set to `values`, run once.
struct Ran {
  Store store;
  Program program;

  Ran(const Graph& graph, const std::map<std::string, Floats>& values,
      const Program::Options& options = {})
      : store(open_device("cpu")), program(graph, store, options) {
    for (const auto& [name, value] : values) store.write(name, floats(value));
    program.run();
  }
  Floats operator[](const std::string& name) const {
    return floats(store.has(name) ? store.read(name) : program.output(name));
  }
  const Plan& plan() const { return program.plan(); }
};

Plan plan_of(const Graph& graph, const PlanOptions& options = {}) {
  return make_plan(graph, *open_device("cpu"), options);
}

/// Blocks alive in one step lie apart, aligned, inside the arena.
void expect_sound(const Plan& plan, size_t red_zone = 0) {
  for (size_t i = 0; i < plan.blocks.size(); ++i) {
    const ArenaBlock& a = plan.blocks[i];
    if (a.persistent) continue;
    EXPECT_EQ(a.offset % kBlockAlign, 0u);
    EXPECT_LE(a.offset + a.bytes + red_zone, plan.arena_bytes);
    EXPECT_LE(a.first, a.last);
    for (size_t j = 0; j < i; ++j) {
      const ArenaBlock& b = plan.blocks[j];
      if (b.persistent || a.last < b.first || b.last < a.first) continue;
      EXPECT_TRUE(a.offset + a.bytes + red_zone <= b.offset ||
                  b.offset + b.bytes + red_zone <= a.offset)
          << "blocks " << i << " and " << j;
    }
  }
  const auto alive = [&](int block, int at) {
    const ArenaBlock& b = plan.blocks[block];
    return b.persistent || (b.first <= at && at <= b.last);
  };
  for (int at = 0; at < static_cast<int>(plan.steps.size()); ++at) {
    const Step& step = plan.steps[at];
    std::vector<Location> all = step.in;
    all.insert(all.end(), step.out.begin(), step.out.end());
    for (const Location& l : all) EXPECT_TRUE(l.block < 0 || alive(l.block, at)) << "step " << at;
    if (step.workspace < 0) continue;
    EXPECT_TRUE(alive(step.workspace, at));
    for (const Location& l : all) EXPECT_NE(l.block, step.workspace);
  }
}

TEST(Assign, InPlaceBehindTheLastReader) {
  Graph g;
  const Var w = variable(g, "w", 2);
  g.output("y", exp(w));
  g.assign(w, 2 * w);
  const Ran ran(g, {{"w", {0, 1}}});
  EXPECT_TRUE(ran.plan().copies.empty());
  EXPECT_EQ(ran["w"], (Floats{0, 2}));
  EXPECT_FLOAT_EQ(ran["y"][1], std::exp(1.0f));
}

TEST(Assign, AChainOfStepsInPlaceEndsInTheVariable) {
  Graph g;
  const Var w = variable(g, "w", 2, "p"), p = g.flat("p");
  g.assign(p, exp(relu(2 * p)));
  const Ran ran(g, {{"w", {0, 1}}});
  EXPECT_TRUE(ran.plan().copies.empty());
  EXPECT_EQ(ran.plan().arena_bytes, 0u);
  EXPECT_FLOAT_EQ(ran["w"][0], 1);
  EXPECT_FLOAT_EQ(ran["w"][1], std::exp(2.0f));
  EXPECT_EQ(w.shape(), Shape{2});
}

TEST(Assign, AChainWithAnotherReaderDoesNot) {
  const std::function<Var(Var, Var)> readers[] = {
      [](Var, Var doubled) { return 10 * doubled; },  // reads what lies in between
      [](Var w, Var) { return 20 * w; },              // reads the old value, behind it
      [](Var, Var doubled) {
        return reshape(doubled * 10, {2, 1});
      },  // through a view
  };
  for (const auto& reader : readers) {
    Graph g;
    const Var w = variable(g, "w", 2);
    const Var doubled = 2 * w;
    const Var last = exp(doubled);
    const Var y = reader(w, doubled);
    g.output("y", y);
    g.assign(w, last);
    const Ran ran(g, {{"w", {1, 3}}}), oracle(g, {{"w", {1, 3}}}, {.reuse = false});
    EXPECT_EQ(ran["w"], oracle["w"]);
    EXPECT_EQ(ran["y"], oracle["y"]);
    EXPECT_FLOAT_EQ(ran["w"][0], std::exp(2.0f));
    EXPECT_EQ(ran["y"], (Floats{20, 60}));
  }
}

TEST(Assign, AReaderBehindItSeesTheOldValue) {
  const std::function<Var(Var)> readers[] = {
      [](Var w) { return 10 * w; },
      [](Var w) {
        return 10 * reshape(reshape(w, {2, 1}), {2});
      },  // through views
  };
  for (const auto& reader : readers) {
    Graph g;
    const Var w = variable(g, "w", 2);
    const Var doubled = 2 * w;
    g.output("y", reader(w));
    g.assign(w, doubled);
    const Ran ran(g, {{"w", {3, 1}}});
    EXPECT_EQ(ran.plan().copies.size(), 1u);
    EXPECT_EQ(ran["w"], (Floats{6, 2}));
    EXPECT_EQ(ran["y"], (Floats{30, 10}));
  }
}

TEST(Assign, AReaderOfAMemberSeesTheOldValueOfItsGroup) {
  Graph g;
  const Var a = variable(g, "a", 2, "p"), b = variable(g, "b", 1, "p");
  const Var p = g.flat("p"), doubled = 2 * p;
  g.output("y", 10 * a + b);
  g.assign(p, doubled);
  const Ran late(g, {{"a", {3, 1}}, {"b", {5}}});
  EXPECT_EQ(late["y"], (Floats{35, 15}));
  EXPECT_EQ(late["a"], (Floats{6, 2}));
  EXPECT_EQ(late["b"], (Floats{10}));
}

TEST(Assign, TheOldValueCanBeKeptElsewhere) {
  Graph g;
  const Var w = variable(g, "w", 2), old = variable(g, "old", 2);
  g.assign(w, 2 * w);
  g.assign(old, w);
  Ran ran(g, {{"w", {3, 1}}});
  EXPECT_EQ(ran["w"], (Floats{6, 2}));
  EXPECT_EQ(ran["old"], (Floats{3, 1}));
  ran.program.run();
  EXPECT_EQ(ran["old"], (Floats{6, 2}));
}

TEST(Assign, AnOutputOfAVariableIsItsOldValue) {
  Graph g;
  const Var w = variable(g, "w", 2);
  g.output("before", w);
  g.output("view", reshape(w, {2, 1}));
  g.assign(w, 2 * w);
  Ran ran(g, {{"w", {3, 1}}});
  EXPECT_EQ(ran["before"], (Floats{3, 1}));
  EXPECT_EQ(ran["view"], (Floats{3, 1}));
  EXPECT_EQ(ran["w"], (Floats{6, 2}));
  ran.program.run();
  EXPECT_EQ(ran["before"], (Floats{6, 2}));
}

TEST(Assign, OneValueForTwoVariables) {
  Graph g;
  const Var a = variable(g, "a", 2), b = variable(g, "b", 2);
  const Var value = 2 * a;
  g.assign(a, value);
  g.assign(b, value);
  const Ran ran(g, {{"a", {3, 1}}});
  EXPECT_EQ(ran["a"], (Floats{6, 2}));
  EXPECT_EQ(ran["b"], (Floats{6, 2}));
}

TEST(Assign, AValueIsKeptForTheVariableThatWaitsForIt) {
  for (const bool in_place : {false, true}) {
    Graph g;
    const Var w = variable(g, "w", 2);
    const Var value = 2 * w;
    if (!in_place) g.output("w too", 5 * w);  // read later: w cannot be written yet
    g.output("y", 3 * value);                 // could be in the memory of `value`
    g.assign(w, value);
    const Ran ran(g, {{"w", {3, 1}}});
    EXPECT_EQ(ran["w"], (Floats{6, 2})) << in_place;
    EXPECT_EQ(ran["y"], (Floats{18, 6})) << in_place;
  }
}

TEST(Assign, VariablesMoveUpInAnyOrder) {
  for (const bool backwards : {false, true}) {
    Graph g;
    const Var a = variable(g, "a", 1), b = variable(g, "b", 1), c = variable(g, "c", 1);
    if (backwards) g.assign(b, c);
    g.assign(a, b);
    if (!backwards) g.assign(b, c);
    g.assign(c, a + c);
    Ran ran(g, {{"a", {1}}, {"b", {2}}, {"c", {3}}});
    EXPECT_EQ(ran["a"], Floats{2});
    EXPECT_EQ(ran["b"], Floats{3});
    EXPECT_EQ(ran["c"], Floats{4});
  }
}

TEST(Assign, AnExchangeIsRefused) {
  Graph g;
  const Var a = variable(g, "a", 2), b = variable(g, "b", 2);
  g.assign(a, b);
  g.assign(b, a);
  try {
    plan_of(g);
    FAIL();
  } catch (const GraphError& e) {
    EXPECT_NE(std::string(e.what()).find("exchanged in one step"), std::string::npos) << e.what();
  }
}

TEST(Assign, MisuseIsRefused) {
  Graph g;
  const Var w = variable(g, "w", 2), v = variable(g, "v", 3);
  const Var data = g.variable(
      {.name = "data", .type = {DType::f32, {2}}, .role = Role::constant, .init = {}, .group = ""});
  EXPECT_THROW(g.assign(w, v), GraphError);
  EXPECT_THROW(g.assign(exp(w), w), GraphError);
  EXPECT_THROW(g.assign(data, w), GraphError);
  g.assign(w, 2 * w);
  EXPECT_THROW(g.assign(w, 3 * w), GraphError);
}

TEST(Outputs, SurviveWhatRunsBehindThem) {
  Graph g;
  const Var x = variable(g, "x", 1000);
  const Var y = affine(x, 1, 1);
  g.output("y", y);
  g.output("view", reshape(y, {10, 100}));
  Var z = y;
  for (int i = 0; i < 8; ++i) z = affine(z, 1, 1);
  g.output("z", z);
  const Ran ran(g, {});
  EXPECT_EQ(ran["y"], Floats(1000, 1));
  EXPECT_EQ(ran["view"], Floats(1000, 1));
  EXPECT_EQ(ran["z"], Floats(1000, 9));
  EXPECT_THROW(ran.program.output("no such"), GraphError);
}

TEST(Plan, ViewsCostNothing) {
  Graph g;
  const Var x = variable(g, "x", 6);
  const Var y = reshape(2 * x, {2, 3});
  g.output("y", reshape(3 * reshape(y, {3, 2}), {6}));
  const Plan plan = plan_of(g);
  EXPECT_EQ(plan.total().launches, 2);
  EXPECT_EQ(plan.blocks.size(), 1u) << "3 y takes y's memory";
  expect_sound(plan);
}

TEST(Plan, AnInputReadTwiceIsNotOverwritten) {
  Graph g;
  const Var x = variable(g, "x", 4);
  const Var y = 2 * x;
  g.output("once", (y + y) + y);
  EXPECT_EQ(Ran(g, {{"x", {1, 2, 3, 4}}})["once"], (Floats{6, 12, 18, 24}));
}

TEST(Plan, DeadMemoryIsUsedAgain) {
  Graph g;
  Var x = variable(g, "x", 1024);
  for (int i = 0; i < 20; ++i) x = sum_rows(matmul(reshape(x, {1024, 1}), reshape(x, {1, 1024})));
  g.output("x", x);
  const Plan reused = plan_of(g), own = plan_of(g, {.reuse = false});
  expect_sound(reused);
  expect_sound(own);
  EXPECT_GE(own.arena_bytes, 20 * size_t{4} << 20);
  EXPECT_LT(reused.arena_bytes, size_t{5} << 20);
  EXPECT_EQ(own.arena_bytes, own.arena_bytes_without_reuse);
}

TEST(Plan, RedZonesLieBehindBlocks) {
  Graph g;
  const Var x = variable(g, "x", 100);
  g.output("y", exp(x) + square(x) * abs(x));
  expect_sound(plan_of(g, {.red_zone = 512}), 512);
}

Graph packing(const std::function<void(Graph&, std::vector<Var>&)>& change = {}) {
  Graph g;
  const Var x = variable(g, "x", 3);
  variable(g, "a", 3, "p"), variable(g, "b", 65, "p"), variable(g, "c", 1, "p");
  std::vector<Var> parts{2 * x, broadcast_to(sum(x), {65}), reshape(sum(square(x)), {1})};
  if (change) change(g, parts);
  g.output("packed", pack(parts, g.layout("p")));
  return g;
}

TEST(Pack, PartsAreMadeWhereTheyBelong) {
  const Graph g = packing();
  const Plan plan = plan_of(g);
  const Step& pack = plan.steps.back();
  EXPECT_EQ(pack.cost.launches, 0);
  EXPECT_EQ(pack.in[1].offset, 64u * sizeof(float));
  for (const Location& l : pack.in) EXPECT_EQ(l.block, pack.out[0].block);
  EXPECT_EQ(plan.persistent_bytes, 1024u);
  Ran ran(g, {{"x", {1, 2, 3}}});
  for (int repeat = 0; repeat < 2; ++repeat) {
    Floats want(256, 0);
    want[0] = 2, want[1] = 4, want[2] = 6, want[192] = 14;
    std::fill_n(want.begin() + 64, 65, 6);
    EXPECT_EQ(ran["packed"], want);
    ran.program.run();
  }
}

TEST(Pack, WhatCannotBePlacedIsCopied) {
  const Graph g = packing([](Graph& graph, std::vector<Var>& parts) {
    parts[0] = variable(graph, "x", 3);  // a variable has its own memory
    graph.output("b", parts[1]);         // an output too
  });
  EXPECT_EQ(plan_of(g).steps.back().cost.launches, 2);
  const Ran ran(g, {{"x", {1, 2, 3}}});
  const Floats packed = ran["packed"];
  EXPECT_EQ(Floats(packed.begin(), packed.begin() + 4), (Floats{1, 2, 3, 0}));
  EXPECT_EQ(packed[64], 6);
  EXPECT_EQ(packed[128], 6);
  EXPECT_EQ(packed[129], 0);
  EXPECT_EQ(packed[192], 14);
}

TEST(Pack, OnePartTwice) {
  const Graph g = packing([](Graph&, std::vector<Var>& parts) { parts[2] = sum(parts[0]); });
  EXPECT_EQ(Ran(g, {{"x", {1, 2, 3}}})["packed"][192], 12);
}

const std::pair<const char*, const char*> kTrainings[] = {
    {"bottleneck: {dense: 8, activation: relu}, likelihood: bce", "epochs: 1, batch_size: 16"},
    {"encoder: [{dense: [24, 12], activation: relu}], bottleneck: {dense: 8}, decoder: {mirror: "
     "tied}, likelihood: mse, penalties: [{weight_decay: 1.0e-3}]",
     "epochs: 1, batch_size: 10, optimizer: {sgd: 0.1, momentum: 0.9}, clip: 0.1, ema: 0.9"},
    {"encoder: [{dense: 12, freeze: true}, gelu], bottleneck: identity, decoder: [{dense: 12, "
     "activation: tanh}], likelihood: gaussian, penalties: [{weight_decay: 0.1, schedule: {linear: "
     "5}}]",
     "epochs: 1, batch_size: 7, optimizer: adadelta, ema: 0.5"},
    {"bottleneck: {gaussian: 4}, likelihood: bernoulli", "epochs: 1, batch_size: 8"},
};

TEST(Plan, ReuseChangesNoBitOfTraining) {
  size_t saved = 0;  // a small model may have nothing to save, where its products need no workspace
  for (const auto& [model, train] : kTrainings) {
    const Experiment e = small_experiment(model, train);
    Training reused(e), own(e, {.reuse = false});
    for (int i = 0; i < 3; ++i) {
      reused.program.run(2);
      own.program.run(2);
      EXPECT_EQ(reused.values(), own.values()) << model;
    }
    const Plan& plan = reused.program.plan();
    ASSERT_LE(plan.arena_bytes, plan.arena_bytes_without_reuse) << model;
    saved += plan.arena_bytes_without_reuse - plan.arena_bytes;
    EXPECT_LT(plan.arena_bytes, own.program.plan().arena_bytes) << model;
    expect_sound(plan);
  }
  EXPECT_GT(saved, 0u);
}

/// What depends on no variable stands ready before the first step, and stays as it is.
TEST(Plan, ConstantsAreComputedOnce) {
  Graph g;
  const Var x = variable(g, "x", 3), two = fill(g, {DType::f32, {3}}, 2), four = two * two;
  g.assign(x, x + four);
  g.output("constant", reshape(four, {3, 1}));
  Store store(open_device("cpu"));
  Program program(g, store);
  store.write("x", floats({1, 2, 3}));
  program.run(2);
  EXPECT_EQ(floats(store.read("x")), (Floats{9, 10, 11}));
  EXPECT_EQ(floats(program.output("constant")), (Floats{4, 4, 4}));
  ASSERT_FALSE(program.plan().constants.empty());
  for (const Step& step : program.plan().steps)
    for (const Step& constant : program.plan().constants) EXPECT_NE(step.node, constant.node);
  expect_sound(program.plan());
}

/// A constant part of a packed buffer is written at every step: the buffer's owner may change it.
TEST(Plan, PackedConstantsAreNotKept) {
  const Graph g = packing(
      [](Graph& graph, std::vector<Var>& parts) { parts[2] = fill(graph, parts[2].type(), 5); });
  const Ran ran(g, {{"x", {1, 2, 3}}});
  EXPECT_TRUE(ran.plan().constants.empty());
}

TEST(Plan, TrainingCopiesNothing) {
  for (const auto& [model, train] : kTrainings) {
    const Experiment e = small_experiment(model, train);
    const Training training(e);
    EXPECT_TRUE(training.program.plan().copies.empty()) << model;
    for (const Step& step : training.program.plan().steps) {
      const bool packs = training.program.graph().nodes()[step.node].op.as<Pack>();
      EXPECT_TRUE(!packs || step.cost.launches == 0) << model;
    }
  }
}

TEST(Profile, RunsStepsAndTakesTheTimeOfEveryNode) {
  for (const auto& [model, train] : kTrainings) {
    const Experiment e = small_experiment(model, train);
    Training timed(e), plain(e);
    timed.program.run();
    const std::vector<NodeTime> times = timed.program.profile();
    plain.program.run(1 + 9);
    EXPECT_EQ(timed.values(), plain.values()) << model;
    std::vector<int> want, got;
    for (const Step& step : timed.program.plan().steps)
      if (step.kernel.run) want.push_back(step.node);
    for (const NodeTime& t : times) {
      got.push_back(t.node);
      const std::string op = timed.program.graph().nodes()[t.node].op.name();
      EXPECT_GT(t.seconds, 0) << op;
      EXPECT_LE(t.library, t.seconds) << op;
#if defined(LATENT_ONEDNN)
      EXPECT_EQ(t.library > 0, op.starts_with("linear") || op.starts_with("matmul")) << op;
#else
      EXPECT_EQ(t.library, 0) << op;
#endif
    }
    EXPECT_EQ(got, want) << model;
  }
}

TEST(Profile, ATeamInALibraryCountsOnce) {
  const auto device = open_device("cpu");
  LibraryTime& library = device->slot<LibraryTime>();
  const auto call = [&] {
    const LibraryCall counted(library);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  };
  call();  // before anybody asks
  library.start();
  const auto begin = std::chrono::steady_clock::now();
#pragma omp parallel num_threads(2)
  call();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  const double seconds = library.stop();
  EXPECT_GE(seconds, 0.005);
  EXPECT_LE(seconds, wall.count());
}

/// Copies its input and shows where it lay.
struct Peek {
  static constexpr const char* name = "peek";
  std::shared_ptr<const void*> place = std::make_shared<const void*>(nullptr);
  std::vector<Type> infer(Types in) const { return {in[0]}; }
  Kernel prepare(const Signature& s, Device&) const {
    return {.run = [bytes = s.in[0].bytes(), place = place](const Args& a) {
      *place = a.in[0];
      std::memcpy(a.out[0], a.in[0], bytes);
    }};
  }
  Cost cost(const Signature& s) const { return streaming_cost(s, 0); }
  bool operator==(const Peek&) const = default;
};

TEST(Plan, DeadMemoryIsPoisonedUnderASanitizer) {
#if LATENT_ASAN
  Graph g;
  const Peek early;
  const Var x = variable(g, "x", 1000);
  // The last op works in place, so that nothing takes the memory of exp(x) when it is dead.
  g.output("z", abs(apply(early, {exp(x)})));
  const Ran ran(g, {});
  EXPECT_TRUE(__asan_address_is_poisoned(*early.place));
  EXPECT_FALSE(__asan_address_is_poisoned(x.graph));
  EXPECT_EQ(ran["z"], Floats(1000, 1));  // alive: it can be read
#else
  GTEST_SKIP() << "not a build with AddressSanitizer: nothing is poisoned";
#endif
}

}  // namespace
}  // namespace latent
