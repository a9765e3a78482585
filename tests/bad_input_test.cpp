// Bad input: one clear line that names the place, exit code 2, and no run folder left behind.
#include <zlib.h>

#include <fstream>
#include <limits>

#include "core/data/rows_file.h"
#include "core/io/safetensors.h"
#include "tests/command.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

// ---- Experiment files --------------------------------------------------------------------------------------------

/// A small experiment with one thing wrong, and what the message must hold.
struct WrongFile {
  const char* name;
  TinyExperiment experiment;
  std::vector<std::string> parts;
};

void PrintTo(const WrongFile& wrong, std::ostream* out) { *out << wrong.name; }

std::string tiny_model(const std::string& more) {
  return "{encoder: [{dense: 16}], bottleneck: {dense: 8}, " + more + "}";
}

// Lines: 1 name, 2 device, 3 data, 4 model, 5 train, 6 figures.
const WrongFile kWrongFiles[] = {
    {"unknown_key",
     {.train = "{epoch: 3, batch_size: 32}"},
     {"wrong.yaml:5:", "train.epoch", "unknown key", "did you mean `epochs`?"}},
    {"unknown_section",
     {.rest = "figures: []\nmodle: {}\n"},
     {"wrong.yaml:7:1", "modle", "did you mean `model`?"}},
    {"unknown_layer",
     {.model = "{encoder: [{dens: 16}], bottleneck: {dense: 8}, likelihood: bce}"},
     {"wrong.yaml:4:", "dens", "did you mean `dense`?"}},
    {"unknown_option",
     {.train = "{epochs: 1, optimizer: {adam: {lr: 0.1, beta: 0.9}}}"},
     {"wrong.yaml:5:", "beta", "betas"}},
    {"unknown_activation",
     {.model =
          "{encoder: [{dense: 16, activation: rely}], bottleneck: {dense: 8}, likelihood: bce}"},
     {"wrong.yaml:4:", "activation", "`rely`", "relu"}},
    {"wrong_type",
     {.train = "{epochs: many, batch_size: 32}"},
     {"wrong.yaml:5:", "train.epochs", "`many`", "integer"}},
    {"fraction_for_an_integer",
     {.train = "{epochs: 3, batch_size: 32.5}"},
     {"wrong.yaml:5:", "train.batch_size", "`32.5`", "integer"}},
    {"negative_size",
     {.model = "{bottleneck: {dense: -8}, likelihood: bce}"},
     {"wrong.yaml:4:", "model.bottleneck.dense", "`-8`", ">= 1"}},
    {"zero_batch",
     {.train = "{epochs: 3, batch_size: 0}"},
     {"wrong.yaml:5:", "train.batch_size", "`0`", ">= 1"}},
    {"negative_rate",
     {.train = "{epochs: 3, batch_size: 32, optimizer: {sgd: -0.1}}"},
     {"wrong.yaml:5:", "lr", "-0.1"}},
    {"batch_beyond_the_data",
     {.train = "{epochs: 3, batch_size: 3200}"},
     {"wrong.yaml:5:", "train.batch_size", "3200", "216 train rows"}},
    {"no_length", {.train = "{batch_size: 32}"}, {"wrong.yaml:5:", "train.epochs"}},
    {"two_lengths", {.train = "{epochs: 3, steps: 9}"}, {"wrong.yaml:5:", "two lengths"}},
    {"no_model", {.model = "{likelihood: bce}"}, {"wrong.yaml:4:", "model.bottleneck"}},
    {"bernoulli_beyond_unit_interval",
     {.data = "{source: strokes, count: 300, scale: standard}"},
     {"model.likelihood", "[0, 1]", "data.scale"}},
    {"activation_on_the_output",
     {.model = tiny_model("output: {dense: {activation: relu}}, likelihood: bce")},
     {"wrong.yaml:4:", "model.output.activation", "link"}},
    {"decoder_ends_at_the_data",
     {.model = tiny_model("decoder: [{dense: 16}, {dense: 784}], likelihood: bce")},
     {"wrong.yaml:4:", "model.decoder", "[28, 28, 1]", "output: none"}},
    {"unknown_metric",
     {.train = "{epochs: 3, batch_size: 32, stop: {patience: 2, metric: validation.los}}"},
     {"wrong.yaml:5:", "train.stop.metric", "did you mean `validation.loss`?"}},
    {"metric_of_test_rows",
     {.train = "{epochs: 3, batch_size: 32, stop: {patience: 2, metric: test.loss}}"},
     {"wrong.yaml:5:", "train.stop.metric", "`test.loss`"}},
    {"metric_that_is_not_computed",
     {.train = "{epochs: 3, batch_size: 32, stop: {patience: 2, metric: validation.sse}}"},
     {"wrong.yaml:5:", "train.stop.metric", "`validation.sse`"}},
    {"stop_without_validation",
     {.data = "{source: strokes, count: 300, validation: none}",
      .train = "{epochs: 3, batch_size: 32, stop: {patience: 2}}"},
     {"wrong.yaml:5:", "train.stop", "validation"}},
    {"more_rows_than_there_are",
     {.data = "{source: strokes, count: 300, train: 5000}"},
     {"data.train", "5000", "240"}},
    {"missing_data_set",
     {.data = "{source: mnist}"},
     {"data.source", "mnist", "LATENT_DATA", "data.source=strokes"}},
    {"missing_data_file",
     {.data = "{source: npy, path: nowhere.npy}"},
     {"wrong.yaml:3:", "nowhere.npy", "not found"}},
    {"missing_weights",
     {.train = "{epochs: 1, batch_size: 32, init: nowhere.safetensors}"},
     {"wrong.yaml:5:", "nowhere.safetensors", "not found"}},
    {"key_of_another_source",
     {.data = "{source: strokes, count: 300, delimiter: ';'}"},
     {"wrong.yaml:3:", "data.delimiter", "csv"}},
    {"not_built_yet",
     {.model = tiny_model("likelihood: bce, penalties: [{formula: 1}]")},
     {"wrong.yaml:4:", "model.penalties", "not built"}},
    {"sweep_over_nothing",
     {.rest = "figures: []\nsweep: {model.botleneck.dense: [1, 2]}\n"},
     {"wrong.yaml:7:", "botleneck", "bottleneck"}},
};

class WrongFileTest : public CommandTest, public ::testing::WithParamInterface<WrongFile> {};

INSTANTIATE_TEST_SUITE_P(, WrongFileTest, ::testing::ValuesIn(kWrongFiles),
                         [](const auto& info) { return info.param.name; });

TEST_P(WrongFileTest, IsRefused) {
  write("wrong.yaml", GetParam().experiment);
  expect_refused(latent({"run", "wrong.yaml"}), GetParam().parts);
  EXPECT_FALSE(exists("runs"));
}

class BadInputTest : public CommandTest {
 protected:
  void expect_run_refused(const std::string& file, const std::vector<std::string>& parts) {
    expect_refused(latent({"run", file}), parts);
    EXPECT_FALSE(exists("runs"));
  }
};

TEST_F(BadInputTest, Yaml) {
  const std::string tiny = TinyExperiment().yaml();
  write_text("twice.yaml", tiny + "name: another\n");
  expect_run_refused("twice.yaml", {"twice.yaml:7:1", "name", "line 1"});
  write_text("octal.yaml", tiny + "seed: 010\n");
  expect_run_refused("octal.yaml", {"octal.yaml:7:", "`010`"});
  write_text("open.yaml", tiny + "evaluate: [reconstruction\n");
  expect_run_refused("open.yaml", {"open.yaml:"});
  write_text("loop.yaml", tiny + "extends: loop.yaml\n");
  expect_run_refused("loop.yaml", {"loop.yaml:7:", "extends itself"});
  write_text("empty.yaml", "");
  expect_run_refused("empty.yaml", {"empty.yaml"});
  write_text("binary.yaml", std::string("\x7f\x45LF\0\1\2\xff", 8));
  expect_run_refused("binary.yaml", {"binary.yaml"});
  expect_run_refused("nowhere.yaml", {"nowhere.yaml", "no such file"});
}

TEST_F(BadInputTest, CommandLine) {
  write("tiny.yaml", TinyExperiment());
  expect_refused(latent({"run", "tiny.yaml", "--set", "train.epoch=1"}),
                 {"--set train.epoch", "did you mean `epochs`?"});
  expect_refused(latent({"run", "tiny.yaml", "--device", "gpu"}), {"device", "`gpu`", "cuda"});
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"run"}, {"fly"}, {"run", "tiny.yaml", "--faster"}, {}})
    EXPECT_EQ(latent(arguments).code, 2);
  EXPECT_FALSE(exists("runs"));
}

TEST_F(BadInputTest, OutThatCannotBeWritten) {
  write("tiny.yaml", TinyExperiment());
  expect_refused(latent({"run", "tiny.yaml", "--out", "tiny.yaml/runs"}),
                 {"tiny.yaml/runs", "cannot be made"});
  expect_refused(latent({"run", "tiny.yaml", "--out", "/proc/runs"}), {"/proc/runs"});
}

TEST_F(BadInputTest, CudaWithoutAGpu) {
  if (has_gpu()) GTEST_SKIP() << "this machine has a GPU";
  write("tiny.yaml", {.device = "cuda"});
  expect_run_refused("tiny.yaml", {"cuda", "cpu"});
}

// ---- Data files --------------------------------------------------------------------------------------------------

std::string big_endian(std::initializer_list<uint32_t> words) {
  std::string bytes;
  for (const uint32_t word : words)
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(word >> shift);
  return bytes;
}

std::string gzip(const std::string& bytes) {
  std::string packed(compressBound(bytes.size()) + 32, '\0');
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string npy(const std::string& dtype, const std::string& shape, size_t bytes) {
  std::string header =
      "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.resize(117, ' ');
  header += '\n';
  return std::string("\x93NUMPY\1\0\x76\0", 10) + header + std::string(bytes, '\1');
}

std::string safetensors(const std::string& header, size_t bytes) {
  std::string length(8, '\0');
  length[0] = static_cast<char>(header.size());
  return length + header + std::string(bytes, '\1');
}

TEST_F(BadInputTest, DataFiles) {
  const std::string image_header = big_endian({0x803, 40, 2, 2});
  std::string pixels(160, '\0');
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<char>(i * 37 % 251);
  const std::string packed = gzip(image_header + pixels);
  const std::string f32 = R"({"a":{"dtype":"F32","shape":[4,2],"data_offsets":)";
  const struct {
    const char *source, *file;
    std::string bytes;
    std::vector<std::string> parts;
  } files[] = {
      {"idx", "cut.idx.gz", packed.substr(0, packed.size() - 20), {"gzip", "truncated"}},
      {"idx", "magic.idx", big_endian({0x01020304}) + image_header + pixels, {"magic"}},
      {"idx", "more.idx", image_header + pixels.substr(9), {"[40, 2, 2]", "151 bytes"}},
      {"idx", "endless.idx", big_endian({0x803, 0xffffffff, 0xffffffff, 0xffffffff}), {}},
      {"idx", "short.idx", image_header.substr(0, 7), {}},
      {"npy", "object.npy", npy("|O", "(4, 2)", 64), {"Python objects"}},
      {"npy", "bytes.npy", npy("<\n\0014", "(4, 2)", 64), {"<??4"}},
      {"npy", "complex.npy", npy("<c8", "(4, 2)", 64), {"<c8"}},
      {"npy", "cut.npy", npy("<f4", "(400, 2)", 64), {"[400, 2]", "64 bytes"}},
      {"npy", "huge.npy", npy("<f4", "(4611686018427387904, 8)", 64), {}},
      {"npy", "magic.npy", "PK\3\4" + npy("<f4", "(4, 2)", 32), {}},
      {"safetensors",
       "overlap.safetensors",
       safetensors(f32 + R"([0,32]},"b":{"dtype":"F32","shape":[8],"data_offsets":[16,48]}})", 48),
       {"`b`", "overlaps"}},
      {"safetensors", "beyond.safetensors", safetensors(f32 + "[32,64]}}", 40), {"`a`", "byte 64"}},
      {"safetensors", "backward.safetensors", safetensors(f32 + "[32,0]}}", 32), {"`a`"}},
      {"safetensors", "header.safetensors", std::string(8, '\x7f') + "{}", {"header"}},
      {"csv", "words.csv", "a,b\n1,2\n3,four\n5,6\n", {"four"}},
      {"csv", "ragged.csv", "a,b\n1,2\n3\n5,6\n", {":3"}},
  };
  for (const auto& f : files) {
    write_text(f.file, f.bytes);
    write("tiny.yaml", {.data = cat("{source: ", f.source, ", path: ", f.file, "}"),
                        .model = "{bottleneck: {dense: 2}, likelihood: mse}",
                        .train = "{epochs: 1, batch_size: 2}"});
    std::vector<std::string> parts = f.parts;
    parts.push_back(f.file);
    expect_run_refused("tiny.yaml", parts);
  }
}

TEST_F(BadInputTest, NaNInTheData) {
  HostTensor rows(Type{DType::f32, {40, 3}});
  for (size_t i = 0; i < 120; ++i) rows.as<float>()[i] = static_cast<float>(i % 7);
  rows.as<float>()[3 * 17 + 2] = std::numeric_limits<float>::quiet_NaN();
  write_rows(at("rows.npy"), rows);
  const auto experiment = [](const char* more) {
    return TinyExperiment{.data = cat("{source: npy, path: rows.npy", more, "}"),
                          .model = "{bottleneck: {dense: 2}, likelihood: mse}",
                          .train = "{epochs: 1, batch_size: 5}"};
  };
  write("tiny.yaml", experiment(""));
  expect_run_refused("tiny.yaml", {"rows.npy", "row 17, column 2", "NaN", "data.missing"});
  for (const char* missing : {"zero", "mask"}) {
    write("tiny.yaml", experiment(cat(", missing: ", missing).c_str()));
    run("tiny.yaml", {"--out", missing});
  }
  write("pca.yaml", {.data = "{source: npy, path: rows.npy, missing: mask}",
                     .model = "{bottleneck: {dense: 2}, likelihood: mse}",
                     .train = "{epochs: 1, batch_size: 5}",
                     .rest = "evaluate: [pca]\n"});
  expect_run_refused("pca.yaml", {"pca", "data.missing"});
}

TEST_F(BadInputTest, TargetsAndCorruption) {
  HostTensor rows(Type{DType::f32, {40, 3}});
  for (size_t i = 0; i < 120; ++i) rows.as<float>()[i] = static_cast<float>(i % 7);
  write_rows(at("rows.npy"), rows);
  rows.type.shape = {30, 4};
  write_rows(at("short.npy"), rows);
  const auto refused = [&](const char* data, const char* corruption,
                           const std::vector<std::string>& parts) {
    write("tiny.yaml",
          {.data = cat("{source: npy, path: rows.npy", data, "}"),
           .model = cat("{bottleneck: {dense: 2}, likelihood: mse, corruption: ", corruption, "}"),
           .train = "{epochs: 1, batch_size: 5}"});
    expect_run_refused("tiny.yaml", parts);
  };
  refused(", target: short.npy", "none", {"data.target", "short.npy has 30 rows, the data 40"});
  refused(", target: gone.npy", "none", {"data.target", "gone.npy"});
  refused(", target: y", "none", {"data.target", "`y` is no file"});
  refused("", "{gaussian: {std: 0.1, clip: [1, 0]}}", {"tiny.yaml:", "clip", "[1, 0]"});
  refused("", "{masking: 1}", {"tiny.yaml:", "rate", "in [0, 1)"});
  refused("", "{masking: -0.5}", {"tiny.yaml:", "rate", "in [0, 1)"});
}

// ---- Files of a run ----------------------------------------------------------------------------------------------

/// One byte changed, in the middle.
void damage(const fs::path& file) {
  std::string bytes = bytes_of(file);
  bytes[bytes.size() / 2] ^= 0x40;
  std::ofstream(file, std::ios::binary) << bytes;
}

TEST_F(BadInputTest, DamagedStateOnResume) {
  write("tiny.yaml", {.train = "{steps: 100000, batch_size: 32}"});
  const std::string state = "runs/tiny/seed-0/state.safetensors";
  {
    Process process(folder_.path(), {"run", "tiny.yaml", "--checkpoint-seconds", "0"});
    process.wait_until([&] { return exists(state); });
  }
  const std::string whole = bytes_of(at(state));
  damage(at(state));
  expect_refused(latent({"run", "tiny.yaml", "--resume"}), {"state.safetensors", "damaged"});
  write_text(state, whole.substr(0, whole.size() / 3));
  expect_refused(latent({"run", "tiny.yaml", "--resume"}), {"state.safetensors", "truncated"});
  EXPECT_EQ(bytes_of(at(state)).size(), whole.size() / 3) << "a refused resume writes nothing";
  // Without the optimizer's moments.
  write_text(state, whole);
  SafeTensors weights = read_safetensors(at(state));
  ASSERT_GT(std::erase_if(weights.tensors,
                          [](const NamedTensor& t) { return t.name.starts_with("optimizer."); }),
            0u);
  write_safetensors(at(state), weights);
  expect_refused(latent({"run", "tiny.yaml", "--resume"}),
                 {"state.safetensors", "has no optimizer."});
  // The state of another run.
  write("other.yaml", {.name = "other", .train = "{steps: 1, batch_size: 32}"});
  run("other.yaml");
  write_text(state, bytes_of(at("runs/other/seed-0/state.safetensors")));
  expect_refused(latent({"run", "tiny.yaml", "--resume"}), {"state.safetensors", "configuration"});
  // One that another program wrote.
  write_safetensors(at(state), {});
  expect_refused(latent({"run", "tiny.yaml", "--resume"}), {"state.safetensors"});
}

TEST_F(BadInputTest, ModelCommands) {
  write("tiny.yaml", {.train = "{steps: 3, batch_size: 32}"});
  run("tiny.yaml");
  const std::string folder = "runs/tiny/seed-0", weights = folder + "/last.safetensors";
  write_rows(at("narrow.npy"), HostTensor(Type{DType::f32, {3, 5}}));
  HostTensor hole(Type{DType::f32, {2, 784}});
  hole.as<float>()[784 + 5] = std::numeric_limits<float>::quiet_NaN();
  write_rows(at("hole.npy"), hole);
  fs::copy_file(at(weights), at("damaged.safetensors"));
  damage(at("damaged.safetensors"));
  const struct {
    std::vector<std::string> arguments, parts;
  } commands[] = {
      {{"encode", folder, "--data", "narrow.npy"}, {"narrow.npy", "[3, 5]", "[28, 28, 1]"}},
      {{"reconstruct", folder, "--data", "narrow.npy"}, {"narrow.npy", "[3, 5]", "[28, 28, 1]"}},
      {{"decode", folder, "--data", "narrow.npy"}, {"narrow.npy", "[3, 5]", "[8]"}},
      {{"encode", folder, "--data", "hole.npy"}, {"hole.npy", "row 1", "NaN"}},
      {{"encode", folder, "--data", "nowhere.npy"}, {"nowhere.npy"}},
      {{"decode", folder}, {"--data"}},
      {{"encode", "nowhere"}, {"nowhere", "is not there"}},
      {{"encode", "runs"}, {"runs", "not a run folder"}},
      {{"encode", "tiny.yaml"}, {"tiny.yaml", "safetensors"}},
      {{"encode", "damaged.safetensors"}, {"damaged.safetensors", "is damaged"}},
      {{"encode", folder + "/state.safetensors"}, {"state.safetensors", "latent.model"}},
      {{"encode", folder, "--weights", "best"}, {"best.safetensors", "is not there"}},
  };
  for (auto [arguments, parts] : commands) {
    arguments.insert(arguments.end(), {"--output", "out.npy"});
    expect_refused(latent(arguments), parts);
  }
  expect_refused(latent({"encode", folder, "-o", "out.txt"}), {"out.txt", ".npy"});
  expect_refused(latent({"encode", folder, "-o", "nowhere/out.npy"}), {"nowhere/out.npy"});
  EXPECT_FALSE(exists("out.npy"));
  expect_refused(latent({"evaluate", "nowhere"}), {"nowhere", "is not there"});
  expect_refused(latent({"evaluate", folder, "--set", "model.bottleneck.dense=5"}),
                 {"model.bottleneck", "evaluate"});
  expect_refused(latent({"evaluate", folder, "--data", "narrow.npy"}), {"[3, 5]", "[28, 28, 1]"});
}

}  // namespace
}  // namespace latent
