// Parameters in weights files: cut, permuted and shaped as PyTorch has them, and back.
#include "models/file_layout.h"

#include <gtest/gtest.h>

#include <numeric>

#include "models/build.h"

namespace latent {
namespace {

HostTensor counting(Shape shape) {
  HostTensor t(Type{DType::f32, std::move(shape)});
  std::iota(t.as<float>().begin(), t.as<float>().end(), 0.0f);
  return t;
}

std::vector<float> values(const HostTensor& t) {
  const auto v = t.as<float>();
  return {v.begin(), v.end()};
}

void expect_round_trip(const Parameter& p) {
  const HostTensor value = counting(p.type.shape);
  const std::vector<NamedTensor> file = to_file(p, value);
  const auto expected = file_tensors(p);
  ASSERT_EQ(file.size(), expected.size());
  std::vector<const HostTensor*> tensors;
  for (size_t i = 0; i < file.size(); ++i) {
    EXPECT_EQ(file[i].name, expected[i].first);
    EXPECT_EQ(file[i].tensor.type, expected[i].second);
    tensors.push_back(&file[i].tensor);
  }
  EXPECT_EQ(from_file(p, tensors), value);
}

TEST(FileLayout, PlainParametersStayAsTheyAre) {
  const Parameter p{"w", {DType::f32, {2, 3}}};
  expect_round_trip(p);
  EXPECT_EQ(to_file(p, counting({2, 3}))[0].tensor, counting({2, 3}));
}

TEST(FileLayout, SeveralTensorsLieBehindEachOther) {
  Parameter p{"w", {DType::f32, {4, 2}}};
  p.file.names = {"mean.weight", "logvar.weight"};
  expect_round_trip(p);
  const auto file = to_file(p, counting({4, 2}));
  EXPECT_EQ(file[1].name, "logvar.weight");
  EXPECT_EQ(file[1].tensor.type.shape, (Shape{2, 2}));
  EXPECT_EQ(values(file[1].tensor), (std::vector<float>{4, 5, 6, 7}));
}

TEST(FileLayout, AxesArePermuted) {
  Parameter p{"conv.weight", {DType::f32, {2, 1, 2, 3}}};  // [out, h, w, in]
  p.file.order = {0, 3, 1, 2};
  expect_round_trip(p);
  const auto file = to_file(p, counting({2, 1, 2, 3}));
  EXPECT_EQ(file[0].tensor.type.shape, (Shape{2, 3, 1, 2}));
  EXPECT_EQ(values(file[0].tensor), (std::vector<float>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11}));
}

TEST(FileLayout, ADenseWeightBehindAMapHasChannelsFirst) {
  Parameter p{"dense.weight", {DType::f32, {1, 6}}};
  p.file = {.names = {}, .view = {1, 1, 2, 3}, .order = {0, 3, 1, 2}, .shape = {1, 6}};
  expect_round_trip(p);
  EXPECT_EQ(values(to_file(p, counting({1, 6}))[0].tensor), (std::vector<float>{0, 3, 1, 4, 2, 5}));
}

}  // namespace
}  // namespace latent
