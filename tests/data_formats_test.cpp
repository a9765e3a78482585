// Readers of data files: what they give, and what they say of a file that is wrong.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "core/data/convert.h"
#include "core/data/csv.h"
#include "core/data/idx.h"
#include "core/data/npy.h"
#include "core/data/rows_file.h"
#include "core/io/atomic_file.h"
#include "core/io/read_file.h"
#include "core/io/safetensors.h"
#include "tests/archives.h"
#include "tests/data_files.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

std::string gzip(const std::string& bytes) { return deflated(bytes, 16 + MAX_WBITS); }

// ---- gzip

TEST(GzipTest, MembersOneAfterTheOther) {
  TemporaryFolder folder;
  write_file_atomically(folder / "a", gzip("one ") + gzip("two"));
  EXPECT_EQ(read_gzip_file(folder / "a"), "one two");
  write_file_atomically(folder / "a", "plain");
  EXPECT_EQ(read_gzip_file(folder / "a"), "plain");
}

TEST(GzipTest, DamageIsNamed) {
  TemporaryFolder folder;
  const fs::path path = folder / "a.gz";
  const std::string good = gzip("some text that is compressed, some text that is compressed");
  for (size_t n = 2; n < good.size(); ++n) {
    write_file_atomically(path, good.substr(0, n));
    expect_user_error([&] { read_gzip_file(path); },
                      path.string() + ": damaged gzip: the file is truncated");
  }
  write_file_atomically(path, good + "xyz");
  expect_user_error([&] { read_gzip_file(path); }, "3 bytes behind the compressed data");
  std::string bad = good;
  bad[bad.size() - 6] ^= 1;
  write_file_atomically(path, bad);
  expect_user_error([&] { read_gzip_file(path); }, "damaged gzip: incorrect data check");
  expect_user_error([&] { read_gzip_file(folder / "none"); }, "none", "No such file");
  expect_user_error([&] { read_gzip_file(folder.path()); }, "Is a directory");
}

// ---- IDX

const std::string kIdxHeader("\0\0\x08\x03\0\0\0\2\0\0\0\2\0\0\0\3", 16);

TEST(IdxTest, Reads) {
  const HostTensor u8 = parse_idx(kIdxHeader + "abcdefghijkl", "x");
  EXPECT_EQ(u8.type, (Type{DType::u8, {2, 2, 3}}));
  EXPECT_EQ(u8.as<uint8_t>()[11], 'l');
  const HostTensor i16 = parse_idx(std::string("\0\0\x0b\1\0\0\0\2\0\1\xff\xfe", 12), "x");
  EXPECT_EQ(i16.as<int32_t>()[0], 1);
  EXPECT_EQ(i16.as<int32_t>()[1], -2);
  const HostTensor f32 = parse_idx(std::string("\0\0\x0d\1\0\0\0\1\x3f\x80\0\0", 12), "x");
  EXPECT_EQ(f32.as<float>()[0], 1);
}

TEST(IdxTest, RefusesByName) {
  const std::string good = kIdxHeader + "abcdefghijkl";
  for (size_t n = 0; n < good.size(); ++n)
    expect_user_error([&] { parse_idx(good.substr(0, n), "file"); }, "file: ");
  expect_user_error([&] { parse_idx(good.substr(0, 27), "file"); },
                    "claims [2, 2, 3] elements of 1 bytes, it holds 11 bytes: is it truncated?");
  expect_user_error([&] { parse_idx(good + "x", "file"); },
                    "1 bytes behind the [2, 2, 3] elements");
  expect_user_error([&] { parse_idx("PK\3\4abcd", "file"); }, "its magic number is 0x504b0304");
  expect_user_error([&] { parse_idx(std::string("\0\0\x08\0", 4), "file"); }, "magic number");
  const std::string wild = std::string("\0\0\x0e\4", 4) + std::string(16, '\xff');
  expect_user_error([&] { parse_idx(wild, "file"); }, "its header claims");
}

// ---- NPY and NPZ

TEST(NpyTest, EveryType) {
  const auto values = [](const std::string& descr, const std::string& data) {
    const HostTensor t = parse_npy(npy_of(descr, "(2,)", data), "x");
    EXPECT_EQ(t.type.shape, Shape{2}) << descr;
    const HostTensor v = to_f32(t);
    return std::pair(v.as<float>()[0], v.as<float>()[1]);
  };
  using Pair = std::pair<float, float>;
  EXPECT_EQ(values("|b1", raw<uint8_t>({0, 1})), Pair(0, 1));
  EXPECT_EQ(values("|u1", raw<uint8_t>({3, 255})), Pair(3, 255));
  EXPECT_EQ(values("|i1", raw<int8_t>({-3, 100})), Pair(-3, 100));
  EXPECT_EQ(values("<i2", raw<int16_t>({-3, 1000})), Pair(-3, 1000));
  EXPECT_EQ(values("<u2", raw<uint16_t>({3, 65535})), Pair(3, 65535));
  EXPECT_EQ(values("<i4", raw<int32_t>({-3, 70000})), Pair(-3, 70000));
  EXPECT_EQ(values("<u4", raw<uint32_t>({3, 1u << 31})), Pair(3, 0x1p31f));
  EXPECT_EQ(values("<i8", raw<int64_t>({-3, int64_t{1} << 40})), Pair(-3, 0x1p40f));
  EXPECT_EQ(values("<u8", raw<uint64_t>({3, uint64_t{1} << 63})), Pair(3, 0x1p63f));
  EXPECT_EQ(values("<f2", raw<uint16_t>({0x3c00, 0xc000})), Pair(1, -2));
  EXPECT_EQ(values("<f4", raw<float>({0.5f, -1e30f})), Pair(0.5f, -1e30f));
  EXPECT_EQ(values("<f8", raw<double>({0.5, 0.1})), Pair(0.5f, 0.1f));
  EXPECT_EQ(values(">f4", std::string("\x3f\x80\0\0\xc0\0\0\0", 8)), Pair(1, -2));
  EXPECT_EQ(values(">i2", std::string("\0\1\xff\xfe", 4)), Pair(1, -2));
}

TEST(NpyTest, KeptTypes) {
  const auto type = [](const char* descr, size_t bytes) {
    return as_stored(parse_npy(npy_of(descr, "(2, 1)", std::string(2 * bytes, '\0')), "x"))
        .type.dtype;
  };
  EXPECT_EQ(type("|b1", 1), DType::u8);
  EXPECT_EQ(type("|u1", 1), DType::u8);
  EXPECT_EQ(type("<f2", 2), DType::f16);
  EXPECT_EQ(type("<f4", 4), DType::f32);
  EXPECT_EQ(type("<f8", 8), DType::f32);
  EXPECT_EQ(type("<i8", 8), DType::f32);
}

TEST(NpyTest, FortranOrderAndVersions) {
  // The array [[1, 2, 3], [4, 5, 6]] column by column.
  const HostTensor t = parse_npy(npy_of("|u1", "(2, 3)", "\1\4\2\5\3\6", "True"), "x");
  EXPECT_EQ(t, host_tensor<uint8_t>({2, 3}, std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
  const std::string header = "{\"shape\": (1, 2), 'fortran_order': False, 'descr': '|u1'}";
  for (int version : {1, 2, 3})
    EXPECT_EQ(parse_npy(npy(header, "ab", version), "x").type.shape, (Shape{1, 2}));
  EXPECT_EQ(parse_npy(npy_of("<f4", "()", raw<float>({7})), "x").type.shape, Shape{});
  EXPECT_EQ(parse_npy(npy_of("<f4", "(0, 4)", ""), "x").type.shape, (Shape{0, 4}));
}

TEST(NpyTest, RefusesByName) {
  const auto refused = [](const std::string& bytes, const std::string& part) {
    expect_user_error([&] { parse_npy(bytes, "file"); }, "file", part);
  };
  refused(npy_of("|O", "(2,)", "pickle"), "holds pickled Python objects (dtype `|O`)");
  refused(npy_of("<U5", "(2,)", std::string(40, '\0')), "holds text");
  refused(npy_of("<c8", "(2,)", std::string(16, '\0')), "holds complex numbers");
  refused(npy_of("<f16", "(1,)", std::string(16, '\0')), "elements of an unknown type");
  refused(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "abcd"),
          "array of records");
  refused(npy_of("<f4", "(2, 2)", "abcd"), "claims [2, 2] elements of 4 bytes, it holds 4 bytes");
  refused(npy_of("<f4", "(1,)", "abcdef"), "2 bytes behind its array [1]");
  refused(npy_of("<f4", "(4611686018427387904, 4611686018427387904)", "abcd"), "its header claims");
  refused(npy_of("|u1", "(4611686018427387904, 4, 0)", ""), "its header claims");
  refused(npy_of("<f4", "(-1,)", ""), "header is not understood");
  refused(npy_of("<f4", "(1", "abcd"), "header is not understood");
  refused(npy("{'descr': '<f4'}", ""), "header is not understood");
  refused(npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False}", "abcd"),
          "header is not understood");
  refused(npy("", ""), "header is not understood");
  refused(npy(std::string("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}"), "abcd", 9),
          "version 9");
  refused("PK\3\4", "its magic number is missing");
  const std::string good = npy_of("<f4", "(1,)", "abcd");
  for (size_t n = 0; n < good.size(); ++n) refused(good.substr(0, n), "");
}

class NpzTest : public ::testing::Test {
 protected:
  std::string x = npy_of("<f4", "(3, 1)", raw<float>({1, 2, 3}));
  std::string y = npy_of("<i8", "(3,)", raw<int64_t>({0, 1, 0}));
};

TEST_F(NpzTest, StoredAndDeflated) {
  for (uint16_t method : {0, 8}) {
    const Npz archive(zip({{"X.npy", x}, {"notes.txt", "text"}, {"y.npy", y}}, method), "a.npz");
    EXPECT_EQ(archive.keys(), (std::vector<std::string>{"X", "y"}));
    EXPECT_EQ(archive.at("X").as<float>()[2], 3);
    EXPECT_EQ(archive.at("y").as<int32_t>()[1], 1);
    EXPECT_EQ(archive.only_key({"y"}), "X");
    expect_user_error([&] { archive.only_key(); }, "has the arrays X, y: say which one with `key`");
    expect_user_error([&] { archive.at("x"); }, "has no array `x`; it has X, y");
  }
}

TEST_F(NpzTest, DamageIsNamed) {
  for (uint16_t method : {0, 8}) {
    const std::string good = zip({{"X.npy", x}, {"y.npy", y}}, method);
    for (size_t n = 0; n < good.size(); ++n) {
      EXPECT_THROW(Npz(good.substr(0, n), "").at("X"), UserError) << n << " bytes";
    }
    // Whatever byte is damaged: an error, or the right array.
    for (size_t i = 0; i < good.size(); ++i) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ 0x55);
      try {
        EXPECT_EQ(Npz(bad, "").at("X").as<float>()[2], 3) << "byte " << i;
      } catch (const UserError&) {
      }
    }
  }
  std::string bad = zip({{"X.npy", x}}, 0);
  bad[bad.find("\x93NUMPY") + x.size() - 1] ^= 1;
  expect_user_error([&] { Npz(bad, "a").at("X"); },
                    "a: `X`: is damaged: its checksum is another one");
  expect_user_error(
      [&] {
        Npz(zip({{"X.npy", x}}, 12), "a").at("X");
      },
      "is compressed by method 12");
}

TEST_F(NpzTest, Zip64) {
  // As numpy writes archives beyond 4 GiB: the sizes in extra fields, a second directory record.
  const std::string name = "X.npy";
  const auto crc = static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(x.data()), static_cast<uInt>(x.size())));
  const uint64_t size = x.size();
  const std::string local = "PK\3\4" + raw<uint16_t>({45, 0, 0, 0, 0}) +
                            raw<uint32_t>({crc, ~0u, ~0u}) + raw<uint16_t>({5, 20}) + name +
                            raw<uint16_t>({1, 16}) + raw<uint64_t>({size, size}) + x;
  const std::string directory = "PK\1\2" + raw<uint16_t>({45, 45, 0, 0, 0, 0}) +
                                raw<uint32_t>({crc, ~0u, ~0u}) + raw<uint16_t>({5, 28, 0, 0, 0}) +
                                raw<uint32_t>({0, ~0u}) + name + raw<uint16_t>({1, 24}) +
                                raw<uint64_t>({size, size, 0});
  const uint64_t at = local.size(), end = at + directory.size();
  const std::string archive =
      local + directory + "PK\6\6" + raw<uint64_t>({44}) + raw<uint16_t>({45, 45}) +
      raw<uint32_t>({0, 0}) + raw<uint64_t>({1, 1, directory.size(), at}) + "PK\6\7" +
      raw<uint32_t>({0}) + raw<uint64_t>({end}) + raw<uint32_t>({1}) + "PK\5\6" +
      raw<uint16_t>({0, 0, 0xffff, 0xffff}) + raw<uint32_t>({~0u, ~0u}) + raw<uint16_t>({0});
  EXPECT_EQ(Npz(archive, "a").at("X").as<float>()[1], 2);
}

// ---- CSV

CsvTable csv(const std::string& text, CsvOptions options = {}) {
  return parse_csv(text, options, "file");
}
std::vector<float> values(const CsvTable& table) {
  const auto v = table.rows.as<float>();
  return {v.begin(), v.end()};
}

TEST(CsvTest, HeaderLabelsAndColumns) {
  const std::string text = "a,b,kind\r\n1,2.5,cat\r\n\r\n-3e1,+4,\"a \"\"dog\"\"\"\r\n";
  const CsvTable table = csv(text, {.header = {}, .columns = {}, .drop = {}, .labels = "kind"});
  EXPECT_EQ(table.rows.type.shape, (Shape{2, 2}));
  EXPECT_EQ(values(table), (std::vector<float>{1, 2.5f, -30, 4}));
  EXPECT_EQ(table.names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(table.labels, (std::vector<std::string>{"cat", "a \"dog\""}));
  const CsvTable b = csv(text, {.header = true, .columns = {"1"}, .drop = {}, .labels = ""});
  EXPECT_EQ(values(b), (std::vector<float>{2.5f, 4}));
  EXPECT_EQ(values(csv(text, {.header = {}, .columns = {}, .drop = {"kind", "0"}, .labels = ""})),
            (std::vector<float>{2.5f, 4}));
}

TEST(CsvTest, DelimitersAndHeadersAreFound) {
  EXPECT_EQ(values(csv("1,2\n3,4")), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(values(csv("1;2\n3;4\n")), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(values(csv("1\t2\n3\t4\n")), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(values(csv("   1  2 \n 3\t 4\n")), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(values(csv("a, b\n1, 2\n")), (std::vector<float>{1, 2}));
  EXPECT_EQ(values(csv("7\n8\n")), (std::vector<float>{7, 8}));
  EXPECT_EQ(values(csv("x\n8\n")), (std::vector<float>{8}));
  EXPECT_EQ(values(csv("1|2\n",
                       {.header = {}, .delimiter = '|', .columns = {}, .drop = {}, .labels = ""})),
            (std::vector<float>{1, 2}));
  EXPECT_EQ(values(csv("1,2\n3,4\n", {.header = true, .columns = {}, .drop = {}, .labels = ""})),
            (std::vector<float>{3, 4}));
  CsvOptions labels;
  labels.labels = "0";
  labels.drop = {"1"};
  EXPECT_EQ(csv("5.0,x,1\n1e1,y,2\n", labels).labels, (std::vector<std::string>{"5", "10"}));
  EXPECT_EQ(values(csv("\xef\xbb\xbf"
                       "1,2\n")),
            (std::vector<float>{1, 2}));
  EXPECT_EQ(values(csv("\"1\",\"2\"\n")), (std::vector<float>{1, 2}));
}

TEST(CsvTest, QuotedCellsMayHoldAnything) {
  const CsvTable table = csv("name,v\n\"two\nlines, one cell\",1\nx,2\n",
                             {.header = {}, .columns = {}, .drop = {}, .labels = "name"});
  EXPECT_EQ(table.labels[0], "two\nlines, one cell");
  EXPECT_EQ(values(table), (std::vector<float>{1, 2}));
  expect_user_error([] { csv("a,b\n1,2\n\"x\n\n\",3,4\n"); }, "file:3: has 3 cells");
}

TEST(CsvTest, MissingCells) {
  for (const char* cell : {"", " ", "NaN", "nan", "NA", "?"}) {
    const std::string text = std::string("a,b\n1,2\n3,") + cell + "\n";
    expect_user_error([&] { csv(text); }, "file:3: column 2 (`b`) is ", "`data.missing: zero`");
    CsvOptions options;
    options.allow_missing = true;
    EXPECT_TRUE(std::isnan(values(csv(text, options))[3])) << cell;
  }
}

TEST(CsvTest, RefusesByName) {
  const auto refused = [](const std::string& text, const CsvOptions& o, const std::string& part) {
    expect_user_error([&] { csv(text, o); }, "file", part);
  };
  const CsvOptions none;
  refused("a,b\n1,2\n1,red\n", none,
          "file:3: column 2 (`b`) is the text `red`; name the column in `drop` or `labels`");
  refused("a,b\n1,2\n1,2,3\n", none, "file:3: has 3 cells, the first line has 2");
  refused("a,1\n2,3\n", none, "or set `header`");
  refused("", none, "has no rows");
  refused("\n\n", none, "has no rows");
  refused("a,b\n", none, "has a header, but no rows");
  refused("a,b\n1,\"2\n", none, "file:2: a quote is not closed");
  refused("a,b\n1,\"2\"x\n", none, "file:2: text behind a closing quote");
  refused(std::string("a,b\n1,\0\n", 8), none, "is not a text file");
  CsvOptions o;
  o.columns = {"c"};
  refused("a,b\n1,2\n", o, "has no column `c`, which `columns` names; it has 2: a, b");
  o.columns = {"2"};
  refused("a,b\n1,2\n", o, "has no column `2`");
  o = {};
  o.drop = {"a", "b"};
  refused("a,b\n1,2\n", o, "no column is left");
  o = {};
  o.columns = {"a"};
  o.labels = "a";
  refused("a,b\n1,2\n", o, "is both a feature and dropped or the labels");
}

// ---- Rows in files of any format

TEST(RowsFileTest, WrittenRowsComeBack) {
  TemporaryFolder folder;
  const HostTensor rows =
      host_tensor<float>({2, 3}, std::vector<float>{0.1f, -2, 3e-20f, 4, 5.5f, 1e30f});
  for (const char* name : {"a.npy", "a.csv", "a.safetensors"}) {
    write_rows(folder / name, rows);
    EXPECT_EQ(read_rows(folder / name), StoredRows(rows)) << name;
  }
  for (const Shape& shape : {Shape{6}, Shape{}, Shape{1, 2, 3}}) {
    HostTensor any(Type{DType::f32, shape});
    EXPECT_EQ(parse_npy(npy_bytes(any), "x"), any);
    EXPECT_EQ((npy_bytes(any).size() - any.bytes.size()) % 64, 0u);
  }
  expect_user_error([&] { write_rows(folder / "a.xls", rows); },
                    "written as .npy, .csv or .safetensors");
  expect_user_error([&] { read_rows(folder / "a.xls"); }, "its format is not known by its name");
  write_file_atomically(folder / "a-idx3-ubyte.gz", gzip(kIdxHeader + "abcdefghijkl"));
  EXPECT_EQ(read_rows(folder / "a-idx3-ubyte.gz").type(), (Type{DType::u8, {2, 2, 3, 1}}));
}

TEST(ConvertTest, HalfPrecisionIsExact) {
  HostTensor half(Type{DType::f16, {6}});
  const uint16_t bits[] = {0x0001, 0x03ff, 0x7bff, 0x8000, 0x7c00, 0xfc00};
  std::memcpy(half.bytes.data(), bits, sizeof bits);
  const HostTensor values = to_f32(half);
  const auto v = values.as<float>();
  EXPECT_EQ(v[0], 0x1p-24f);
  EXPECT_EQ(v[1], 0x3ffp-24f);
  EXPECT_EQ(v[2], 65504);
  EXPECT_TRUE(v[3] == 0 && std::signbit(v[3]));
  EXPECT_TRUE(std::isinf(v[4]) && v[4] > 0);
  EXPECT_TRUE(std::isinf(v[5]) && v[5] < 0);
}

}  // namespace
}  // namespace latent
