// ConvWeight and ConvBackwardWeight: the gradient in the weight, the latter with that in the bias as its by-product.
#include "core/graph/samples.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/cpu.h"
#include "kernels/conv/cudnn.h"
#include "kernels/conv/gpu.h"
#include "kernels/conv/samples.h"
#include "kernels/ops.h"

namespace latent {
namespace {

template <class T>
Kernel cpu_kernel(const ConvProblem& problem, bool sums, Device& device) {
  const auto conv = std::make_shared<const CpuConvWeight<T>>(problem, sums, device);
  return {.run =
              [conv, sums](const Args& args) {
                conv->run(args.input<T>(0), args.input<T>(1), args.output<T>(0),
                          sums ? args.output<T>(1) : nullptr, args.workspace);
              },
          .workspace = conv->workspace()};
}

int64_t positions(const ConvProblem& p) { return p.rows * p.window.small_area(); }

Kernel gpu_kernel(const ConvProblem& p, bool sums, Device& device) {
  check_own_conv(p);
  const auto library = conv_in_library(p) ? cudnn_conv(p, ConvPass::weight, device) : nullptr;
  const auto run = [library, p, sums](const Args& args) {
    const float *large = args.input<float>(0), *small = args.input<float>(1);
    float* const dw = args.output<float>(0);
    float* const made = sums ? args.output<float>(1) : nullptr;
    if (!library) return own_conv_weight(args.stream, p, large, small, dw, made, args.workspace);
    library->run(args.stream, large, small, dw, args.workspace);
    if (sums)  // the library is done with the workspace by then
      reduce_cols(args.stream, positions(p), p.filters, Sum{}, MatrixOf<float>{small, p.filters},
                  skeleton::Store<float>{made}, args.workspace);
  };
  size_t workspace = own_conv_workspace(p);
  if (library)
    workspace =
        std::max(library->workspace(), reduce_cols_workspace<float>(positions(p), p.filters));
  return {.run = run, .workspace = workspace};
}

Kernel weight_kernel(const Signature& s, const Window& window, bool sums, Device& device) {
  const ConvProblem problem = conv_problem(s.in, window, ConvPass::weight);
  const bool f64 = s.in[0].dtype == DType::f64;
  if (device.gpu()) {
    if (f64) throw std::logic_error(cat(device.name(), ": f64 is computed on the CPU only"));
    return gpu_kernel(problem, sums, device);
  }
  return f64 ? cpu_kernel<double>(problem, sums, device) : cpu_kernel<float>(problem, sums, device);
}

Cost weight_cost(const Signature& s, const Window& window, bool sums) {
  const ConvProblem p = conv_problem(s.in, window, ConvPass::weight);
  return conv_cost(s, p,
                   !conv_in_library(p) ? own_conv_launches(p)
                   : sums              ? 1 + reduce_cols_launches(positions(p))
                                       : 1);
}

}  // namespace

std::vector<Type> ConvWeight::infer(Types in) const {
  if (in.size() != 2) throw op_error(name, "takes two maps", in);
  return {conv_type(name, in, window, ConvPass::weight)};
}

Kernel ConvWeight::prepare(const Signature& s, Device& device) const {
  return weight_kernel(s, window, false, device);
}

std::vector<Var> ConvWeight::vjp(const Pullback& p) const {
  std::vector<Var> result(2);
  if (p.needs[0]) result[0] = apply(Conv{window, true}, {p.in[1], p.cotangents[0]});
  if (p.needs[1]) result[1] = apply(Conv{window, false}, {p.in[0], p.cotangents[0]});
  return result;
}

Cost ConvWeight::cost(const Signature& s) const { return weight_cost(s, window, false); }

std::vector<Type> ConvBackwardWeight::infer(Types in) const {
  if (in.size() != 2) throw op_error(name, "takes two maps", in);
  const Type weight = conv_type(name, in, window, ConvPass::weight);
  if (weight.rank() != 4) throw op_error(name, "maps must have four axes", in);
  return {weight, {weight.dtype, {weight.dim(3)}}};
}

Kernel ConvBackwardWeight::prepare(const Signature& s, Device& device) const {
  return weight_kernel(s, window, true, device);
}

std::vector<Var> ConvBackwardWeight::reference(std::span<const Var> in) const {
  return {apply(ConvWeight{window}, {in[0], in[1]}),
          sum_cols(reshape(in[1], {-1, in[1].type().dim(0)}))};
}

Cost ConvBackwardWeight::cost(const Signature& s) const { return weight_cost(s, window, true); }

namespace {

std::vector<Sample> samples() {
  std::vector<Sample> all;
  for (const ConvCase& c : conv_cases()) {
    if (!c.bench)
      all.push_back({.name = cat("conv/weight/", c.name),
                     .op = ConvWeight{c.window},
                     .in = {c.large(), c.small()},
                     .tolerance = 5e-5});
    all.push_back({.name = cat("conv/weight_and_bias/", c.name),
                   .op = ConvBackwardWeight{c.window},
                   .in = {c.large(), c.small()},
                   .order = c.bench ? 0 : 2,
                   .tolerance = 5e-5,
                   .bench = c.bench});
  }
  const ConvCase odd = conv_cases()[1];
  auto with = [](Type t, Shape axes) {
    t.shape.insert(t.shape.begin(), axes.begin(), axes.end());
    return t;
  };
  auto add = [&](std::string name, Shape of_large, Shape of_small) {
    all.push_back({.name = cat("conv/weight/", name),
                   .op = ConvWeight{odd.window},
                   .in = {with(odd.large(), of_large), with(odd.small(), of_small)}});
  };
  add("batch", {2}, {2});
  add("broadcast_large", {}, {3});
  add("broadcast_small", {2, 1}, {2});
  return all;
}
const RegisterSamples registered{"conv/weight", samples};

}  // namespace
}  // namespace latent
