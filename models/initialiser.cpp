#include "models/initialiser.h"

#include <cmath>

#include "core/random/philox.h"

namespace latent {
namespace {

using namespace schema;

const RegisterChoice glorot_uniform{
    Family::initialiser,
    {"glorot_uniform", "U(+-sqrt(6 / (in + out))), Glorot and Bengio 2010", {}, {}, ""}};
const RegisterChoice glorot_normal{
    Family::initialiser,
    {"glorot_normal", "N(0, 2 / (in + out)), Glorot and Bengio 2010", {}, {}, ""}};
const RegisterChoice he_uniform{Family::initialiser,
                                {"he_uniform", "U(+-sqrt(6 / in)), He et al. 2015", {}, {}, ""}};
const RegisterChoice he_normal{Family::initialiser,
                               {"he_normal", "N(0, 2 / in), He et al. 2015", {}, {}, ""}};
const RegisterChoice lecun_uniform{
    Family::initialiser, {"lecun_uniform", "U(+-sqrt(3 / in)), LeCun et al. 1998", {}, {}, ""}};
const RegisterChoice lecun_normal{Family::initialiser,
                                  {"lecun_normal", "N(0, 1 / in), LeCun et al. 1998", {}, {}, ""}};
const RegisterChoice pytorch{
    Family::initialiser,
    {"pytorch", "U(+-1 / sqrt(in)), weights and biases, as torch.nn.Linear", {}, {}, ""}};
const RegisterChoice normal{
    Family::initialiser,
    {"normal", "N(0, std^2)", {required("std", real("[0, inf)"), "standard deviation")}, {}, ""}};
const RegisterChoice uniform{
    Family::initialiser,
    {"uniform", "U(-a, a)", {required("a", real("[0, inf)"), "largest absolute value")}, {}, ""}};
const RegisterChoice zeros{Family::initialiser, {"zeros", "zero", {}, {}, ""}};

template <class Draw>
Init fill(Draw draw) {
  return [=](HostTensor& t) {
    for (int64_t i = 0; i < t.type.elements(); ++i) {
      if (t.type.dtype == DType::f64)
        t.as<double>()[i] = draw(i);
      else
        t.as<float>()[i] = draw(i);
    }
  };
}

Init uniform_init(double bound, uint64_t seed, const std::string& name) {
  const uint64_t stream = stream_of("init/" + name);
  return fill([=, a = static_cast<float>(bound)](int64_t i) {
    return a * (2 * latent::uniform(seed, 0, stream, i) - 1);
  });
}

Init normal_init(double deviation, uint64_t seed, const std::string& name) {
  const uint64_t stream = stream_of("init/" + name);
  return fill([=, std = static_cast<float>(deviation)](int64_t i) {
    return std * latent::normal(seed, 0, stream, i);
  });
}

}  // namespace

Init weight_init(const Choice& choice, Fan fan, uint64_t seed, const std::string& name) {
  const double in = fan.in, both = fan.in + fan.out;
  const std::string& kind = choice.name;
  if (kind == "glorot_uniform") return uniform_init(std::sqrt(6 / both), seed, name);
  if (kind == "glorot_normal") return normal_init(std::sqrt(2 / both), seed, name);
  if (kind == "he_uniform") return uniform_init(std::sqrt(6 / in), seed, name);
  if (kind == "he_normal") return normal_init(std::sqrt(2 / in), seed, name);
  if (kind == "lecun_uniform") return uniform_init(std::sqrt(3 / in), seed, name);
  if (kind == "lecun_normal") return normal_init(std::sqrt(1 / in), seed, name);
  if (kind == "pytorch") return uniform_init(1 / std::sqrt(in), seed, name);
  if (kind == "normal") return normal_init(choice.option("std").as_real(), seed, name);
  if (kind == "uniform") return uniform_init(choice.option("a").as_real(), seed, name);
  if (kind == "zeros") return {};
  throw std::logic_error(cat("initialiser ", kind, ": is registered but not made"));
}

Init bias_init(const Choice& choice, double value, Fan fan, uint64_t seed,
               const std::string& name) {
  if (choice.name == "pytorch")
    return uniform_init(1 / std::sqrt(static_cast<double>(fan.in)), seed, name);
  if (value == 0) return {};
  return fill([v = static_cast<float>(value)](int64_t) { return v; });
}

}  // namespace latent
