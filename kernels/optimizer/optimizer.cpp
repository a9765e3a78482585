#include "kernels/optimizer/optimizer.h"

#include "kernels/optimizer/samples.h"
#include "kernels/optimizer/update_types.h"

namespace latent {
std::vector<Type> infer_update(std::string_view op, Types in, int states) {
  const size_t all = 4 + static_cast<size_t>(states);
  if (in.size() != all && in.size() != all + 1)
    throw op_error(op, cat("takes latch, step, p, g, ", states, " states and maybe a factor on g"),
                   in);
  require_counters(op, in);
  for (size_t i = 3; i < all; ++i)
    if (in[i] != in[2]) throw op_error(op, "p, g and the states differ in type or shape", in);
  if (in.size() > all && in[all] != Type{in[2].dtype, {1}})
    throw op_error(op, "the factor on g is not one value of p's type", in);
  std::vector<Type> out(1 + static_cast<size_t>(states), in[2]);
  return out;
}

void require_counters(std::string_view op, Types in) {
  const Type counter{DType::u64, {1}};
  if (in[0] != counter || in[1] != counter) throw op_error(op, "latch and step are u64[1]", in);
  if (in[2].dtype != DType::f32 && in[2].dtype != DType::f64)
    throw op_error(op, "parameters are f32 or f64", in);
}

Sample optimizer_sample(const std::string& name, const AnyOp& op, int states, int64_t n, bool clip,
                        bool bench) {
  const Type counter{DType::u64, {1}}, vector{DType::f32, {n}};
  Sample sample{.name = name,
                .op = op,
                .in = {counter, counter, vector, vector},
                .range = {{0, 0}, {1, 9}, {-1, 1}, {-1, 1}},
                .order = 0,
                .bench = bench};
  for (int k = 0; k < states; ++k) {
    sample.in.push_back(vector);
    sample.range.push_back({0, 1});
  }
  if (clip) {
    sample.in.push_back({DType::f32, {1}});
    sample.range.push_back({0, 1});
  }
  return sample;
}

}  // namespace latent
