// Sparse rows as data: the files they come from, what is said of those that are damaged, and that everything which reads
// rows by blocks gets what it gets of the same rows written out.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/data/dataset.h"
#include "core/data/moments.h"
#include "core/data/pca.h"
#include "core/data/rows_file.h"
#include "core/io/atomic_file.h"
#include "tests/archives.h"
#include "tests/data_files.h"
#include "tests/sparse_files.h"

namespace latent {
namespace {

class SparseFileTest : public ::testing::Test {
 protected:
  TemporaryFolder folder;

  std::string file(const SparseArrays& arrays, const std::string& name = "x.npz",
                   uint16_t method = 8) {
    write_file_atomically(folder / name, npz_of(arrays, method));
    return (folder / name).string();
  }
  StoredRows load(const SparseArrays& arrays) { return read_rows(file(arrays)); }
  void refused(const SparseArrays& arrays, const std::string& part) {
    expect_user_error([&] { load(arrays); }, (folder / "x.npz").string(), part);
  }
};

/// [. 2 . 1] [. . . .] [3 . . 4]
const SparseArrays kSmall{
    .rows = 3, .columns = 4, .indptr = {0, 2, 2, 4}, .indices = {1, 3, 0, 3}, .data = {2, 1, 3, 4}};

TEST_F(SparseFileTest, IsRead) {
  for (const uint16_t method : {0, 8}) {
    const StoredRows rows = read_rows(file(kSmall, "x.npz", method));
    ASSERT_TRUE(rows.is_sparse());
    EXPECT_EQ(rows.type(), (Type{DType::f32, {3, 4}}));
    EXPECT_EQ(rows.row(), Shape{4});
    EXPECT_EQ(rows.sparse().starts, (std::vector<uint64_t>{0, 2, 2, 4}));
    EXPECT_EQ(rows.dense(),
              host_tensor<float>({3, 4}, std::vector<float>{0, 2, 0, 1, 0, 0, 0, 0, 3, 0, 0, 4}));
  }
}

TEST_F(SparseFileTest, EveryTypeOfNumbers) {
  SparseArrays a = kSmall;
  const StoredRows want = load(a);
  for (const char* type : {"|u1", "<i2", "<i8", "<f2", "<f8", ">f4"}) {
    a.data_type = type;
    EXPECT_EQ(load(a), want) << type;
  }
  a.data_type = "|b1";
  a.data = {1, 1, 1, 1};
  EXPECT_EQ(load(a).sparse().values, a.data);
  a = kSmall;
  a.index_type = "<i8";
  EXPECT_EQ(load(a), want);
}

/// What lies twice adds up, whatever the order; zeros are no entries.
TEST_F(SparseFileTest, EntriesAreCanonical) {
  const StoredRows rows = load({.rows = 3,
                                .columns = 4,
                                .indptr = {0, 4, 6, 9},
                                .indices = {3, 1, 1, 2, 0, 0, 3, 0, 0},
                                .data = {1, 0.5f, 1.5f, 0, 7, -7, 4, 1, 2}});
  EXPECT_EQ(rows, load(kSmall));
  EXPECT_EQ(rows.sparse().columns, (std::vector<int32_t>{1, 3, 0, 3}));
  EXPECT_EQ(rows.sparse().values, (std::vector<float>{2, 1, 3, 4}));
}

TEST_F(SparseFileTest, NoEntriesAtAll) {
  const StoredRows rows =
      load({.rows = 2, .columns = 3, .indptr = {0, 0, 0}, .indices = {}, .data = {}});
  EXPECT_EQ(rows.dense(), HostTensor(Type{DType::f32, {2, 3}}));
}

TEST_F(SparseFileTest, OtherFormatsAreNamed) {
  for (const char* format : {"csc", "coo", "bsr", "dia"}) {
    SparseArrays a = kSmall;
    a.format = format;
    refused(a, cat("holds a sparse matrix as ", format, ", and rows are read from csr: save "));
  }
  // A key asks for an array, whatever lies beside it.
  const std::string data = npy_of("<f4", "(4, 1)", raw<float>({1, 2, 3, 4})),
                    one = npy_of("<i4", "(1,)", raw<int32_t>({1})),
                    text = npy_of("|S3", "()", "abc");
  write_file_atomically(folder / "y.npz",
                        zip({{"data.npy", data}, {"shape.npy", one}, {"format.npy", text}}, 0));
  const DataSet array =
      load_yaml(cat("source: npz, key: data, path: ", (folder / "y.npz").string()));
  EXPECT_FALSE(array.train.is_sparse());
}

TEST_F(SparseFileTest, DamageIsNamed) {
  const auto with = [](auto change) {
    SparseArrays a = kSmall;
    change(a);
    return a;
  };
  refused(with([](auto& a) { a.indptr = {0, 3, 2, 4}; }), "`indptr` goes back from 3 to 2");
  refused(with([](auto& a) {
            a.indptr = {0, 2, 4};
          }),
          "`indptr` has 3 elements, and 3 rows need 4");
  refused(with([](auto& a) { a.indptr = {0, 2, 2, 5}; }), "goes from 0 to 5, and there are 4");
  refused(with([](auto& a) { a.indptr = {1, 2, 2, 4}; }), "goes from 1 to 4, and there are 4");
  refused(with([](auto& a) {
            a.indices = {1, 3, 0, 4};
          }),
          "row 2 (from 0) has an entry in column 4, and there are 4 columns");
  refused(with([](auto& a) {
            a.indices = {1, -1, 0, 3};
          }),
          "row 0 (from 0) has an entry in column -1");
  refused(with([](auto& a) { a.indices = {1, 3, 0}; }), "`indices` has 3 elements, `data` 4");
  refused(with([](auto& a) { a.data[2] = NAN; }), "row 2, column 0 (both from 0) is NaN");
  refused(with([](auto& a) { a.data[3] = INFINITY; }),
          "row 2, column 3 (both from 0) is infinite, or beyond f32");
  refused(with([](auto& a) {
            a.indices = {1, 1, 0, 3};
            a.data = {3e38f, 3e38f, 1, 1};
          }),
          "row 0, column 1 (both from 0) adds up to more than f32");
  refused(with([](auto& a) { a.rows = 0, a.indptr = {0}, a.indices = {}, a.data = {}; }),
          "it has no rows");
  // Whatever is cut off: an error.
  const std::string good = npz_of(kSmall, 8);
  for (size_t n = 0; n < good.size(); n += 7) {
    write_file_atomically(folder / "x.npz", good.substr(0, n));
    EXPECT_THROW(read_rows(folder / "x.npz"), UserError) << n;
  }
}

// ---- The same rows both ways

/// Counts of 40 rows in 9 columns, most of them 0; one row and one column have none.
HostTensor counts() { return drawn_counts(40, 9); }

TEST(SparseRowsTest, ReadAsTheArray) {
  const HostTensor array = counts();
  const StoredRows dense = array, sparse = sparse_of(array);
  EXPECT_EQ(sparse.count(), 40);
  EXPECT_EQ(sparse.width(), 9);
  EXPECT_EQ(sparse.dense(), array);
  EXPECT_FALSE(has_nan(sparse));
  const auto expect_same = [](const StoredRows& a, const StoredRows& b) {
    EXPECT_TRUE(a.is_sparse());
    EXPECT_EQ(a.dense(), b.array());
  };
  const std::vector<int64_t> numbers{7, 0, 39, 7, 12};
  expect_same(take_rows(sparse, numbers), take_rows(dense, numbers));
  expect_same(take_rows(sparse, {}), take_rows(dense, {}));
  expect_same(slice_rows(sparse, 5, 20), slice_rows(dense, 5, 20));
  expect_same(concatenate_rows(sparse, slice_rows(sparse, 3, 4), "x"),
              concatenate_rows(dense, slice_rows(dense, 3, 4), "x"));
  expect_user_error([&] { concatenate_rows(sparse, dense, "there"); },
                    "there: its rows are an array, those before are sparse");
  expect_user_error([&] { concatenate_rows(sparse, sparse_of(drawn_counts(3, 8)), "there"); },
                    "there: its rows are f32[3, 8], those before are f32[40, 9]");
  StoredRows shaped = sparse;
  EXPECT_TRUE(shaped.set_row({9}));
  EXPECT_FALSE(shaped.set_row({3, 3}));
}

TEST(SparseRowsTest, HashesTellRowsApart) {
  const auto hash = [](const StoredRows& rows) {
    Sha256 sum;
    add_to_hash(sum, rows);
    return sum.hex();
  };
  const HostTensor array = counts();
  HostTensor other = array;
  other.as<float>()[13] += 1;
  EXPECT_EQ(hash(sparse_of(array)), hash(sparse_of(array)));
  EXPECT_NE(hash(sparse_of(array)), hash(sparse_of(other)));
  EXPECT_NE(hash(sparse_of(array)), hash(array));
}

TEST(SparseRowsTest, ScaledByBlocksAsTheArray) {
  const HostTensor array = drawn_counts(600, 9);
  const StoredRows dense = array, sparse = sparse_of(array);
  HostTensor shift(Type{DType::f32, {1}}),
      scale = host_tensor<float>({1}, std::vector<float>{0.3f});
  EXPECT_EQ(scaled_rows(sparse, 17, 30, shift, scale), scaled_rows(dense, 17, 30, shift, scale));
  const auto near = [](const std::vector<double>& a, const std::vector<double>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (size_t j = 0; j < a.size(); ++j) EXPECT_NEAR(a[j], b[j], 1e-9 * (1 + std::abs(b[j]))) << j;
  };
  for (const bool columns : {false, true}) {
    if (columns) {
      scale = shift = HostTensor(Type{DType::f32, {9}});
      for (int j = 0; j < 9; ++j) {
        scale.as<float>()[j] = 1 + static_cast<float>(j);
        shift.as<float>()[j] = 0.5f * static_cast<float>(j);
      }
    }
    const Moments a = moments_of(sparse, shift, scale), b = moments_of(dense, shift, scale);
    EXPECT_EQ(a.count, b.count);
    EXPECT_EQ(a.lo, b.lo);
    EXPECT_EQ(a.hi, b.hi);
    near(a.mean, b.mean);
    near(a.squares, b.squares);
  }
}

// ---- Data sets

class SparseDataTest : public SparseFileTest {
 protected:
  const HostTensor array = drawn_counts(60, 9);

  std::string sparse_path() {
    write_file_atomically(folder / "s.npz", npz_of(arrays_of(array)));
    return (folder / "s.npz").string();
  }
  std::string array_path() {
    write_rows(folder / "d.npy", array);
    return (folder / "d.npy").string();
  }
  DataSet sparse(const std::string& more) {
    return load_yaml(cat("source: npz, path: ", sparse_path(), more));
  }
  DataSet dense(const std::string& more) {
    return load_yaml(cat("source: npy, path: ", array_path(), more));
  }
};

TEST_F(SparseDataTest, SplitScaledAndMeasuredAsTheArray) {
  for (const std::string scale : {"none", "unit", "rms"}) {
    SCOPED_TRACE(scale);
    const DataSet a = sparse(", scale: " + scale), b = dense(", scale: " + scale);
    EXPECT_EQ(a.shape, b.shape);
    EXPECT_EQ(a.shift, b.shift);
    EXPECT_NEAR(a.scale.as<float>()[0], b.scale.as<float>()[0], 1e-6);
    EXPECT_NEAR(a.range.hi, b.range.hi, 1e-5);
    EXPECT_EQ(a.range.lo, b.range.lo);
    for (const char* split : {"train", "validation", "test"}) {
      EXPECT_TRUE(split_of(a, split).is_sparse());
      EXPECT_EQ(split_of(a, split).dense(), split_of(b, split).array()) << split;
      const SplitStatistics s = statistics_of(a, split), t = statistics_of(b, split);
      EXPECT_NEAR(s.sum_of_squares, t.sum_of_squares, 1e-5 * t.sum_of_squares);
      EXPECT_TRUE(std::isnan(s.entropy) == std::isnan(t.entropy));
    }
    const PcaErrors p = pca_errors(a, "test", 2), q = pca_errors(b, "test", 2);
    EXPECT_NEAR(p.mse, q.mse, 1e-5 * q.mse);
    EXPECT_NEAR(p.explained_variance, q.explained_variance, 1e-5);
  }
  EXPECT_EQ(sparse("").scale.as<float>()[0], 1) << "auto is none";
}

TEST_F(SparseDataTest, ThresholdMakesOnes) {
  const DataSet a = sparse(", binarize: threshold"),
                b = dense(", scale: none, binarize: threshold");
  ASSERT_TRUE(a.train.is_sparse());
  EXPECT_EQ(a.train.dense(), to_f32(b.train.array()));
  EXPECT_EQ(a.range.hi, 1);
  EXPECT_NEAR(statistics_of(a, "test").entropy, 0, 1e-12);
  // After the scale: 5 / 255 is below.
  EXPECT_TRUE(sparse(", scale: unit, binarize: threshold").train.sparse().columns.empty());
}

TEST_F(SparseDataTest, LabelsAndTargetsGoAlong) {
  HostTensor labels(Type{DType::f32, {60, 1}}), sums(Type{DType::f32, {60, 2}});
  for (int64_t r = 0; r < 60; ++r) {
    labels.as<float>()[r] = static_cast<float>(r % 3);
    sums.as<float>()[2 * r] = static_cast<float>(r);
  }
  write_rows(folder / "labels.npy", labels);
  write_rows(folder / "sums.npy", sums);
  const DataSet data = sparse(cat(", labels: ", (folder / "labels.npy").string(),
                                  ", target: ", (folder / "sums.npy").string()));
  EXPECT_EQ(data.label_names, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(data.targets->shape, Shape{2});
  for (size_t i = 0; i < data.train_labels.size(); ++i) {
    const auto r = static_cast<int64_t>(data.targets->train.array().as<float>()[2 * i] + 0.0f);
    EXPECT_EQ(data.train_labels[i], r % 3);
    EXPECT_EQ(slice_rows(data.train, static_cast<int64_t>(i), 1).dense(),
              slice_rows(array, r, 1).array());
  }
  // Sparse targets of an array.
  const DataSet other = dense(", scale: none, target: " + sparse_path());
  EXPECT_TRUE(other.targets->train.is_sparse());
  EXPECT_EQ(other.targets->train.dense(), other.train.array());
}

TEST_F(SparseDataTest, TestRowsOfAnotherFile) {
  const DataSet both = sparse(", test: " + array_path()), other = dense(", test: " + sparse_path());
  EXPECT_TRUE(both.train.is_sparse());
  EXPECT_EQ(both.test.dense(), array);
  EXPECT_FALSE(other.test.is_sparse());
  EXPECT_EQ(other.test.dense(), array);
  write_file_atomically(folder / "wide.npz", npz_of(arrays_of(drawn_counts(5, 10))));
  expect_user_error([&] { sparse(", test: " + (folder / "wide.npz").string()); },
                    "data.test: [9] does not fit the rows, which are sparse, f32[5, 10]");
}

TEST_F(SparseDataTest, FilesOneAfterTheOther) {
  write_file_atomically(folder / "2.npz", npz_of(arrays_of(array)));
  const DataSet data =
      load_yaml(cat("source: npz, path: [", sparse_path(), ", ", (folder / "2.npz").string(),
                    "], split: ordered, test: none, validation: none"));
  EXPECT_EQ(data.train.count(), 120);
  EXPECT_EQ(slice_rows(data.train, 60, 60), slice_rows(data.train, 0, 60));
}

TEST_F(SparseDataTest, WhatFillsZerosIsRefused) {
  const auto refused = [&](const std::string& more, const std::string& part,
                           const std::string& other) {
    expect_user_error([&] { sparse(", " + more); }, part, other);
  };
  refused("scale: standard", "data.scale: standard shifts every element", "take none, unit or rms");
  refused("scale: minmax", "data.scale: minmax shifts every element", "take none, unit or rms");
  refused("binarize: static", "data.binarize: static draws every element", "take threshold");
  refused("binarize: dynamic", "data.binarize: dynamic draws every element", "take threshold");
  refused("missing: mask", "data.missing", "what they do not hold is 0");
  refused("missing: zero", "data.missing", "what they do not hold is 0");
  refused("shape: [3, 3]", "data.shape: [3, 3] does not fit the rows", "sparse, f32[60, 9]");
  refused("layout: nchw", "data.layout", "arrays of 4 axes");
  EXPECT_EQ(sparse(", shape: [9]").shape, Shape{9});
}

TEST_F(SparseDataTest, TheHashIsOfTheMatrix) {
  const std::string before = sparse("").sha256;
  SparseArrays again = arrays_of(array);
  // The entries of the last row backwards.
  const auto begin = again.indptr[again.indptr.size() - 2];
  std::reverse(again.indices.begin() + begin, again.indices.end());
  std::reverse(again.data.begin() + begin, again.data.end());
  write_file_atomically(folder / "s2.npz", npz_of(again));
  EXPECT_EQ(load_yaml("source: npz, path: " + (folder / "s2.npz").string()).sha256, before);
  again.data.back() += 1;
  write_file_atomically(folder / "s2.npz", npz_of(again));
  EXPECT_NE(load_yaml("source: npz, path: " + (folder / "s2.npz").string()).sha256, before);
}

}  // namespace
}  // namespace latent
