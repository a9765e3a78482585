// How an op that is a convolution with something elementwise behind it runs on each device; what stands behind it is
// an `After` (kernels/matmul/product.h). For .cu files only.
#pragma once

#include "kernels/conv/cpu.h"
#include "kernels/conv/cudnn.h"
#include "kernels/conv/gpu.h"
#include "kernels/matmul/product.h"

namespace latent {
inline namespace LATENT_BACKEND {

/// The epilogue over a range of the output.
template <class Epilogue, class T>
struct EpilogueOfRange {
  EpilogueInPlace<Epilogue, T> body;
  int64_t begin, end;
  LATENT_CPU_BODY void operator()(int64_t) const {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) body(i);
  }
};

template <class After, class T>
Kernel cpu_conv(const ConvProblem& problem, ConvPass pass, bool bias, Device& device) {
  const auto conv = std::make_shared<const CpuConv<T>>(problem, pass, bias, device);
  const auto run = [conv, bias](const Args& args) {
    T* const out = args.output<T>(0);
    typename CpuConv<T>::Finish finish;
    if constexpr (!After::kNothing) {
      using Epilogue = typename After::template Epilogue<T>;
      finish = [body = EpilogueInPlace<Epilogue, T>{out, Epilogue(args)}](int64_t begin,
                                                                          int64_t end) {
        cpu::run_tasks(1, 0, EpilogueOfRange<Epilogue, T>{body, begin, end});
      };
    }
    conv->run(args.input<T>(0), args.input<T>(1), bias ? args.input<T>(2) : nullptr, out,
              args.workspace, finish);
  };
  return {.run = run, .workspace = conv->workspace()};
}

/// Bias and epilogue in place, over what a library has made.
template <class Epilogue>
struct FinishInPlace {
  float* out;
  const float* bias;  ///< [channels], may be nullptr
  int64_t channels;
  Epilogue epilogue;
  LATENT_HD void operator()(int64_t r, int64_t c) const {
    const int64_t i = r * channels + c;
    out[i] = epilogue(bias ? out[i] + bias[c] : out[i], i);
  }
};

template <class After>
Kernel gpu_conv(const ConvProblem& problem, ConvPass pass, bool bias, Device& device) {
  check_own_conv(problem);
  const auto library = conv_in_library(problem) ? cudnn_conv(problem, pass, device) : nullptr;
  const auto run = [library, problem, pass, bias](const Args& args) {
    using Epilogue = typename After::template Epilogue<float>;
    const float *in = args.input<float>(0), *weight = args.input<float>(1);
    const float* const added = bias ? args.input<float>(2) : nullptr;
    float* const out = args.output<float>(0);
    if (!library)
      return own_conv(args.stream, problem, pass, in, weight, added, out, Epilogue(args));
    library->run(args.stream, in, weight, out, args.workspace);
    if (After::kNothing && !bias) return;
    const bool forward = pass == ConvPass::forward;
    const int64_t channels = forward ? problem.filters : problem.channels;
    const int64_t row = forward ? problem.small_row() : problem.large_row();
    for_each_row(args.stream, problem.rows * row / channels, channels,
                 FinishInPlace<Epilogue>{out, added, channels, Epilogue(args)});
  };
  return {.run = run, .workspace = library ? library->workspace() : 0};
}

/// Output 0 = After(the forward or transposed pass of inputs 0 and 1 (+ input 2, where `bias`)).
template <class After>
Kernel conv_kernel(DType dtype, const ConvProblem& problem, ConvPass pass, bool bias,
                   Device& device) {
  if (dtype == DType::f64) {
    if (device.gpu())
      throw std::logic_error(cat(device.name(), ": f64 is computed on the CPU only"));
    return cpu_conv<After, double>(problem, pass, bias, device);
  }
  return device.gpu() ? gpu_conv<After>(problem, pass, bias, device)
                      : cpu_conv<After, float>(problem, pass, bias, device);
}

}  // namespace LATENT_BACKEND
}  // namespace latent
