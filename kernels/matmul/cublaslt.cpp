#include "kernels/matmul/cublaslt.h"

#if defined(LATENT_GPU_CUDA)
#include <cublasLt.h>

#include <type_traits>

#include "core/device/library_time.h"
#endif

namespace latent {
inline namespace LATENT_BACKEND {

#if !defined(LATENT_GPU_CUDA)

std::shared_ptr<const LibraryProduct> cublaslt_product(const Gemm&, LibraryEpilogue, Device&) {
  return nullptr;
}

#else

namespace {

constexpr size_t kMostWorkspace = size_t{32} << 20;

void check(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw std::runtime_error(
        cat(call, ": ", cublasLtGetStatusName(status), ": ", cublasLtGetStatusString(status)));
}

/// The library's handle on a device.
struct CublasLt {
  explicit CublasLt(Device&) { check(cublasLtCreate(&handle), "cublasLtCreate"); }
  ~CublasLt() { cublasLtDestroy(handle); }
  CublasLt(const CublasLt&) = delete;
  cublasLtHandle_t handle = nullptr;
};

template <auto kDestroy>
struct Destroy {
  template <class T>
  void operator()(T* p) const {
    kDestroy(p);
  }
};
template <class T, auto kDestroy>
using Owned = std::unique_ptr<std::remove_pointer_t<T>, Destroy<kDestroy> >;
using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Operation = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

cublasLtEpilogue_t of(LibraryEpilogue epilogue) {
  // The library is column-major, so that it makes C^T = op(B)^T op(A)^T: its A is our B.
  switch (epilogue) {
    case LibraryEpilogue::none:
      return CUBLASLT_EPILOGUE_DEFAULT;
    case LibraryEpilogue::bias:
      return CUBLASLT_EPILOGUE_BIAS;
    case LibraryEpilogue::relu:
      return CUBLASLT_EPILOGUE_RELU;
    case LibraryEpilogue::relu_bias:
      return CUBLASLT_EPILOGUE_RELU_BIAS;
    case LibraryEpilogue::rows_of_a:
      return CUBLASLT_EPILOGUE_BGRADB;
    case LibraryEpilogue::cols_of_b:
      return CUBLASLT_EPILOGUE_BGRADA;
  }
  throw std::logic_error("cuBLASLt: epilogue");
}

template <class T>
void set(const Operation& operation, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  check(cublasLtMatmulDescSetAttribute(operation.get(), attribute, &value, sizeof value),
        "cublasLtMatmulDescSetAttribute");
}
template <class T>
void set(const Layout& layout, cublasLtMatrixLayoutAttribute_t attribute, const T& value) {
  check(cublasLtMatrixLayoutSetAttribute(layout.get(), attribute, &value, sizeof value),
        "cublasLtMatrixLayoutSetAttribute");
}
template <class T>
void set(const Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute,
         const T& value) {
  check(cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof value),
        "cublasLtMatmulPreferenceSetAttribute");
}

/// A row-major matrix is a column-major one of swapped sizes.
Layout layout(int64_t rows, int64_t cols, const Gemm& gemm, int64_t batch_stride) {
  cublasLtMatrixLayout_t made = nullptr;
  check(cublasLtMatrixLayoutCreate(&made, CUDA_R_32F, cols, rows, cols),
        "cublasLtMatrixLayoutCreate");
  Layout owned(made);
  if (gemm.count > 1) {
    set(owned, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<int32_t>(gemm.count));
    set(owned, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, batch_stride);
  }
  return owned;
}

Operation operation(const Gemm& gemm, LibraryEpilogue epilogue, bool tf32) {
  cublasLtMatmulDesc_t made = nullptr;
  check(cublasLtMatmulDescCreate(&made, tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                                 CUDA_R_32F),
        "cublasLtMatmulDescCreate");
  Operation owned(made);
  set(owned, CUBLASLT_MATMUL_DESC_TRANSA, gemm.trans_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(owned, CUBLASLT_MATMUL_DESC_TRANSB, gemm.trans_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(owned, CUBLASLT_MATMUL_DESC_EPILOGUE, of(epilogue));
  return owned;
}

class CublasLtProduct final : public LibraryProduct {
 public:
  CublasLtProduct(const Gemm& g, LibraryEpilogue epilogue, Device& device)
      : handle_(device.slot<CublasLt>().handle),
        time_(device.slot<LibraryTime>()),
        operation_(operation(g, epilogue, device.slot<MatmulPrecision>().tf32)),
        a_(layout(g.trans_a ? g.k : g.m, g.lda(), g, g.batch.stride_a[0])),
        b_(layout(g.trans_b ? g.n : g.k, g.ldb(), g, g.batch.stride_b[0])),
        c_(layout(g.m, g.n, g, g.m * g.n)),
        has_vector_(epilogue != LibraryEpilogue::none && epilogue != LibraryEpilogue::relu) {}

  /// False where the library has no algorithm.
  bool choose() {
    cublasLtMatmulPreference_t made = nullptr;
    check(cublasLtMatmulPreferenceCreate(&made), "cublasLtMatmulPreferenceCreate");
    const Preference preference(made);
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kMostWorkspace);
    // Slices of k are added in place one after the other, or in the workspace, by a kernel behind the product: both in
    // order. Without the latter a long k and a small C take up to 300 times as long (H100, cuBLASLt 13.0).
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        uint32_t{CUBLASLT_REDUCTION_SCHEME_INPLACE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    // The candidates depend on the alignment of every pointer: ours are aligned to 256 bytes.
    if (has_vector_)
      set(operation_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, reinterpret_cast<void*>(uintptr_t{256}));
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    const cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(handle_, operation_.get(), b_.get(), a_.get(), c_.get(),
                                       c_.get(), preference.get(), 1, &found, &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE)
      return false;
    check(status, "cublasLtMatmulAlgoGetHeuristic");
    if (count == 0 || found.state != CUBLAS_STATUS_SUCCESS) return false;
    algorithm_ = found.algo;
    workspace_ = found.workspaceSize;
    return true;
  }

  size_t workspace() const override { return workspace_; }

  void run(Stream& stream, const float* a, const float* b, void* vector, const float* more,
           float* c, void* workspace) const override {
    if (has_vector_) set(operation_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector);
    const float one = 1, of_more = more ? 1 : 0;
    const LibraryCall call(time_);
    check(cublasLtMatmul(handle_, operation_.get(), &one, b, b_.get(), a, a_.get(), &of_more,
                         more ? more : c, c_.get(), c, c_.get(), &algorithm_, workspace, workspace_,
                         static_cast<cudaStream_t>(stream.native)),
          "cublasLtMatmul");
    ++stream.launches;
  }

 private:
  cublasLtHandle_t handle_;
  LibraryTime& time_;
  Operation operation_;
  Layout a_, b_, c_;
  bool has_vector_;
  cublasLtMatmulAlgo_t algorithm_{};
  size_t workspace_ = 0;
};

}  // namespace

std::shared_ptr<const LibraryProduct> cublaslt_product(const Gemm& gemm, LibraryEpilogue epilogue,
                                                       Device& device) {
  if (gemm.batch.rank > 1 || gemm.m == 0 || gemm.n == 0 || gemm.k == 0) return nullptr;
  if (gemm.count > 1 && epilogue != LibraryEpilogue::none) return nullptr;
  auto product = std::make_shared<CublasLtProduct>(gemm, epilogue, device);
  return product->choose() ? product : nullptr;
}

#endif

}  // namespace LATENT_BACKEND
}  // namespace latent
