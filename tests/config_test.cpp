// Experiments: the schema, the grammar of choices, extends, dotted paths, sweeps, files.
#include "core/config/experiment.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/base/spelling.h"
#include "core/config/choice.h"
#include "core/config/describe.h"
#include "core/config/dotted.h"
#include "core/config/files.h"
#include "core/config/parse.h"
#include "core/config/resolve.h"
#include "core/config/schedules.h"
#include "core/config/schema.h"
#include "tests/data_files.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

const char* const kMinimal =
    "data: {source: strokes}\n"
    "model: {bottleneck: {dense: 32}, likelihood: bce}\n"
    "train: {epochs: 5}\n";

class ConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "latent-config-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }

  std::vector<RunSpec> runs(const std::string& text,
                            const std::vector<std::string>& set = {}) const {
    return load_experiment(write("a.yaml", text), set);
  }
  Value config(const std::string& text, const std::vector<std::string>& set = {}) const {
    return runs(text, set).at(0).config;
  }
  std::vector<std::string> folders(const std::string& text,
                                   const std::vector<std::string>& set = {}) const {
    std::vector<std::string> all;
    for (const RunSpec& run : runs(text, set)) all.push_back(run.folder);
    return all;
  }
  /// The message of what is wrong, the folder's name left out.
  std::string error(const std::string& text, const std::vector<std::string>& set = {}) const {
    try {
      runs(text, set);
    } catch (const UserError& e) {
      std::string message = e.what();
      const std::string prefix = folder_.string() + "/";
      for (size_t i; (i = message.find(prefix)) != message.npos;) message.erase(i, prefix.size());
      return message;
    }
    return "no error";
  }

  fs::path folder_;
};

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(ConfigRegistry, HasNoAmbiguousName) { EXPECT_EQ(join(check_registry(), "\n"), ""); }

TEST(ConfigRegistry, EveryDefaultOfAKeyIsAllowed) {
  for (const Option& section : experiment_keys()) {
    const bool record = section.domain.kind == Domain::Kind::record;
    for (const Option& key : record ? section.domain.keys : std::vector<Option>{section}) {
      if (key.fallback) {
        EXPECT_NO_THROW(resolve_default(key, key.name)) << key.name;
      }
    }
  }
}

TEST(ConfigRegistry, DescriptionFitsATerminal) {
  const std::string text = describe_parts() + describe_keys();
  for (size_t begin = 0, end; begin < text.size(); begin = end + 1) {
    end = text.find('\n', begin);
    EXPECT_LE(end - begin, 100u) << text.substr(begin, end - begin);
  }
  EXPECT_HAS(text, "  cosine");
  EXPECT_HAS(text, "not built yet");
}

TEST_F(ConfigTest, MinimalFileGetsEveryDefault) {
  const RunSpec run = runs(kMinimal).at(0);
  EXPECT_EQ(run.folder, "a/seed-0");
  EXPECT_EQ(run.seed, 0);
  EXPECT_EQ(run.config.at("name").as_string(), "a");
  EXPECT_TRUE(run.config.at("device").is("auto"));
  EXPECT_EQ(run.config.at("train").at("batch_size").as_int(), 256);
  EXPECT_TRUE(run.config.at("train").at("keep").is("last"));
  EXPECT_TRUE(run.config.at("train").at("steps").is("none"));
  EXPECT_EQ(run.config.at("data").at("validation").as_real(), 0.1);
  EXPECT_TRUE(run.config.at("data").at("train").is("rest"));
  EXPECT_TRUE(run.config.at("data").at("path").is("none"));
  EXPECT_TRUE(run.config.at("model").at("encoder").list().empty());
  EXPECT_EQ(as_choice(run.config.at("model").at("decoder")).name, "mirror");
  const Choice bottleneck = as_choice(run.config.at("model").at("bottleneck"));
  EXPECT_EQ(bottleneck.name, "dense");
  EXPECT_EQ(bottleneck.option("units").as_int(), 32);
  EXPECT_EQ(bottleneck.option("activation").as_string(), "linear");
  const Choice adam = as_choice(run.config.at("train").at("optimizer"));
  EXPECT_EQ(adam.name, "adam");
  EXPECT_EQ(adam.option("lr").as_real(), 1e-3);
  EXPECT_EQ(run.config.find("sweep"), nullptr);
  EXPECT_EQ(run.config.find("extends"), nullptr);
}

TEST_F(ConfigTest, DefaultsThatDependOnOtherKeys) {
  const std::string rest = "model: {bottleneck: {dense: 3}, likelihood: bce}\n";
  const Value a = config("data: {source: mnist, train: 50000}\n" + rest +
                         "train: {steps: 7, stop: {patience: 3}}\n");
  EXPECT_TRUE(a.at("data").at("path").is("mnist"));
  EXPECT_TRUE(a.at("data").at("validation").is("rest"));
  EXPECT_TRUE(a.at("train").at("keep").is("best"));
  EXPECT_TRUE(a.at("train").at("stop").at("metric").is("validation.loss"));
  const Value b = config("data: {source: mnist, validation: 0.2}\n" + rest + "train: {steps: 7}\n");
  EXPECT_TRUE(b.at("data").at("train").is("rest"));
}

TEST_F(ConfigTest, ResolvedTextIsAFixedPoint) {
  const Value once = config(
      "seed: 3\ndata: {source: mnist, train: 55000, labels: none}\n"
      "model:\n  encoder: [{dense: [128, 64], activation: relu}, {dense: {units: 8, name: last}}]\n"
      "  bottleneck: {dense: 32, activation: relu}\n  likelihood: {bernoulli: mean}\n"
      "  penalties: [{weight_decay: 1.0e-4, label: decay, schedule: {linear: 10 epochs}}]\n"
      "train: {epochs: 50, schedule: {cosine: {warmup: 5%}}, validate: 1 epoch}\n");
  const std::string text = to_yaml(once);
  const RunSpec again = load_experiment(write("runs/x/config.yaml", text)).at(0);
  EXPECT_EQ(to_yaml(again.config), text);
  EXPECT_EQ(again.config, once);
  EXPECT_EQ(identity_hash(again.config), identity_hash(once));
  EXPECT_TRUE(once.at("train").at("validate").is("1 epochs"));
}

TEST_F(ConfigTest, FourSpellingsOfAChoiceAreOne) {
  const auto likelihood = [&](const std::string& text) {
    return to_flow(
        config(std::string(kMinimal), {"model.likelihood=" + text}).at("model").at("likelihood"));
  };
  EXPECT_EQ(likelihood("bernoulli"), "{bernoulli: {reduction: sum}}");
  EXPECT_EQ(likelihood("{bernoulli: {}}"), "{bernoulli: {reduction: sum}}");
  EXPECT_EQ(likelihood("{bernoulli: mean}"), "{bernoulli: {reduction: mean}}");
  EXPECT_EQ(likelihood("{bernoulli: {reduction: mean}}"), "{bernoulli: {reduction: mean}}");
  const auto schedule = [&](const std::string& text) {
    return to_flow(config(kMinimal, {"train.schedule=" + text}).at("train").at("schedule"));
  };
  EXPECT_EQ(schedule("{cosine: 5 %, warmup: 3}"), schedule("{cosine: {warmup: 3, over: 5%}}"));
  EXPECT_EQ(schedule("cosine"), schedule("{cosine: {over: 100 %, to: 0}}"));
  EXPECT_EQ(schedule("{piecewise: [[0, 1], [10 epochs, 0.5]]}"),
            "{piecewise: {points: [[0, 1.0], [10 epochs, 0.5]], warmup: 0, start: 0}}");
}

struct Bad {
  const char* what;
  std::string text;
  std::vector<std::string> parts;  ///< of the message
};

std::string with_data(const std::string& keys) {
  return "data: {source: strokes" + keys +
         "}\nmodel: {bottleneck: {dense: 32}, likelihood: bce}\n"
         "train: {epochs: 5}\n";
}
std::string with_bottleneck(const std::string& value) {
  return "data: {source: strokes}\nmodel: {likelihood: bce, bottleneck: " + value +
         "}\ntrain: {epochs: 5}\n";
}
std::string with_train(const std::string& keys) {
  return "data: {source: strokes}\nmodel: {bottleneck: {dense: 32}, likelihood: bce}\n"
         "train: {epochs: 5" +
         keys + "}\n";
}
std::string with(const std::string& line) { return std::string(kMinimal) + line + "\n"; }

TEST_F(ConfigTest, EachMistakeIsOneClearError) {
  const std::vector<Bad> cases = {
      {"unknown key",
       with("modle: 3"),
       {"a.yaml:4:1: modle: unknown key", "did you mean `model`?"}},
      {"unknown key below",
       with_train(", batchsize: 3"),
       {"a.yaml:3:20: train.batchsize: unknown key", "allowed: epochs",
        "did you mean `batch_size`?"}},
      {"unknown option",
       with_bottleneck("{dense: 3, activaton: relu}"),
       {"a.yaml:2:49: model.bottleneck.dense.activaton: unknown key",
        "did you mean `activation`?"}},
      {"unknown part",
       with_bottleneck("dnese"),
       {"a.yaml:2:38: model.bottleneck: is `dnese`, allowed: bottleneck (",
        "did you mean `dense`?"}},
      {"unknown part in a map",
       with_bottleneck("{dnese: 3}"),
       {"a.yaml:2:38: model.bottleneck:", "has no name of the family bottleneck",
        "did you mean `dense`?"}},
      {"two parts",
       with_bottleneck("{dense: 3, identity: 2}"),
       {"names two of the family bottleneck, `dense` and `identity`"}},
      {"option twice",
       with_bottleneck("{dense: 3, units: 4}"),
       {"model.bottleneck.dense.units: is given twice"}},
      {"options inside and beside",
       with_bottleneck("{dense: {units: 3}, bias: false}"),
       {"model.bottleneck.dense: has options both inside and beside the name"}},
      {"no value wanted",
       with_bottleneck("{identity: 3}"),
       {"model.bottleneck.identity: takes no value"}},
      {"missing option",
       with_bottleneck("dense"),
       {"a.yaml:2:38: model.bottleneck.dense.units: is missing", "allowed: integer >= 1"}},
      {"missing key",
       "data: {source: strokes}\nmodel: {likelihood: bce}\ntrain: {epochs: 5}\n",
       {"a.yaml:2:8: model.bottleneck: is missing"}},
      {"missing section", "data: {source: strokes}\n", {"model: is missing"}},
      {"missing source",
       "data: {}\nmodel: {bottleneck: identity, likelihood: bce}\ntrain: {epochs: 1}",
       {"data.source: is missing"}},
      {"wrong type",
       with_train(", batch_size: big"),
       {"a.yaml:3:32: train.batch_size: is `big`, allowed: integer >= 1"}},
      {"real for an integer",
       with_train(", batch_size: 1e3"),
       {"is `1000.0`, allowed: integer >= 1"}},
      {"list for a map", "data: []\nmodel: {}\ntrain: {}\n", {"a.yaml:1:7: data: is `[]`"}},
      {"empty", "data:\nmodel: {}\ntrain: {}\n", {"data: is empty, allowed: {source"}},
      {"zero batch",
       with_train(", batch_size: 0"),
       {"train.batch_size: is `0`, allowed: integer >= 1"}},
      {"negative size",
       with_bottleneck("{dense: -3}"),
       {"a.yaml:2:46: model.bottleneck.dense.units: is `-3`, allowed: integer >= 1"}},
      {"negative rate",
       with_train(", optimizer: {adam: -1}"),
       {"train.optimizer.adam.lr: is `-1`, allowed: real > 0"}},
      {"infinite", with_train(", clip: .inf"), {"train.clip: is `.inf`, allowed: none | real > 0"}},
      {"not a number", with_train(", clip: .nan"), {"train.clip: is `.nan`"}},
      {"a boolean of YAML 1.1",
       with_train(", shuffle: yes"),
       {"train.shuffle: is `\"yes\"`, allowed: true | false"}},
      {"word", with_train(", tail: wrp"), {"allowed: wrap | drop; did you mean `wrap`?"}},
      {"share above one",
       with_data(", validation: 1.5"),
       {"data.validation: is `1.5`, allowed: a number of rows >= 1, or a share in (0, 1]"}},
      {"no rows", with_data(", train: 0"), {"data.train: is `0`"}},
      {"duration",
       with_train(", validate: 3 epoks"),
       {"train.validate: is `3 epoks`, allowed: duration"}},
      {"duration of nothing", with_train(", validate: 0"), {"train.validate: is `0`"}},
      {"tuple",
       with_train(", optimizer: {adam: {betas: [0.9]}}"),
       {"train.optimizer.adam.betas: is `[0.9]`, allowed: ["}},
      {"octal", with_train(", batch_size: 010"), {"a.yaml:3:32: `010` is not the same number"}},
      {"duplicate",
       with("data: {source: waves}"),
       {"a.yaml:4:1: data: is given twice, first in line 1"}},
      {"file source without path",
       "data: {source: csv}\nmodel: {}\ntrain: {}\n",
       {"a.yaml:1:16: data.path: is missing"}},
      {"source",
       "data: {source: mnits}\nmodel: {bottleneck: identity, likelihood: bce}\ntrain: {epochs: 1}",
       {"data.source: is `mnits`", "did you mean `mnist`?"}},
      {"a key of other sources",
       with_data(", header: true"),
       {"a.yaml:1:33: data.header: is for csv, and data.source is strokes"}},
      {"a path of no file",
       with_data(", path: x"),
       {"data.path: is for files, and strokes is made"}},
      {"no length",
       "data: {source: strokes}\nmodel: {bottleneck: identity, likelihood: bce}\ntrain: {}\n",
       {"train: has no length", "train.epochs, train.steps, train.examples"}},
      {"two lengths", with_train(", steps: 3"), {"train: has two lengths"}},
      {"stop by the test rows",
       "data: {source: strokes, validation: test}\nmodel: {bottleneck: identity, likelihood: bce}\n"
       "train: {epochs: 3, stop: {patience: 2}}\n",
       {"train.stop: would choose by the test rows"}},
      {"stop without validation",
       "data: {source: strokes, validation: none}\nmodel: {bottleneck: identity, likelihood: bce}\n"
       "train: {epochs: 3, stop: {patience: 2}}\n",
       {"train.stop: needs validation rows"}},
      {"name", with("name: a/b"), {"name: is `a/b`, allowed: [A-Za-z0-9._-]+"}},
      {"name that leaves the folder", with("name: .."), {"name: is `\"..\"`"}},
      {"device", with("device: gpu"), {"device: is `gpu`, allowed: auto | cpu | cuda | cuda:N"}},
      {"seed", with("seed: -1"), {"seed: is `-1`, allowed: integer >= 0"}},
      {"seed list", with("seed: [0, x]"), {"seed: is `x`"}},
      {"no seed", with("seed: []"), {"seed: is an empty list"}},
      {"same seed twice", with("seed: [0, 0]"), {"two runs would lie in a/seed-0"}},
      {"sweep", with("sweep: 3"), {"a.yaml:4:8: sweep: is `3`"}},
      {"sweep over a scalar",
       with("sweep: {train.epochs: 3}"),
       {"sweep.train.epochs: is `3`, allowed: a list"}},
      {"sweep over an unknown key",
       with("sweep: {train.epoch: [3]}"),
       {"a.yaml:4:9: train.epoch: unknown key `epoch`", "did you mean `epochs`?"}},
      {"sweep over the name", with("sweep: {name: [a, b]}"), {"a run's name cannot be swept"}},
      {"not a map", "- a\n", {"a.yaml:1:1: an experiment is a map of keys, this is list"}},
      {"no file's text", "", {"a.yaml: is empty"}},
      {"extends itself", "extends: a.yaml\n", {"a.yaml:1:10: extends: `a.yaml` extends itself"}},
      {"extends nothing", "extends: b.yaml\n", {"extends: `b.yaml` is not found; tried"}},
  };
  for (const Bad& bad : cases)
    for (const std::string& part : bad.parts)
      EXPECT_NE(error(bad.text).find(part), std::string::npos)
          << bad.what << ": wanted " << part << "\n gave " << error(bad.text);
}

TEST_F(ConfigTest, WhatIsNotBuiltIsRefusedAsSuch) {
  const std::pair<std::string, std::string> cases[] = {
      {with("table: x"), "table: tables and pages are not built yet"},
      {with("page: x"), "page: tables and pages are not built yet"},
      {with("precision: bf16"), "precision: is `bf16`, which is not built yet"},
      {with_data(", window: {length: 3}"), "data.window: is `{length: 3}`, which is not built yet"},
      {with_data(", resident: host"), "data.resident: is `host`, which is not built yet"},
      {with_data(", min_events: 5"), "data.min_events: is `5`, which is not built yet"},
      {with_data(", split: entries"), "data.split: is `entries`, which is not built yet"},
      {with_train(", pretrain: {epochs: 3}"),
       "train.pretrain: is `{epochs: 3}`, which is not built"},
  };
  for (const auto& [text, part] : cases) EXPECT_HAS(error(text), part);
  EXPECT_EQ(error(with("precision: tf32")), "no error");
}

TEST_F(ConfigTest, Extends) {
  write("base/b.yaml",
        "extends: ../root.yaml\nmodel: {bottleneck: {dense: 8, activation: relu}}\n");
  write("root.yaml",
        "seed: 4\ndata: {source: mnist, train: 100}\ntrain: {epochs: 5, batch_size: 32}\n"
        "model: {encoder: [{dense: 64}], bottleneck: identity, likelihood: mse}\n"
        "sweep: {train.epochs: [1, 2]}\n");
  const auto all = runs(
      "extends: base/b.yaml\ndata: {validation: 7}\nmodel: {encoder: [{dense: 16}]}\n"
      "train: {epochs: 9}\nsweep: {train.batch_size: [8]}\n");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].folder, "a/train.epochs=2,train.batch_size=8/seed-4");
  const Value& c = all[0].config;
  EXPECT_EQ(c.at("data").at("train").as_int(), 100);
  EXPECT_EQ(c.at("data").at("validation").as_int(), 7);
  EXPECT_EQ(c.at("model").at("encoder").list().size(), 1u);
  EXPECT_EQ(as_choice(c.at("model").at("encoder").list()[0]).option("units").as_int(), 16);
  EXPECT_EQ(as_choice(c.at("model").at("bottleneck")).option("units").as_int(), 8);
  EXPECT_EQ(as_choice(c.at("model").at("likelihood")).name, "mse");
  write("root.yaml", "extends: base/b.yaml\n");
  EXPECT_HAS(error("extends: base/b.yaml\n"), "extends itself");
  write("root.yaml", "dta: 3\n");
  EXPECT_HAS(error("extends: base/b.yaml\n"), "root.yaml:1:1: dta: unknown key");
}

const char* const kPaths =
    "data: {source: strokes}\n"
    "model:\n"
    "  encoder: [{dense: 64, name: wide}, relu, {dense: {units: 16, activation: relu}}]\n"
    "  bottleneck: {dense: 8, activation: relu}\n"
    "  likelihood: bce\n"
    "  penalties: [{weight_decay: 1.0e-4, label: decay}]\n"
    "train: {epochs: 5}\n";

TEST_F(ConfigTest, DottedPathsSet) {
  const auto value = [&](const std::string& set, const std::string& path) {
    return to_flow(get_path(config(kPaths, {set}), path));
  };
  EXPECT_EQ(value("train.epochs=7", "train.epochs"), "7");
  EXPECT_EQ(value("train.optimizer.lr=0.5", "train.optimizer.adam.lr"), "0.5");
  EXPECT_EQ(value("train.optimizer.adam.lr=0.5", "train.optimizer.lr"), "0.5");
  EXPECT_EQ(value("train.optimizer.adam=0.5", "train.optimizer.lr"), "0.5");
  EXPECT_EQ(value("train.optimizer={sgd: 0.1}", "train.optimizer.sgd.lr"), "0.1");
  EXPECT_EQ(value("train.optimizer.sgd=0.1", "train.optimizer.sgd"), "0.1");
  EXPECT_EQ(value("train.stop.patience=3", "train.stop.metric"), "validation.loss");
  EXPECT_EQ(value("model.bottleneck.dense=16", "model.bottleneck.units"), "16");
  EXPECT_EQ(value("model.bottleneck.dense=16", "model.bottleneck.activation"), "relu");
  EXPECT_EQ(value("model.bottleneck.dense={units: 4}", "model.bottleneck.activation"), "linear");
  EXPECT_EQ(value("model.encoder.0.units=5", "model.encoder.wide.units"), "5");
  EXPECT_EQ(value("model.encoder.wide=5", "model.encoder.0.dense"), "5");
  EXPECT_EQ(value("model.encoder.wide.units=5", "model.encoder.0.dense"), "5");
  EXPECT_EQ(value("model.encoder.2.dense.activation=sigmoid", "model.encoder.2.activation"),
            "sigmoid");
  EXPECT_EQ(value("model.encoder.1={dense: 3}", "model.encoder.1.units"), "3");
  EXPECT_EQ(value("model.penalties.decay=0.5", "model.penalties.0.weight"), "0.5");
  EXPECT_EQ(value("model.penalties.weight_decay=0.5", "model.penalties.decay.weight"), "0.5");
  EXPECT_EQ(value("model.penalties.decay.schedule=cosine", "model.penalties.0.schedule.to"), "0.0");
  EXPECT_EQ(value("model.decoder.weights=tied", "model.decoder.mirror"), "tied");
  EXPECT_EQ(value("evaluate.pca=4", "evaluate.pca"), "4");
  EXPECT_EQ(value("evaluate=[pca]", "evaluate.0.every"), "none");
  EXPECT_EQ(value("data.normal.0=3", "data.normal"), "[3]");
  EXPECT_EQ(
      get_path(config(kMinimal, {"model.penalties.weight_decay=2"}), "model.penalties.0.weight"),
      Value(2.0));
}

TEST_F(ConfigTest, DottedPathsRefuse) {
  const std::pair<std::string, std::string> cases[] = {
      {"train.epoch=3", "--set train.epoch: unknown key `epoch`; allowed: epochs"},
      {"trian.epochs=3", "did you mean `train`?"},
      {"train.epochs=x", "--set train.epochs: is `x`, allowed: none | integer >= 1"},
      {"train.epochs=010", "--set train.epochs: `010` is not the same number"},
      {"train.epochs=", "--set train.epochs: is empty"},
      {"train.epochs", "--set train.epochs: allowed: --set key=value"},
      {"=3", "allowed: --set key=value"},
      {"train..epochs=3", "is no dotted path"},
      {"train.=3", "is no dotted path"},
      {"train.epochs.x=3", "`train.epochs` holds nothing by a name"},
      {"train.optimizer.lrr=3", "unknown key `lrr`; allowed: lr, betas"},
      {"train.optimizer.sgd.lr=3",
       "`train.optimizer` is `adam` here; set `train.optimizer=sgd` first"},
      {"model.encoder.5.units=3", "`model.encoder` has 3 elements, counted from 0"},
      {"model.encoder.dense.units=3", "has 2 elements called `dense`"},
      {"model.encoder.wdie.units=3", "`model.encoder` has no `wdie`; did you mean `wide`?"},
      {"evaluate.pca.rank=3", "`evaluate` has no `pca` yet; set `evaluate.pca` first"},
      {"data.columns.0=3", "`data.columns` is not a list"},
      {"extends=b.yaml", "--set extends: a file says by itself"},
      {"data=[", "--set data: "},
  };
  for (const auto& [set, part] : cases) EXPECT_HAS(error(kPaths, {set}), part);
}

TEST_F(ConfigTest, SweepsNameTheirRuns) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(folders(with("seed: [0, 2]\nname: sparse-l1")),
            (Names{"sparse-l1/seed-0", "sparse-l1/seed-2"}));
  EXPECT_EQ(folders(with("sweep: {seed: [1, 2], model.bottleneck.dense: [8, 16]}")),
            (Names{"a/model.bottleneck.dense=8/seed-1", "a/model.bottleneck.dense=16/seed-1",
                   "a/model.bottleneck.dense=8/seed-2", "a/model.bottleneck.dense=16/seed-2"}));
  EXPECT_EQ(
      folders(
          with("seed: [0, 1]\nsweep: {train.optimizer.lr: [1.0e-4, 0.01], train.shuffle: [true]}")),
      (Names{"a/train.optimizer.lr=1.0e-4,train.shuffle=true/seed-0",
             "a/train.optimizer.lr=1.0e-4,train.shuffle=true/seed-1",
             "a/train.optimizer.lr=0.01,train.shuffle=true/seed-0",
             "a/train.optimizer.lr=0.01,train.shuffle=true/seed-1"}));
  EXPECT_EQ(folders(with("sweep: {model.encoder: [[], [{dense: 3}]]}")),
            (Names{"a/model.encoder=@0/seed-0", "a/model.encoder=@1/seed-0"}));
  EXPECT_EQ(folders(with(
                "sweep: [{name: small, model.bottleneck.dense: 2}, {train.epochs: 9, seed: 4}]")),
            (Names{"a/small/seed-0", "a/train.epochs=9/seed-4"}));
  EXPECT_EQ(folders(kMinimal, {"train.epochs=9", "device=cpu", "seed=3", "data.labels=x/../y z"}),
            (Names{"a/train.epochs=9,data.labels=x_.._y_z/seed-3"}));
  EXPECT_EQ(folders(kMinimal, {"train.epochs=9", "train.batch_size=4", "train.epochs=8"}),
            (Names{"a/train.batch_size=4,train.epochs=8/seed-0"}));
  EXPECT_EQ(folders(with("sweep: {train.epochs: [1, 2]}"), {"sweep=none", "seed=[5, 6]"}),
            (Names{"a/seed-5", "a/seed-6"}));
  EXPECT_EQ(folders(with("sweep: {train.epochs: [1]}"), {"train.batch_size=2"}),
            (Names{"a/train.epochs=1,train.batch_size=2/seed-0"}));
  EXPECT_HAS(error(with("sweep: {train.optimizer.lr: [1]}"), {"train.optimizer.adam=2"}),
             "would undo --set train.optimizer.adam.lr; add --set sweep=none");
}

TEST_F(ConfigTest, SweptValuesReachTheRuns) {
  const auto all = runs(with("seed: [0, 1]\nsweep: {model.bottleneck.dense: [8, 16]}"));
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(get_path(all[2].config, "model.bottleneck.dense").as_int(), 16);
  EXPECT_EQ(all[3].seed, 1);
  EXPECT_EQ(all[3].config.at("seed").as_int(), 1);
  EXPECT_NE(identity_hash(all[2].config), identity_hash(all[3].config));
  EXPECT_EQ(differing_keys(all[0].config, all[3].config),
            (std::vector<std::string>{"seed", "model.bottleneck.dense.units"}));
}

TEST_F(ConfigTest, LongNamesAreCut) {
  std::vector<std::string> set;
  for (const char* key :
       {"train.batch_size", "train.optimizer.lr", "train.optimizer.eps", "train.clip",
        "data.split_seed", "data.data_seed", "model.bottleneck.dense", "data.count", "train.epochs",
        "train.validate", "model.bottleneck.bias_init"})
    set.push_back(std::string(key) + "=1");
  const std::string folder = folders(kMinimal, set).at(0);
  EXPECT_LT(folder.size(), 220u);
  set.back().back() = '2';
  EXPECT_NE(folders(kMinimal, set).at(0), folder);
}

TEST_F(ConfigTest, TheDeviceIsNoPartOfARun) {
  const Value a = config(kMinimal), b = config(kMinimal, {"device=cuda:1"});
  EXPECT_TRUE(b.at("device").is("cuda:1"));
  EXPECT_EQ(identity_hash(a), identity_hash(b));
  EXPECT_TRUE(differing_keys(a, b).empty());
  const Value c = config(kMinimal, {"model.bottleneck=identity", "model.encoder=[{dense: 3}]"});
  EXPECT_EQ(differing_keys(a, c),
            (std::vector<std::string>{"model.encoder", "model.bottleneck.dense",
                                      "model.bottleneck.identity"}));
}

TEST_F(ConfigTest, SeveralFilesMayNotShareAFolder) {
  const std::vector<fs::path> files = {write("one/a.yaml", kMinimal),
                                       write("two/a.yaml", kMinimal)};
  EXPECT_THROW(load_experiments(files), UserError);
  write("two/a.yaml", with("name: b"));
  EXPECT_EQ(load_experiments(files).size(), 2u);
}

TEST_F(ConfigTest, FilesThatCannotBeRead) {
  EXPECT_THROW(load_experiment(folder_ / "none.yaml"), UserError);
  EXPECT_THROW(load_experiment(folder_), UserError);
  EXPECT_HAS(error("\x89PNG\r\n"), "is not text in UTF-8");
}

TEST_F(ConfigTest, PathsAreFoundBesideTheFileThenInTheDataFolder) {
  write("exp/rows.csv", "1,2\n");
  write("cache/other.csv", "1,2\n");
  write("cache/b2.csv", "");
  write("cache/b1.csv", "");
  const DataFolder data(folder_ / "cache");
  const std::string rest = "model: {bottleneck: identity, likelihood: mse}\ntrain: {epochs: 1}\n";
  const auto path_of = [&](const std::string& path) {
    write("exp/x.yaml", "data: {source: csv, path: " + path + "}\n" + rest);
    return load_experiment(folder_ / "exp/x.yaml").at(0).config.at("data").at("path");
  };
  // Beside the file: absolute, so that a copy of the configuration elsewhere means the same.
  EXPECT_EQ(path_of("rows.csv").as_string(), (folder_ / "exp/rows.csv").string());
  EXPECT_EQ(path_of("other.csv").as_string(), "other.csv");
  EXPECT_EQ(resolve_paths(path_of("other.csv")).at(0), folder_ / "cache/other.csv");
  EXPECT_EQ(resolve_paths(path_of("[other.csv, rows.csv]")).size(), 2u);
  const auto glob = resolve_paths(path_of("\"b*.csv\""));
  ASSERT_EQ(glob.size(), 2u);
  EXPECT_EQ(glob[0].filename(), "b1.csv");
  EXPECT_EQ(resolve_path("$LATENT_DATA/b1.csv", folder_), folder_ / "cache/b1.csv");
  EXPECT_EQ(resolve_path("${LATENT_DATA}/b1.csv", folder_), folder_ / "cache/b1.csv");
  try {
    resolve_paths(path_of("nowhere.csv"));
    FAIL();
  } catch (const UserError& e) {
    const std::string message = e.what();
    EXPECT_HAS(message, "x.yaml:1:27: `nowhere.csv` is not found; tried ");
    EXPECT_HAS(message, (folder_ / "exp/nowhere.csv").string());
    EXPECT_HAS(message, (folder_ / "cache/nowhere.csv").string());
  }
  EXPECT_THROW(resolve_path("$LATENT_NO_SUCH_VARIABLE/x", folder_), UserError);
  EXPECT_THROW(resolve_path("b*.csv", folder_), UserError);
}

TEST_F(ConfigTest, SchedulesInSteps) {
  const auto schedule = [&](const std::string& text) {
    return as_schedule(config(kMinimal, {"train.schedule=" + text}).at("train").at("schedule"), 10,
                       200);
  };
  EXPECT_EQ(schedule("constant").kind, Schedule::Kind::constant);
  const Schedule cosine = schedule("{cosine: {warmup: 5 %, to: 0.1}}");
  EXPECT_EQ(cosine.kind, Schedule::Kind::cosine);
  EXPECT_EQ(cosine.span, 200);
  EXPECT_EQ(cosine.warmup, 10);
  EXPECT_FLOAT_EQ(cosine.to, 0.1f);
  EXPECT_EQ(schedule("{step: 3 epochs}").span, 30);
  EXPECT_FLOAT_EQ(schedule("{step: 3 epochs}").by, 0.1f);
  EXPECT_EQ(schedule("{linear: 50, start: 7}").start, 7);
  const Schedule points = schedule("{piecewise: [[0, 1], [5 epochs, 0.5]]}");
  EXPECT_EQ(points.points, 2);
  EXPECT_EQ(points.point[1].step, 50);
  EXPECT_THROW(schedule("{cosine: {over: 10, warmup: 10}}"), UserError);
  EXPECT_THROW(schedule("{piecewise: [[5, 1], [5, 0.5]]}"), UserError);
}

}  // namespace
}  // namespace latent
