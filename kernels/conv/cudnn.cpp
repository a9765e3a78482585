#include "kernels/conv/cudnn.h"

#if defined(LATENT_GPU_CUDA) && defined(LATENT_CUDNN)
#include <cudnn.h>
#if CUDNN_VERSION >= 90800
#define LATENT_CUDNN_GRAPHS
#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/device/library_time.h"
#include "kernels/matmul/cublaslt.h"
#endif
#endif

namespace latent {
inline namespace LATENT_BACKEND {

#if !defined(LATENT_CUDNN_GRAPHS)

std::shared_ptr<const LibraryConv> cudnn_conv(const ConvProblem&, ConvPass, Device&) {
  return nullptr;
}
bool cudnn_plans(const ConvProblem&, ConvPass, bool, const std::string&) { return false; }
std::string cudnn_linked() { return ""; }

#else

namespace {

void check(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char message[256] = "";
  cudnnGetLastErrorString(message, sizeof message);
  throw std::runtime_error(cat(call, ": ", cudnnGetErrorString(status), ": ", message));
}

/// The library's handle on a device.
struct Cudnn {
  explicit Cudnn(Device&) { check(cudnnCreate(&handle), "cudnnCreate"); }
  ~Cudnn() { cudnnDestroy(handle); }
  Cudnn(const Cudnn&) = delete;
  cudnnHandle_t handle = nullptr;
};

/// A descriptor of the graph API.
class Described {
 public:
  explicit Described(cudnnBackendDescriptorType_t type) {
    check(cudnnBackendCreateDescriptor(type, &p_), "cudnnBackendCreateDescriptor");
  }
  ~Described() {
    if (p_) cudnnBackendDestroyDescriptor(p_);
  }
  Described(Described&& other) noexcept : p_(std::exchange(other.p_, nullptr)) {}
  Described& operator=(Described&& other) noexcept {
    std::swap(p_, other.p_);
    return *this;
  }

  cudnnBackendDescriptor_t get() const { return p_; }

  template <class T>
  Described& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                 const T* values, int64_t count) {
    check(cudnnBackendSetAttribute(p_, name, type, count, values), "cudnnBackendSetAttribute");
    return *this;
  }
  template <class T>
  Described& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, T value) {
    return set(name, type, &value, 1);
  }
  Described& set(cudnnBackendAttributeName_t name, const Described& other) {
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, other.p_);
  }
  template <size_t N>
  Described& set(cudnnBackendAttributeName_t name, const std::array<int64_t, N>& values) {
    return set(name, CUDNN_TYPE_INT64, values.data(), N);
  }
  cudnnStatus_t try_finalize() { return cudnnBackendFinalize(p_); }
  Described&& finalized() && {
    check(try_finalize(), "cudnnBackendFinalize");
    return std::move(*this);
  }

 private:
  cudnnBackendDescriptor_t p_ = nullptr;
};

constexpr int64_t kLarge = 1, kSmall = 2, kWeight = 3;  // names of the tensors

/// [n, height, width, channels] in memory, which the library names in the order n, channels, height, width.
Described tensor(int64_t id, int64_t n, const int64_t (&map)[2], int64_t channels) {
  const int64_t row = map[1] * channels;
  Described t(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  t.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::array{n, channels, map[0], map[1]})
      .set(CUDNN_ATTR_TENSOR_STRIDES, std::array{map[0] * row, int64_t{1}, row, channels})
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id)
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, int64_t{16});
  return std::move(t).finalized();
}

Described convolution(const Window& w) {
  std::array<int64_t, 2> before, after, stride;
  for (int axis = 0; axis < 2; ++axis) {
    stride[axis] = w.stride[axis];
    before[axis] = w.before[axis];
    after[axis] = w.after(axis);
  }
  Described d(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  d.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION)
      .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, int64_t{2})
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::array<int64_t, 2>{1, 1})
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, stride)
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, before)
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, after);
  return std::move(d).finalized();
}

/// What the three passes call the same things.
struct PassNames {
  cudnnBackendDescriptorType_t operation;
  cudnnBackendAttributeName_t conv, large, small, weight, alpha, beta;
};

PassNames names_of(ConvPass pass) {
  switch (pass) {
    case ConvPass::forward:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case ConvPass::transposed:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case ConvPass::weight:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
  }
  throw std::logic_error("cuDNN: pass");
}

/// The pass as a graph of one operation.
Described graph_of(const ConvProblem& p, ConvPass pass) {
  const PassNames names = names_of(pass);
  Described operation(names.operation);
  operation.set(names.conv, convolution(p.window))
      .set(names.large, tensor(kLarge, p.rows, p.window.large, p.channels))
      .set(names.small, tensor(kSmall, p.rows, p.window.small, p.filters))
      .set(names.weight, tensor(kWeight, p.filters, p.window.kernel, p.channels))
      .set(names.alpha, CUDNN_TYPE_FLOAT, 1.0f)
      .set(names.beta, CUDNN_TYPE_FLOAT, 0.0f);
  const Described made = std::move(operation).finalized();
  Described graph(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, made);
  return std::move(graph).finalized();
}

/// Whether the engine keeps what the program promises: the same bits each time, and fp32 where that is asked for.
bool admissible(const Described& config, bool tf32) {
  Described engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t p = engine.get();
  int64_t count = 0;
  check(cudnnBackendGetAttribute(config.get(), CUDNN_ATTR_ENGINECFG_ENGINE,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &p),
        "cudnnBackendGetAttribute");
  cudnnBackendNumericalNote_t notes[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
  check(cudnnBackendGetAttribute(engine.get(), CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                 CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count,
                                 notes),
        "cudnnBackendGetAttribute");
  return std::none_of(notes, notes + count, [&](cudnnBackendNumericalNote_t note) {
    switch (note) {
      case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
        return true;
      case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
      case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
      case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
      case CUDNN_NUMERICAL_NOTE_FFT:
      case CUDNN_NUMERICAL_NOTE_WINOGRAD:  // loses digits, too
        return !tf32;
      default:
        return false;
    }
  });
}

/// Candidates of one heuristic, best first.
std::vector<Described> candidates(const Described& graph, const Described& gpu,
                                  cudnnBackendHeurMode_t mode) {
  Described heuristic(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph)
      .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode)
      .set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, gpu);
  if (heuristic.try_finalize() != CUDNN_STATUS_SUCCESS) return {};
  int64_t count = 0;
  if (cudnnBackendGetAttribute(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                               CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count,
                               nullptr) != CUDNN_STATUS_SUCCESS)
    return {};
  std::vector<Described> configs;
  std::vector<cudnnBackendDescriptor_t> raw;
  for (int64_t i = 0; i < count; ++i)
    raw.push_back(configs.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).get());
  check(cudnnBackendGetAttribute(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count, raw.data()),
        "cudnnBackendGetAttribute");
  configs.erase(configs.begin() + count, configs.end());
  return configs;
}

struct Plan {
  Described descriptor;
  int64_t workspace;
};

/// The first admissible candidate that can be had; nothing where there is none.
std::unique_ptr<Plan> choose(const ConvProblem& p, ConvPass pass, bool tf32, const Described& gpu) {
  const Described graph = graph_of(p, pass);
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK})
    for (const Described& config : candidates(graph, gpu, mode)) {
      if (!admissible(config, tf32)) continue;
      Described plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
      plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config)
          .set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, gpu);
      if (plan.try_finalize() != CUDNN_STATUS_SUCCESS) continue;
      int64_t workspace = 0, count = 0;
      check(cudnnBackendGetAttribute(plan.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                     CUDNN_TYPE_INT64, 1, &count, &workspace),
            "cudnnBackendGetAttribute");
      return std::make_unique<Plan>(Plan{std::move(plan), workspace});
    }
  return nullptr;
}

class CudnnConv final : public LibraryConv {
 public:
  CudnnConv(Device& device, ConvPass pass, std::unique_ptr<Plan> plan)
      : handle_(device.slot<Cudnn>().handle),
        time_(device.slot<LibraryTime>()),
        pass_(pass),
        plan_(std::move(plan)) {}

  size_t workspace() const override { return static_cast<size_t>(plan_->workspace); }

  void run(Stream& stream, const float* a, const float* b, float* out,
           void* workspace) const override {
    const std::array<int64_t, 3> ids =
        pass_ == ConvPass::forward      ? std::array{kLarge, kWeight, kSmall}
        : pass_ == ConvPass::transposed ? std::array{kSmall, kWeight, kLarge}
                                        : std::array{kLarge, kSmall, kWeight};
    void* const data[] = {const_cast<float*>(a), const_cast<float*>(b), out};
    Described pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids)
        .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, data, 3)
        .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace);
    const Described operands = std::move(pack).finalized();
    check(cudnnSetStream(handle_, static_cast<cudaStream_t>(stream.native)), "cudnnSetStream");
    const LibraryCall call(time_);
    check(cudnnBackendExecute(handle_, plan_->descriptor.get(), operands.get()),
          "cudnnBackendExecute");
    ++stream.launches;
  }

 private:
  cudnnHandle_t handle_;
  LibraryTime& time_;
  ConvPass pass_;
  std::unique_ptr<Plan> plan_;
};

}  // namespace

std::shared_ptr<const LibraryConv> cudnn_conv(const ConvProblem& problem, ConvPass pass,
                                              Device& device) {
  if (problem.count != 1 || problem.rows * problem.weights() == 0) return nullptr;
  Described gpu(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  gpu.set(CUDNN_ATTR_DEVICEPROP_HANDLE, CUDNN_TYPE_HANDLE, device.slot<Cudnn>().handle);
  auto plan =
      choose(problem, pass, device.slot<MatmulPrecision>().tf32, std::move(gpu).finalized());
  return plan ? std::make_shared<CudnnConv>(device, pass, std::move(plan)) : nullptr;
}

bool cudnn_plans(const ConvProblem& problem, ConvPass pass, bool tf32, const std::string& json) {
  Described gpu(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  gpu.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, json.c_str(),
          static_cast<int64_t>(json.size()));
  return choose(problem, pass, tf32, std::move(gpu).finalized()) != nullptr;
}

std::string cudnn_linked() {
  const size_t v = cudnnGetVersion();
  return cat(v / 10000, ".", v / 100 % 100, ".", v % 100);
}

#endif

}  // namespace LATENT_BACKEND
}  // namespace latent
