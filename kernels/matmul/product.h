// How an op that is a product with something elementwise behind it runs on each device. For .cu files only.
//
// What stands behind the product is a struct `After` with
//   static constexpr bool kNothing;                     // the epilogue gives its argument back
//   static constexpr LibraryEpilogue kLibrary;          // what cuBLASLt can do of it without bias: none or relu
//   static constexpr bool kAdds;                        // it adds the last input, and no more: cuBLASLt can do that too
//   template <class T> struct Epilogue {                // plain data, T = float or double
//     explicit Epilogue(const Args& args);              // host only
//     LATENT_HD T operator()(T value, int64_t i) const; // element i of the output from that of the product
//   };
#pragma once

#include "kernels/matmul/cpu.h"
#include "kernels/matmul/cublaslt.h"
#include "kernels/matmul/tile.h"

namespace latent {

struct Nothing {
  static constexpr bool kNothing = true;
  static constexpr LibraryEpilogue kLibrary = LibraryEpilogue::none;
  static constexpr bool kAdds = false;
  template <class T>
  struct Epilogue {
    explicit Epilogue(const Args&) {}
    LATENT_HD T operator()(T value, int64_t) const { return value; }
  };
};

struct AddLast {
  static constexpr bool kNothing = false;
  static constexpr LibraryEpilogue kLibrary = LibraryEpilogue::none;
  static constexpr bool kAdds = true;
  template <class T>
  struct Epilogue {
    const T* more;
    explicit Epilogue(const Args& args) : more(static_cast<const T*>(args.in.back())) {}
    LATENT_HD T operator()(T value, int64_t i) const { return value + more[i]; }
  };
};

/// The input that After adds; nullptr: none.
template <class After>
const float* what_is_added(const Args& args) {
  if constexpr (After::kAdds) return typename After::template Epilogue<float>(args).more;
  return nullptr;
}

/// Whether cuBLASLt does all of it, where it has the product at all.
template <class After>
inline constexpr bool kWhollyLibrary =
    After::kNothing || After::kAdds || After::kLibrary != LibraryEpilogue::none;

/// On CUDA a product with an epilogue that cuBLASLt lacks is one launch of ours while it is small, then one of
/// cuBLASLt and one over C: from here on its matrix units win back the second pass.
inline constexpr double kOwnProductFlops = 1e8;

/// A small product over a k of this range is one launch of ours too where the library would need two, its slices of k
/// and their sum: 4.5 us for 7 to 10 (H100, cuBLASLt 13.0). Over less k the library does not cut it, over more the
/// slices pay.
inline bool own_product(const Gemm& gemm) {
  return gemm.k >= 64 && gemm.k <= 256 && gemm.flops() < 1.5e7;
}

/// Launches on CUDA, in any build.
template <class After>
int product_launches(const Gemm& gemm) {
  return kWhollyLibrary<After> || gemm.flops() < kOwnProductFlops || gemm.batch.rank > 1 ? 1 : 2;
}

Cost product_cost(const Signature& s, const Gemm& gemm, int launches);

inline namespace LATENT_BACKEND {

template <class Epilogue, class T>
struct EpilogueInPlace {
  T* c;
  Epilogue epilogue;
  LATENT_HD void operator()(int64_t i) const { c[i] = epilogue(c[i], i); }
};

/// The epilogue over one block of C.
template <class Epilogue, class T>
struct EpilogueOfBlock {
  EpilogueInPlace<Epilogue, T> body;
  Block block;
  int64_t m, n;
  LATENT_CPU_BODY void operator()(int64_t) const {
    for (int64_t row = block.row; row < block.row + block.rows; ++row) {
      const int64_t first = (block.matrix * m + row) * n + block.col;
#pragma omp simd
      for (int64_t i = first; i < first + block.cols; ++i) body(i);
    }
  }
};

template <class After, class T>
Kernel cpu_product(const Gemm& gemm, bool bias, Device& device) {
  const auto product = std::make_shared<const CpuGemm<T>>(gemm, bias, device);
  const auto run = [product, m = gemm.m, n = gemm.n, bias](const Args& args) {
    T* const c = args.output<T>(0);
    typename CpuGemm<T>::Finish finish;
    if constexpr (!After::kNothing) {
      using Epilogue = typename After::template Epilogue<T>;
      finish = [body = EpilogueInPlace<Epilogue, T>{c, Epilogue(args)}, m, n](const Block& block) {
        cpu::run_tasks(1, 0, EpilogueOfBlock<Epilogue, T>{body, block, m, n});
      };
    }
    product->run(args.input<T>(0), args.input<T>(1), bias ? args.input<T>(2) : nullptr, c,
                 args.workspace, finish);
  };
  return {.run = run, .workspace = product->workspace()};
}

template <class After>
Kernel gpu_product(const Gemm& gemm, bool bias, Device& device) {
  using Epilogue = typename After::template Epilogue<float>;
  constexpr bool kRelu = After::kLibrary == LibraryEpilogue::relu;
  std::shared_ptr<const LibraryProduct> library;
  if (kWhollyLibrary<After> ? !own_product(gemm) : gemm.flops() >= kOwnProductFlops)
    library = cublaslt_product(gemm,
                               kRelu ? (bias ? LibraryEpilogue::relu_bias : LibraryEpilogue::relu)
                                     : (bias ? LibraryEpilogue::bias : LibraryEpilogue::none),
                               device);
  const auto run = [library, gemm, bias](const Args& args) {
    const float *a = args.input<float>(0), *b = args.input<float>(1);
    const float* const row = bias ? args.input<float>(2) : nullptr;
    float* const c = args.output<float>(0);
    if (!library) return tile_product(args.stream, gemm, a, b, row, c, Epilogue(args));
    library->run(args.stream, a, b, const_cast<float*>(row), what_is_added<After>(args), c,
                 args.workspace);
    if constexpr (!kWhollyLibrary<After>)
      for_each(args.stream, gemm.count * gemm.m * gemm.n,
               EpilogueInPlace<Epilogue, float>{c, Epilogue(args)});
  };
  return {.run = run, .workspace = library ? library->workspace() : 0};
}

/// Output 0 = After(op(input 0) op(input 1) (+ input 2 [n], where `bias`)).
template <class After>
Kernel product_kernel(DType dtype, const Gemm& gemm, bool bias, Device& device) {
  if (dtype == DType::f64) {
    if (device.gpu())
      throw std::logic_error(cat(device.name(), ": f64 is computed on the CPU only"));
    return cpu_product<After, double>(gemm, bias, device);
  }
  return device.gpu() ? gpu_product<After>(gemm, bias, device)
                      : cpu_product<After, float>(gemm, bias, device);
}

}  // namespace LATENT_BACKEND
}  // namespace latent
