#include "kernels/conv/layer.h"

#include "core/graph/samples.h"
#include "kernels/conv/samples.h"
#include "kernels/ops.h"

namespace latent {

std::vector<Type> infer_conv_layer(std::string_view op, Types in, const Conv& conv) {
  if (in.size() != 2 && in.size() != 3) throw op_error(op, "takes x, w and, optionally, b", in);
  const Type out = conv_type(op, in.first(2), conv.window, conv.pass());
  if (in[1].rank() != 4) throw op_error(op, "w must have four axes", in);
  if (in.size() == 3 && in[2] != Type{out.dtype, {out.dim(0)}})
    throw op_error(op, cat("b must be ", to_string(Type{out.dtype, {out.dim(0)}})), in);
  return {out};
}

std::vector<Type> infer_conv_gradient(std::string_view op, Types in, const Conv& conv) {
  if (in.size() != 3) throw op_error(op, "takes g, w and y", in);
  const Type out = conv_type(op, in.first(2), conv.window, conv.pass());
  if (in[1].rank() != 4) throw op_error(op, "w must have four axes", in);
  if (in[2] != out) throw op_error(op, cat("y must be ", to_string(out)), in);
  return {out};
}

std::vector<Var> conv_layer_reference(std::string_view function, std::span<const Var> in,
                                      const Conv& conv) {
  Var y = apply(conv, {in[0], in[1]});
  if (in.size() == 3) y = add(y, in[2]);
  return {function.empty() ? y : apply(find_pointwise(function)->forward, {y})};
}

std::vector<Var> conv_gradient_reference(std::string_view function, std::span<const Var> in,
                                         const Conv& conv) {
  const Var g = apply(conv, {in[0], in[1]});
  return {function.empty() ? g : apply(find_pointwise(function)->output_gradient, {g, in[2]})};
}

Var conv_layer(Var x, Var w, Var b, const Window& window, bool transposed) {
  const ConvLayer<Identity> op{{window, transposed}};
  return b ? apply(op, {x, w, b}) : apply(op, {x, w});
}

namespace {

/// Samples of every function that layers may have.
std::vector<Sample> samples() {
  std::vector<Sample> all;
  for (const PointwiseFamily* family : pointwise_families()) {
    if (!family->activation) continue;
    for (const ConvCase& c : conv_cases()) {
      const bool timed = c.bench && family->name == "relu";
      if (c.name != "same_odd" && c.name != "same_stride_2" && !timed) continue;
      for (const bool transposed : {false, true}) {
        const Conv conv{c.window, transposed};
        const Type in = transposed ? c.small() : c.large(),
                   out = transposed ? c.large() : c.small();
        const std::string kind = cat("conv/", family->name, transposed ? "/transposed/" : "/");
        all.push_back({.name = cat(kind, c.name),
                       .op = family->conv(conv),
                       .in = {in, c.weight(), {DType::f32, {out.dim(0)}}},
                       .order = c.bench ? 0 : 2,
                       .bench = c.bench});
        if (!family->conv_gradient || c.bench) continue;
        all.push_back({.name = cat(kind, "gradient/", c.name),
                       .op = family->conv_gradient(conv),
                       .in = {in, c.weight(), out},
                       .order = 0});
      }
    }
    const ConvCase c = conv_cases()[1];
    all.push_back({.name = cat("conv/", family->name, "/no_bias"),
                   .op = family->conv({c.window, false}),
                   .in = {c.large(), c.weight()}});
  }
  return all;
}
const RegisterSamples registered{"conv/layer", samples};

}  // namespace
}  // namespace latent
