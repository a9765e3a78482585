// Safetensors files: what is written comes back to the bit, and whatever is wrong with a file is refused by name.
#include "core/io/safetensors.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/io/atomic_file.h"
#include "core/io/read_file.h"
#include "tests/data_files.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

template <class T>
HostTensor tensor(Shape shape, std::vector<T> values) {
  return host_tensor<T>(std::move(shape), values);
}

class SafetensorsTest : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  fs::path path = folder / "file.safetensors";

  SafeTensors sample() const {
    SafeTensors file;
    file.tensors = {{"mask", tensor<uint8_t>({3}, {1, 2, 3})},
                    {"encoder.0.weight", tensor<float>({2, 3}, {1, -2, 3, 4.5f, 0, 1e-40f})},
                    {"step", tensor<uint64_t>({}, {uint64_t{1} << 60})},
                    {"empty", tensor<float>({0, 4}, {})},
                    {"labels", tensor<int32_t>({2}, {-1, 7})},
                    {"exact", tensor<double>({1}, {0.1})},
                    {"bf16", HostTensor(Type{DType::bf16, {2, 2}})}};
    file.metadata = {{"format", "pt"}, {"config", "a: \"b\"\n\xc3\xa4"}};
    return file;
  }

  /// A file with this header and so many bytes behind it.
  void write_raw(const std::string& header, size_t data) {
    const uint64_t n = header.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &n, 8);
    write_file_atomically(path, bytes + header + std::string(data, '\1'));
  }
  static SafeTensors from_bytes(const std::string& bytes) {
    std::istringstream in(bytes);
    return read_safetensors(in, "bytes");
  }
  void expect_refused(const std::string& part) {
    expect_user_error([&] { read_safetensors(path); }, path.string(), part);
  }
};

TEST_F(SafetensorsTest, ComesBack) {
  const SafeTensors file = sample();
  write_safetensors(path, file);
  const SafeTensors back = read_safetensors(path);
  ASSERT_EQ(back.tensors.size(), file.tensors.size());
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    EXPECT_EQ(back.tensors[i].name, file.tensors[i].name);
    EXPECT_EQ(back.tensors[i].tensor, file.tensors[i].tensor);
  }
  EXPECT_EQ(back.metadata, file.metadata);
  EXPECT_EQ(back.find("labels")->as<int32_t>()[1], 7);
  EXPECT_EQ(back.find("other"), nullptr);
}

TEST_F(SafetensorsTest, IsAFunctionOfItsContent) {
  write_safetensors(path, sample());
  const std::string once = read_file(path);
  write_safetensors(path, read_safetensors(path));
  EXPECT_EQ(read_file(path), once);
  uint64_t header = 0;
  std::memcpy(&header, once.data(), 8);
  EXPECT_EQ(header % 8, 0u);
}

TEST_F(SafetensorsTest, NoTensors) {
  write_safetensors(path, {});
  EXPECT_TRUE(read_safetensors(path).tensors.empty());
}

TEST_F(SafetensorsTest, EveryDamagedByteIsFound) {
  write_safetensors(path, sample());
  const std::string good = read_file(path);
  const size_t key = good.find(kChecksumKey);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    // Damage to the key of the checksum leaves a sound file that is not checked.
    if (i >= key && i < key + kChecksumKey.size())
      EXPECT_EQ(from_bytes(bad).metadata.size(), sample().metadata.size() + 1);
    else
      EXPECT_THROW(from_bytes(bad), UserError) << "byte " << i;
  }
}

TEST_F(SafetensorsTest, EveryTruncationIsFound) {
  write_safetensors(path, sample());
  const std::string good = read_file(path);
  for (size_t n = 0; n < good.size(); ++n) {
    EXPECT_THROW(from_bytes(good.substr(0, n)), UserError) << n << " bytes";
  }
}

TEST_F(SafetensorsTest, ReadsWhatPyTorchWrites) {
  write_raw(R"({"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
            R"("b":{"dtype":"BOOL","shape":[2],"data_offsets":[8,10]},)"
            R"("s":{"dtype":"I16","shape":[1],"data_offsets":[10,12]}}   )",
            12);
  // 0x0101010101010101 does not fit; the other two do.
  expect_refused("tensor `n`: its I64 values do not fit into 32 bits");
  std::string bytes = read_file(path);
  std::fill(bytes.end() - 12, bytes.end() - 4, '\xff');
  write_file_atomically(path, bytes);
  const SafeTensors file = read_safetensors(path);
  EXPECT_EQ(file.find("n")->as<int32_t>()[0], -1);
  EXPECT_EQ(file.find("b")->as<uint8_t>()[1], 1);
  EXPECT_EQ(file.find("s")->as<int32_t>()[0], 0x0101);
}

TEST_F(SafetensorsTest, RefusesByName) {
  const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const auto b = [](const std::string& type, const std::string& shape, const std::string& offsets) {
    return R"("b":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
           "}";
  };
  const struct {
    std::string header;
    size_t data;
    std::string message;
  } cases[] = {
      {"{" + a + "," + b("F32", "[2]", "[4,12]") + "}", 12, "tensor `b`: overlaps `a`"},
      {"{" + a + "," + b("F32", "[2]", "[0,8]") + "}", 8, "tensor `b`: overlaps `a`"},
      {"{" + a + "," + b("F32", "[2]", "[8,16]") + "}", 12, "tensor `b`: ends at byte 16 of 12"},
      {"{" + a + "," + b("F32", "[2]", "[12,20]") + "}", 20, "begins behind a hole of 4 bytes"},
      {"{" + a + "}", 12, "4 bytes behind the last tensor"},
      {"{" + a + "," + a + "}", 8, "its header has `a` twice"},
      {"{" + b("F32", "[3]", "[0,8]") + "}", 8, "has 8 bytes; its type F32[3] needs 12"},
      {"{" + b("F33", "[2]", "[0,8]") + "}", 8, "has the type F33, which is not supported"},
      {"{" + b("F32", "[-2]", "[0,8]") + "}", 8, "`shape` has -2"},
      {"{" + b("F32", "[2.5]", "[0,8]") + "}", 8, "`shape` has 2.5"},
      {"{" + b("F32", "2", "[0,8]") + "}", 8, "`shape` is missing or not a list"},
      {"{" + b("F32", "[2]", "[8,0]") + "}", 8, "`data_offsets` is not [begin, end]"},
      {"{" + b("F32", "[2]", "[0]") + "}", 8, "`data_offsets` is not [begin, end]"},
      {"{" + b("F32", "[281474976710656,281474976710656]", "[0,8]") + "}", 8, "beyond any memory"},
      {R"({"b":7})", 0, "its entry in the header is not a map"},
      {R"({"b":{"shape":[2],"data_offsets":[0,8]}})", 8, "`dtype` is missing or not a string"},
      {R"({"__metadata__":{"a":1}})", 0, "`__metadata__.a` is not a string"},
      {"[1,2]", 0, "its header is not a JSON object"},
      {"{\"a\":", 0, "its header is not JSON"},
      {std::string(20000, '['), 0, "its header is not JSON"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.message);
    write_raw(c.header, c.data);
    expect_refused(c.message);
  }
}

TEST_F(SafetensorsTest, RefusesHeadersBeyondTheFile) {
  write_file_atomically(path, "abc");
  expect_refused("is truncated: 3 bytes");
  write_file_atomically(path, std::string("\x20\0\0\0\0\0\0\0{}", 10));
  expect_refused("header of 32 bytes reaches beyond");
  write_file_atomically(path, std::string(64, '\xff'));
  expect_refused("is not a safetensors file");
  fs::remove(path);
  expect_refused("cannot be opened");
}

TEST_F(SafetensorsTest, RefusesAChecksumThatAnotherProgramKept) {
  write_safetensors(path, sample());
  std::string bytes = read_file(path);
  bytes.replace(bytes.find("latent.checksum\":\"") + 18, 14, "crc32:12345678");
  write_file_atomically(path, bytes);
  expect_refused("its header says crc32:12345678");
}

// ---- Atomic files

class AtomicFileTest : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  fs::path path = folder / "file";
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder.path()), {}));
  }
};

TEST_F(AtomicFileTest, IsWholeOrNotThere) {
  write_file_atomically(path, "old");
  {
    AtomicFile file(path);
    file.write("half of it");
    EXPECT_EQ(read_file(path), "old");
  }
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(files(), 1u);
  AtomicFile file(path);
  file.write("new ");
  file.write("text");
  file.commit();
  EXPECT_EQ(read_file(path), "new text");
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFileTest, WritesOverWhatAKilledProcessLeft) {
  std::ofstream(folder / ".file.tmp") << std::string(1000, 'x');
  write_file_atomically(path, "text");
  EXPECT_EQ(read_file(path), "text");
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFileTest, NamesPathAndReason) {
  const fs::path nowhere = folder / "no" / "file";
  expect_user_error([&] { write_file_atomically(nowhere, ""); }, nowhere.string(),
                    "No such file or directory");
  expect_user_error([&] { write_file_atomically(folder.path(), ""); }, folder.path().string(),
                    "Is a directory");
  write_file_atomically(path, "");
  expect_user_error([&] { write_file_atomically(path / "x", ""); }, "x", "Not a directory");
}

TEST_F(AtomicFileTest, FullDiskLeavesTheOldFile) {
  write_file_atomically(path, "old");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1024, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  expect_user_error([&] { write_file_atomically(path, std::string(4096, 'x')); }, path.string(),
                    "File too large");
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace latent
