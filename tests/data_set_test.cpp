// Data sets: splits, scaling, labels, missing values, shapes, and what is said of data that do not fit.
#include "core/data/dataset.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <set>

#include "core/data/pca.h"
#include "core/data/rows_file.h"
#include "core/data/sources.h"
#include "core/data/strokes.h"
#include "core/io/safetensors.h"
#include "tests/data_files.h"

namespace latent {
namespace {

int64_t rows(const StoredRows& t) { return t.count(); }
std::vector<float> values(const StoredRows& t) {
  const HostTensor f = to_f32(t.dense());
  return {f.as<float>().begin(), f.as<float>().end()};
}

/// A table whose first column is the row's number; labels are the number modulo 4.
class DataSetTest : public ::testing::Test {
 protected:
  TemporaryFolder folder;

  std::string table(int n) {
    std::string text = "row,b,kind\n";
    for (int i = 0; i < n; ++i) text += cat(i, ",", i % 7 * 0.5, ",", i % 4, "\n");
    return write("table.csv", text);
  }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
    return (folder / name).string();
  }
  std::string npy() {
    write_rows(folder / "a.npy", host_tensor<float>({4, 1}, std::vector<float>{1, 2, 3, 4}));
    return (folder / "a.npy").string();
  }
  DataSet load(const std::string& section, int n = 100) {
    return load_yaml("source: csv, path: " + table(n) + ", labels: kind, scale: none, " + section);
  }
  static std::set<int> numbers(const StoredRows& t) {
    std::set<int> out;
    const auto v = values(t);
    for (size_t i = 0; i < v.size(); i += 2) out.insert(static_cast<int>(v[i]));
    return out;
  }
};

// ---- Splits

TEST_F(DataSetTest, DefaultSplitIsEveryRowOnce) {
  const DataSet data = load("split: random");
  EXPECT_EQ(rows(data.test), 20);
  EXPECT_EQ(rows(data.validation), 8);
  EXPECT_EQ(rows(data.train), 72);
  std::set<int> all = numbers(data.train);
  all.merge(numbers(data.validation));
  all.merge(numbers(data.test));
  EXPECT_EQ(all.size(), 100u);
  const auto train = values(data.train);
  for (size_t i = 2; i < train.size(); i += 2)
    EXPECT_LT(train[i - 2], train[i]);  // the file's order
  for (size_t i = 0; i < data.train_labels.size(); ++i)
    EXPECT_EQ(data.train_labels[i], static_cast<int>(train[2 * i]) % 4);
  EXPECT_EQ(data.label_names, (std::vector<std::string>{"0", "1", "2", "3"}));
}

TEST_F(DataSetTest, OfTrainAndValidationTheOneNotGivenIsTheRest) {
  const auto sizes = [this](const std::string& section) {
    const DataSet d = load(section);
    return std::array<int64_t, 3>{rows(d.train), rows(d.validation), rows(d.test)};
  };
  using Sizes = std::array<int64_t, 3>;
  EXPECT_EQ(sizes("train: 60"), (Sizes{60, 20, 20}));
  EXPECT_EQ(sizes("validation: 30"), (Sizes{50, 30, 20}));
  EXPECT_EQ(sizes("train: 10, validation: 5"), (Sizes{10, 5, 20}));
  EXPECT_EQ(sizes("train: 0.5, test: 10"), (Sizes{45, 45, 10}));
  EXPECT_EQ(sizes("validation: none, test: none"), (Sizes{100, 0, 0}));
  EXPECT_EQ(sizes("validation: none, test: train"), (Sizes{100, 0, 100}));
  EXPECT_EQ(sizes("validation: test, test: 0.25"), (Sizes{75, 25, 25}));
  EXPECT_EQ(sizes("train: 1.0, validation: none, test: none"), (Sizes{100, 0, 0}));
  expect_user_error([&] { load("train: 81"); }, "data.train: 81 rows", "have 80");
  expect_user_error([&] { load("train: 60, validation: 30"); }, "60 rows and 30 for validation");
  expect_user_error([&] { load("validation: 80"); }, "no row is left for training");
  expect_user_error([&] { load("test: 101"); }, "data.test: 101 rows, and the data have 100");
}

TEST_F(DataSetTest, SplitIsAFunctionOfItsSeed) {
  const DataSet a = load("split_seed: 1"), b = load("split_seed: 1"), c = load("split_seed: 2");
  EXPECT_EQ(a.train, b.train);
  EXPECT_NE(numbers(a.test), numbers(c.test));
  EXPECT_EQ(a.sha256, c.sha256);
  const std::string section = "source: strokes, count: 50, split_seed: seed";
  EXPECT_NE(load_yaml(section, 1).test, load_yaml(section, 2).test);
}

TEST_F(DataSetTest, OrderedAndStratified) {
  const DataSet ordered = load("split: ordered, train: 50, validation: 20, test: 30");
  EXPECT_EQ(*numbers(ordered.train).rbegin(), 49);
  EXPECT_EQ(*numbers(ordered.validation).begin(), 50);
  EXPECT_EQ(*numbers(ordered.test).begin(), 70);
  const DataSet stratified = load("split: stratified, train: 40, validation: 20, test: 40");
  for (int label = 0; label < 4; ++label) {
    EXPECT_NEAR(std::ranges::count(stratified.train_labels, label), 10, 1);
    EXPECT_NEAR(std::ranges::count(stratified.validation_labels, label), 5, 1);
    EXPECT_NEAR(std::ranges::count(stratified.test_labels, label), 10, 1);
  }
  expect_user_error([&] { load_yaml("source: npy, path: " + npy() + ", split: stratified"); },
                    "stratified needs labels");
}

TEST_F(DataSetTest, TrainOnLeavesTestAlone) {
  const DataSet normal = load("train_on: normal, split: stratified");
  EXPECT_EQ(std::ranges::count(normal.train_labels, 0), rows(normal.train));
  EXPECT_EQ(std::ranges::count(normal.validation_labels, 0), rows(normal.validation));
  EXPECT_EQ(rows(normal.test), 20);
  EXPECT_GT(std::ranges::count(normal.test_labels, 3), 0);
  const DataSet two = load("train_on: [1, 2], test: none, validation: none");
  EXPECT_EQ(rows(two.train), 50);
  expect_user_error([&] { load("train_on: [7]"); }, "data.train_on: no row has the label `7`");
}

TEST_F(DataSetTest, TestRowsOfAnotherFile) {
  const std::string other = write("other.csv", "row,b,kind\n200,1,2\n201,2,9\n");
  const DataSet data = load("validation: 10, test: " + other);
  EXPECT_EQ(rows(data.train), 90);
  EXPECT_EQ(numbers(data.test), (std::set<int>{200, 201}));
  EXPECT_EQ(data.label_names.back(), "9");
  EXPECT_EQ(data.test_labels, (std::vector<int64_t>{2, 4}));
  expect_user_error([&] { load("test: " + write("wide.csv", "1,2,3,4\n5,6,7,8\n")); }, "kind");
  const std::string wide = write("wide.csv", "a,b,c,kind\n1,2,3,4\n");
  expect_user_error([&] { load("test: " + wide); }, "data.test", "does not fit the rows");
  expect_user_error([&] { load("test: none.csv"); }, "none.csv");
}

// ---- Scaling

TEST_F(DataSetTest, ScalingIsFittedOnTrainRowsAlone) {
  const std::string path = write("s.csv", "1,5,0\n3,5,10\n5,5,20\n1000,1000,1000\n");
  const auto load_scaled = [&](const std::string& scale) {
    return load_yaml("source: csv, path: " + path +
                     ", split: ordered, validation: none, test: 1, scale: " + scale);
  };
  const DataSet standard = load_scaled("standard");
  EXPECT_EQ(values(standard.shift), (std::vector<float>{3, 5, 10}));
  EXPECT_FLOAT_EQ(standard.scale.as<float>()[0], std::sqrt(3.0f / 8));
  EXPECT_EQ(standard.scale.as<float>()[1], 1);  // a constant column
  EXPECT_FLOAT_EQ(static_cast<float>(standard.range.hi), std::sqrt(1.5f));
  const DataSet minmax = load_scaled("minmax");
  EXPECT_EQ(values(minmax.shift), (std::vector<float>{1, 5, 0}));
  EXPECT_EQ(minmax.range.lo, 0);
  EXPECT_EQ(minmax.range.hi, 1);
  const DataSet rms = load_scaled("rms");
  EXPECT_FLOAT_EQ(rms.scale.as<float>()[0], std::sqrt(3.0f / ((26 + 134 + 450) / 3.0f)));
  EXPECT_EQ(rms.scale.type.shape, Shape{1});
  EXPECT_EQ(load_scaled("auto").scale, standard.scale);
  EXPECT_EQ(load_scaled("unit").scale.as<float>()[0], 1 / 255.0f);
  EXPECT_EQ(load_scaled("none").range.hi, 20);
}

TEST_F(DataSetTest, AutoScaleKnowsItsCases) {
  const DataSet strokes = load_yaml("source: strokes, count: 100");
  EXPECT_EQ(strokes.train.type(), (Type{DType::u8, {72, 28, 28, 1}}));
  EXPECT_EQ(strokes.range.lo, 0);
  EXPECT_EQ(strokes.range.hi, 1);  // 255 times the f32 next to 1/255
  const std::string reals = write("r.csv", "0,0.5\n1,0.25\n0.5,1\n");
  const std::string section = "source: csv, path: " + reals + ", test: none, validation: none";
  EXPECT_EQ(load_yaml(section).scale.as<float>()[0], 1);
  expect_user_error([&] { load_yaml(section + ", scale: unit"); },
                    "data.scale: unit divides by 255", "take none");
}

TEST_F(DataSetTest, StatisticsOfScaledRows) {
  const std::string path = write("p.csv", "0,0.5\n1,0.5\n");
  const DataSet data = load_yaml("source: csv, path: " + path + ", test: train, validation: none");
  const SplitStatistics s = statistics_of(data, "test");
  EXPECT_DOUBLE_EQ(s.sum_of_squares, 0.5);
  EXPECT_DOUBLE_EQ(s.entropy, std::log(2.0) / 2);
  EXPECT_TRUE(std::isnan(statistics_of(load("test: train"), "test").entropy));
}

// ---- Values

TEST_F(DataSetTest, MissingCellsAreRefusedOrBecomeZeroAfterScaling) {
  const std::string path = write("m.csv", "a,b\n1,2\n,4\n5,nan\n3,6\n");
  const std::string section =
      "source: csv, path: " + path + ", test: none, validation: none, scale: standard";
  expect_user_error([&] { load_yaml(section); }, "m.csv:3: column 1 (`a`) is empty");
  const DataSet data = load_yaml(section + ", missing: zero");
  EXPECT_EQ(values(data.shift), (std::vector<float>{3, 4}));
  EXPECT_EQ(values(data.train), (std::vector<float>{1, 2, 3, 4, 5, 4, 3, 6}));
}

TEST_F(DataSetTest, MaskedCellsStayAndStatisticsAreThoseOfTheOthers) {
  const std::string path = write("m.csv", "a,b\n1,2\n,4\n5,nan\n3,6\n");
  const std::string section =
      "source: csv, path: " + path + ", test: train, validation: none, missing: mask, scale: ";
  const DataSet data = load_yaml(section + "minmax");
  EXPECT_TRUE(data.masked);
  EXPECT_EQ(values(data.shift), (std::vector<float>{1, 2}));
  EXPECT_EQ(values(data.scale), (std::vector<float>{0.25f, 0.25f}));
  EXPECT_EQ(data.range.lo, 0);
  EXPECT_EQ(data.range.hi, 1);
  const std::vector<float> rows = values(data.train);
  EXPECT_TRUE(std::isnan(rows[2]) && std::isnan(rows[5]));
  const SplitStatistics s = statistics_of(data, "test");
  // a: 0, 1, 0.5; b: 0, 0.5, 1.
  EXPECT_NEAR(s.sum_of_squares, 2 * 0.5, 1e-6);
  EXPECT_NEAR(s.entropy, 2 * std::log(2.0) / 6, 1e-6);
  expect_user_error([&] { pca_errors(data, "test", 1); }, "pca: takes whole rows");
  expect_user_error([&] { load_yaml(section + "minmax, binarize: threshold"); },
                    "data.binarize: threshold and static keep no missing cells");
  EXPECT_NO_THROW(load_yaml(section + "minmax, binarize: dynamic"));
  EXPECT_NO_THROW(pca_errors(load("missing: mask"), "test", 1)) << "nothing is missing";
}

// ---- Targets

/// Rows 0 to 11 of two elements, and targets ten times as large.
std::vector<float> counted(float factor) {
  std::vector<float> v(24);
  for (size_t i = 0; i < v.size(); ++i) v[i] = factor * static_cast<float>(i);
  return v;
}

TEST_F(DataSetTest, TargetsFollowTheirRows) {
  const HostTensor x = host_tensor<float>({12, 2}, counted(1)),
                   y = host_tensor<float>({12, 2}, counted(10));
  const std::string file = (folder / "pairs.safetensors").string();
  write_safetensors(file, {.tensors = {{"x", x}, {"y", y}}, .metadata = {}});
  write_rows(folder / "y.npy", y);
  write_rows(folder / "x.npy", x);
  const std::string rest = ", train: 6, validation: 3, test: 3, scale: minmax";
  const DataSet by_key = load_yaml("source: safetensors, path: " + file + ", target: y" + rest),
                by_file = load_yaml("source: npy, path: " + (folder / "x.npy").string() +
                                    ", target: " + (folder / "y.npy").string() + rest);
  EXPECT_EQ(by_key.sha256, by_file.sha256);
  for (const DataSet* data : {&by_key, &by_file}) {
    ASSERT_TRUE(data->targets);
    for (const char* split : {"train", "validation", "test"}) {
      const std::vector<float> rows = values(split_of(*data, split)),
                               targets = values(targets_of(*data, split));
      ASSERT_EQ(rows.size(), targets.size());
      for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(targets[i], 10 * rows[i]);
    }
    EXPECT_EQ(data->targets->shift, data->shift) << "of one shape, so of one scaling";
    EXPECT_EQ(data->targets->scale, data->scale);
    EXPECT_GT(data->targets->range.hi, 5);
    EXPECT_GT(statistics_of(*data, "train").sum_of_squares,
              50 * statistics_of(
                       load_yaml("source: safetensors, path: " + file + ", key: x" + rest), "train")
                       .sum_of_squares);
    expect_user_error([&] { pca_errors(*data, "test", 1); }, "pca: reconstructs the rows");
  }
  const DataSet alone = load_yaml("source: npy, path: " + (folder / "x.npy").string() + rest);
  EXPECT_NE(alone.sha256, by_file.sha256);
  EXPECT_EQ(target_shape(alone), alone.shape);
}

TEST_F(DataSetTest, TargetsOfAnotherShapeAreScaledByThemselves) {
  write_rows(folder / "x.npy", host_tensor<float>({12, 2}, counted(1)));
  std::vector<float> sums(12);
  for (size_t i = 0; i < 12; ++i) sums[i] = static_cast<float>(100 * i);
  write_rows(folder / "s.npy", host_tensor<float>({12, 1}, sums));
  const DataSet data = load_yaml("source: npy, path: " + (folder / "x.npy").string() +
                                 ", target: " + (folder / "s.npy").string() +
                                 ", scale: minmax, validation: none, test: train");
  EXPECT_EQ(target_shape(data), (Shape{1}));
  EXPECT_EQ(data.targets->range.lo, 0);
  EXPECT_EQ(data.targets->range.hi, 1);
  EXPECT_EQ(data.targets->scale.type.elements(), 1);
}

TEST_F(DataSetTest, TargetsThatDoNotFitAreRefused) {
  write_rows(folder / "x.npy", host_tensor<float>({12, 2}, counted(1)));
  write_rows(folder / "short.npy",
             slice_rows(host_tensor<float>({12, 2}, counted(1)), 0, 11).array());
  const std::string source = "source: npy, path: " + (folder / "x.npy").string() + ", target: ";
  expect_user_error([&] { load_yaml(source + (folder / "short.npy").string()); },
                    "short.npy has 11 rows, the data 12");
  expect_user_error([&] { load_yaml(source + "y"); }, "data.target: `y` is no file");
  expect_user_error(
      [&] { load_yaml(source + (folder / "x.npy").string() + ", binarize: dynamic"); },
      "data.binarize: makes the rows 0 or 1");
  std::vector<float> values = counted(1);
  values[5] = NAN;
  write_rows(folder / "nan.npy", host_tensor<float>({12, 2}, values));
  expect_user_error([&] { load_yaml(source + (folder / "nan.npy").string()); }, "(targets): row 2",
                    "is NaN");
  const std::string masked = source + (folder / "nan.npy").string() + ", missing: mask";
  EXPECT_TRUE(load_yaml(masked).masked);
  write_rows(folder / "test.npy", host_tensor<float>({12, 2}, counted(1)));
  expect_user_error(
      [&] {
        load_yaml(source + (folder / "x.npy").string() +
                  ", test: " + (folder / "test.npy").string());
      },
      "brings no targets");
}

TEST_F(DataSetTest, NanAndInfinityAreRefusedByPlace) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              inf = std::numeric_limits<float>::infinity();
  const auto load_npy = [&](std::vector<float> v, const std::string& more = "") {
    write_rows(folder / "n.npy", host_tensor<float>({2, 2}, v));
    return load_yaml("source: npy, path: " + (folder / "n.npy").string() +
                     ", test: none, validation: none" + more);
  };
  expect_user_error([&] { load_npy({1, 2, 3, nan}); }, "n.npy: row 1, column 1", "is NaN");
  expect_user_error(
      [&] {
        load_npy({1, inf, 3, 4}, ", missing: zero");
      },
      "row 0, column 1", "is infinite");
  EXPECT_EQ(values(load_npy({1, 2, 3, nan}, ", missing: zero, scale: minmax").train)[3], 2);
}

TEST_F(DataSetTest, Binarize) {
  const DataSet threshold = load_yaml("source: strokes, count: 100, binarize: threshold");
  const DataSet plain = load_yaml("source: strokes, count: 100");
  const auto x = plain.train.array().as<uint8_t>(), b = threshold.train.array().as<uint8_t>();
  for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(b[i], x[i] >= 128);
  EXPECT_EQ(threshold.scale.as<float>()[0], 1);

  const std::string same = "source: strokes, count: 300, binarize: static";
  const DataSet a = load_yaml(same + ", split_seed: 1"),
                again = load_yaml(same + ", split_seed: 1");
  EXPECT_EQ(a.train, again.train);
  const DataSet grey = load_yaml("source: strokes, count: 300, split_seed: 1");
  double drawn = 0, expected = 0;
  for (size_t i = 0; i < a.train.array().bytes.size(); ++i) {
    const uint8_t p = grey.train.array().as<uint8_t>()[i];
    drawn += a.train.array().as<uint8_t>()[i];
    expected += p / 255.0;
    if (p == 0 || p == 255) {
      ASSERT_EQ(a.train.array().as<uint8_t>()[i], p == 255);
    }
  }
  EXPECT_NEAR(drawn / expected, 1, 0.02);
  expect_user_error([&] { load("binarize: static"); },
                    "data.binarize: static draws with probability x");
}

// ---- Shapes, keys, labels

TEST_F(DataSetTest, ShapeAndLayout) {
  EXPECT_EQ(load("shape: [2, 1]").shape, (Shape{2, 1}));
  expect_user_error([&] { load("shape: [3]"); },
                    "data.shape: [3] does not fit the rows, which are f32[100, 2]");
  expect_user_error([&] { load("layout: nchw"); }, "data.layout: nchw is for arrays of 4 axes");
  std::vector<float> v(2 * 3 * 2 * 2);
  std::iota(v.begin(), v.end(), 0.0f);
  write_rows(folder / "c.npy", host_tensor<float>({2, 3, 2, 2}, v));
  const DataSet data = load_yaml("source: npy, path: " + (folder / "c.npy").string() +
                                 ", layout: nchw, test: none, validation: none, scale: none");
  EXPECT_EQ(data.shape, (Shape{2, 2, 3}));
  EXPECT_EQ(values(data.train)[1], 4);    // row 0, pixel 0, channel 1
  EXPECT_EQ(values(data.train)[12], 12);  // row 1
}

TEST_F(DataSetTest, SeveralFilesInTheirOrder) {
  write("a1.csv", "1,2\n");
  write("a2.csv", "3,4\n5,6\n");
  const std::string all = ", split: ordered, test: none, validation: none, scale: none";
  const std::string pattern = (folder / "a*.csv").string();
  EXPECT_EQ(values(load_yaml("source: csv, path: \"" + pattern + "\"" + all).train),
            (std::vector<float>{1, 2, 3, 4, 5, 6}));
  const std::string list =
      "[" + (folder / "a2.csv").string() + ", " + (folder / "a1.csv").string() + "]";
  EXPECT_EQ(values(load_yaml("source: csv, path: " + list + all).train)[0], 3);
  write("a3.csv", "1,2,3\n");
  expect_user_error([&] { load_yaml("source: csv, path: \"" + pattern + "\"" + all); },
                    "a3.csv: its rows are");
}

TEST_F(DataSetTest, SafetensorsAndLabelFiles) {
  HostTensor x(Type{DType::bf16, {3, 2}}),
      y = host_tensor<int32_t>({3}, std::vector<int32_t>{2, 0, 2});
  write_safetensors(folder / "d.safetensors", {.tensors = {{"x", x}, {"y", y}}, .metadata = {}});
  const std::string section = "source: safetensors, path: " + (folder / "d.safetensors").string() +
                              ", test: none, validation: none";
  const DataSet data = load_yaml(section + ", labels: y");
  EXPECT_EQ(data.train.type(), (Type{DType::bf16, {3, 2}}));
  EXPECT_EQ(data.train_labels, (std::vector<int64_t>{1, 0, 1}));
  expect_user_error([&] { load_yaml(section); }, "has the tensors x, y: say which one with `key`");
  expect_user_error([&] { load_yaml(section + ", key: z"); }, "has no tensor `z`; it has x, y");
  expect_user_error([&] { load_yaml(section + ", key: y"); },
                    "i32[3]; rows of values have two axes");
  const std::string words = write("labels.txt", "b\na\r\nb\n");
  EXPECT_EQ(load_yaml(section + ", key: x, labels: " + words).train_labels,
            (std::vector<int64_t>{1, 0, 1}));
  expect_user_error([&] { load_yaml(section + ", key: x, labels: " + write("l.txt", "1\n2\n")); },
                    "has 2 labels for 3 rows");
}

TEST_F(DataSetTest, HashIsOfTheRowsAsLoaded) {
  const DataSet a = load("split: random"), b = load("validation: none, test: none");
  EXPECT_EQ(a.sha256.size(), 64u);
  EXPECT_EQ(a.sha256, b.sha256);
  EXPECT_NE(a.sha256, load("split: random", 99).sha256);
}

TEST(SourcesTest, AMissingDataSetSaysWhatToDo) {
  TemporaryFolder empty;
  const DataFolder data(empty.path());
  expect_user_error([] { load_yaml("source: mnist"); }, "train-images-idx3-ubyte.gz",
                    "--set data.source=strokes");
  expect_user_error([&] { load_yaml("source: digits"); }, (empty / "optdigits").string(),
                    "optdigits.tra");
  EXPECT_NE(describe_sources().find("not there; from the MNIST database"), std::string::npos);
}

// ---- Real data

TEST(RealDataTest, KnownSources) {
  NEED_REAL_DATA("mnist");
  NEED_REAL_DATA("optdigits");
  NEED_REAL_DATA("ecg5000");
  const DataSet mnist = load_yaml("source: mnist, train: 55000");
  EXPECT_EQ(mnist.train.type(), (Type{DType::u8, {55000, 28, 28, 1}}));
  EXPECT_EQ(rows(mnist.validation), 5000);
  EXPECT_EQ(rows(mnist.test), 10000);
  EXPECT_EQ((std::vector(mnist.test_labels.begin(), mnist.test_labels.begin() + 5)),
            (std::vector<int64_t>{7, 2, 1, 0, 4}));
  const DataSet digits = load_yaml("source: digits");
  EXPECT_EQ(rows(digits.test), 1797);
  EXPECT_EQ(digits.range.hi, 1);
  const DataSet beats = load_yaml("source: ecg5000, train_on: normal, validation: none");
  EXPECT_EQ(beats.train.type(), (Type{DType::f32, {292, 140, 1}}));
  EXPECT_EQ(std::ranges::count(beats.test_labels, 0), 2627);
  EXPECT_EQ(rows(load_yaml("source: ecg5000, test: 0.2").test), 1000);
}

/// Mean squared residual of rank-k PCA of standardised whole files, as independent programs give it.
TEST(RealDataTest, PcaOfAdbench) {
  const struct {
    const char* file;
    int64_t rank;
    double mse;
  } cases[] = {{"6_cardio", 5, 0.3391},   {"20_letter", 8, 0.2576}, {"18_Ionosphere", 8, 0.2814},
               {"40_vowels", 3, 0.3144},  {"25_musk", 20, 0.1135},  {"30_satellite", 9, 0.0247},
               {"32_shuttle", 4, 0.2119}, {"4_breastw", 1, 0.3445}, {"28_pendigits", 4, 0.2780},
               {"24_mnist", 25, 0.2434}};
  for (const auto& c : cases) {
    const std::string name = cat("adbench/", c.file, ".npz");
    NEED_REAL_DATA(name);
    const DataSet data = load_yaml("source: npz, path: " + real_data(name).string() +
                                   ", labels: y, scale: standard, test: train, validation: none");
    const PcaErrors errors = pca_errors(data, "test", c.rank);
    EXPECT_NEAR(errors.mse, c.mse, 6e-5) << c.file;
    const double varying =
        statistics_of(data, "test").sum_of_squares / static_cast<double>(rows(data.test));
    EXPECT_NEAR(errors.explained_variance, 1 - errors.sse / varying, 1e-12) << c.file;
  }
}

#if !defined(__SANITIZE_ADDRESS__)  // it would take minutes
/// Hinton & Salakhutdinov 2006, figure 2: PCA with 30 components on the test digits of MNIST.
TEST(RealDataTest, PcaOfMnist) {
  NEED_REAL_DATA("mnist");
  EXPECT_NEAR(pca_errors(load_yaml("source: mnist, validation: none"), "test", 30).sse, 13.87,
              0.01);
}
#endif

// ---- PCA

/// The middle two rows of pixels of a few digits.
DataSet narrow_strokes(const std::filesystem::path& file) {
  const HostTensor images = to_f32(make_strokes(300, 0).images);
  HostTensor rows(Type{DType::f32, {300, 56}});
  for (size_t i = 0; i < 300; ++i)
    std::copy_n(images.as<float>().begin() + static_cast<int64_t>(i * 784 + 13 * 28), 56,
                rows.as<float>().begin() + static_cast<int64_t>(i * 56));
  write_rows(file, rows);
  return load_yaml("source: npy, path: " + file.string() + ", scale: unit");
}

TEST(PcaTest, IsExactAndHasOrthonormalAxes) {
  TemporaryFolder folder;
  const DataSet data = narrow_strokes(folder / "rows.npy");
  const Pca pca(data);
  const auto& axes = pca.axes();
  const auto dot = [&](int64_t a, int64_t b) {
    return std::inner_product(axes.begin() + a * 56, axes.begin() + (a + 1) * 56,
                              axes.begin() + b * 56, 0.0);
  };
  for (int64_t k : {0, 5, 31}) {
    EXPECT_NEAR(dot(k, k), 1, 1e-12);
    EXPECT_NEAR(dot(k, k + 1), 0, 1e-12);
  }
  EXPECT_TRUE(std::ranges::is_sorted(pca.variances(), std::greater<>()));
  // On the rows it was fitted to, what is left is the sum of the variances left out.
  for (int64_t rank : {1, 8, 56}) {
    const PcaErrors errors = pca.errors(data, "train", rank);
    const double left = std::accumulate(pca.variances().begin() + rank, pca.variances().end(), 0.0);
    EXPECT_NEAR(errors.sse, left, 1e-12) << rank;
    EXPECT_NEAR(errors.mse * 56, errors.sse, 1e-12);
  }
  EXPECT_NEAR(pca.errors(data, "train", 56).explained_variance, 1, 1e-12);
  expect_user_error([&] { pca.errors(data, "test", 0); }, "pca: rank 0");
  expect_user_error([&] { pca.errors(data, "test", 57); }, "pca: rank 57");
}

TEST(PcaTest, TheSameBitsForAnyNumberOfThreads) {
  TemporaryFolder folder;
  const DataSet data = narrow_strokes(folder / "rows.npy");
  const int threads = omp_get_max_threads();
  std::vector<std::vector<double>> found;
  for (int n : {1, 2, 3}) {
    omp_set_num_threads(n);
    found.push_back(Pca(data).axes());
    found.back().push_back(pca_errors(data, "test", 8).explained_variance);
    found.back().push_back(statistics_of(data, "test").entropy);
  }
  omp_set_num_threads(threads);
  EXPECT_EQ(found[0], found[1]);
  EXPECT_EQ(found[0], found[2]);
}

}  // namespace
}  // namespace latent
