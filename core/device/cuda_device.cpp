#include "core/device/cuda_device.h"

#if defined(LATENT_GPU_CUDA)

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/device/cuda_check.h"
#include "core/device/cuda_probe.h"
#include "core/device/host_memory.h"

namespace latent {

CudaError::CudaError(cudaError_t error, const char* call)
    : std::runtime_error(
          cat("CUDA: ", call, ": ", cudaGetErrorName(error), ": ", cudaGetErrorString(error))),
      code(error) {}

inline namespace LATENT_BACKEND {

namespace cuda {
void fail(cudaError_t error, const char* call) { throw CudaError(error, call); }
}  // namespace cuda

namespace {

cudaStream_t native(const Stream& stream) { return static_cast<cudaStream_t>(stream.native); }

class CudaFence final : public Fence {
 public:
  explicit CudaFence(const Stream& stream) {
    LATENT_CUDA(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming | cudaEventBlockingSync));
    LATENT_CUDA(cudaEventRecord(event_, native(stream)));
  }
  ~CudaFence() override { cudaEventDestroy(event_); }
  CudaFence(const CudaFence&) = delete;
  CudaFence& operator=(const CudaFence&) = delete;

  bool done() override {
    const cudaError_t error = cudaEventQuery(event_);
    if (error == cudaErrorNotReady) return false;
    cuda::check(error, "cudaEventQuery");
    return true;
  }
  void wait() override { LATENT_CUDA(cudaEventSynchronize(event_)); }
  cudaEvent_t event() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

class CudaGraph final : public CapturedGraph {
 public:
  CudaGraph(cudaGraph_t graph, int64_t launches) : launches_(launches) {
    const cudaError_t error = cudaGraphInstantiate(&exec_, graph, 0);
    cudaGraphDestroy(graph);
    cuda::check(error, "cudaGraphInstantiate");
  }
  ~CudaGraph() override { cudaGraphExecDestroy(exec_); }
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;

  void launch(Stream& stream) override {
    LATENT_CUDA(cudaGraphLaunch(exec_, native(stream)));
    stream.launches += launches_;
  }

 private:
  cudaGraphExec_t exec_ = nullptr;
  int64_t launches_ = 0;
};

class CudaDevice final : public Device {
 public:
  explicit CudaDevice(int index) : index_(index) {
    LATENT_CUDA(cudaSetDevice(index));
    LATENT_CUDA(cudaGetDeviceProperties(&properties_, index));
  }
  ~CudaDevice() override {
    slots_.clear();  // library handles first: they hold streams
    for (const auto& stream : streams_) cudaStreamDestroy(native(*stream));
  }

  std::string name() const override { return cat("cuda:", index_); }
  std::string description() const override {
    const double gb = static_cast<double>(properties_.totalGlobalMem) / 1e9;
    return cat(properties_.name, ", ", static_cast<int64_t>(gb + 0.5), " GB");
  }
  bool gpu() const override { return true; }

  void* allocate(size_t bytes) override {
    void* p = nullptr;
    const cudaError_t error = cudaMalloc(&p, std::max<size_t>(bytes, 1));
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // it would come back from a later call
      throw_out_of_memory(bytes, name().c_str());
    }
    cuda::check(error, "cudaMalloc");
    return p;
  }
  void release(void* p) noexcept override { cudaFree(p); }
  void upload(void* to, const void* from, size_t bytes) override {
    move(to, from, bytes, cudaMemcpyHostToDevice);
  }
  void download(void* to, const void* from, size_t bytes) override {
    move(to, from, bytes, cudaMemcpyDeviceToHost);
  }
  void copy(Stream& stream, void* to, const void* from, size_t bytes) override {
    LATENT_CUDA(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, native(stream)));
  }
  void synchronize() override { LATENT_CUDA(cudaDeviceSynchronize()); }

  Stream& stream(int lane) override {
    while (static_cast<int>(streams_.size()) <= lane) {
      cudaStream_t made = nullptr;
      LATENT_CUDA(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
      streams_.push_back(std::make_unique<Stream>());
      *streams_.back() = {.device = this, .native = made, .gpu = true};
    }
    return *streams_[lane];
  }
  void join(Stream& waiter, Stream& on) override {
    const CudaFence here(on);
    LATENT_CUDA(cudaStreamWaitEvent(native(waiter), here.event(), 0));
  }
  std::unique_ptr<Fence> fence(Stream& stream) override {
    return std::make_unique<CudaFence>(stream);
  }

  bool can_capture() const override { return true; }
  void begin_capture(Stream& stream) override {
    LATENT_CUDA(cudaStreamBeginCapture(native(stream), cudaStreamCaptureModeThreadLocal));
    counts_before_.clear();
    for (const auto& lane : streams_) counts_before_.push_back(lane->launches);
  }
  /// What was recorded was counted as if launched: that is taken back, and each replay counts it.
  std::unique_ptr<CapturedGraph> end_capture(Stream& stream) override {
    cudaGraph_t graph = nullptr;
    LATENT_CUDA(cudaStreamEndCapture(native(stream), &graph));
    int64_t recorded = 0;
    counts_before_.resize(streams_.size());
    for (size_t i = 0; i < streams_.size(); ++i)
      recorded += streams_[i]->launches - std::exchange(streams_[i]->launches, counts_before_[i]);
    return std::make_unique<CudaGraph>(graph, recorded);
  }

 private:
  void move(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    LATENT_CUDA(cudaMemcpyAsync(to, from, bytes, kind, native(stream(0))));
    LATENT_CUDA(cudaStreamSynchronize(native(stream(0))));
  }

  int index_;
  cudaDeviceProp properties_{};
  std::vector<std::unique_ptr<Stream>> streams_;
  std::vector<int64_t> counts_before_;
};

}  // namespace

int cuda_count() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver ||
      error == cudaErrorStubLibrary) {
    cudaGetLastError();
    return 0;
  }
  cuda::check(error, "cudaGetDeviceCount");
  return count;
}

std::shared_ptr<Device> open_cuda(int index) {
  const int count = cuda_count();
  if (count == 0) {
    throw UserError(cat(
        "device 'cuda': no CUDA device found: look whether nvidia-smi lists one and its driver is ",
        "recent enough, or take device: cpu"));
  }
  if (index >= count)
    throw UserError(
        cat("device 'cuda:", index, "': there are ", count, " CUDA devices, numbered from 0"));
  LATENT_CUDA(cudaSetDevice(index));
  if (!covers_current_gpu()) {
    cudaDeviceProp p;
    LATENT_CUDA(cudaGetDeviceProperties(&p, index));
    throw UserError(cat("device 'cuda:", index, "': this latent has code for ",
                        compiled_architectures(), ", and the GPU is sm_", p.major, p.minor,
                        "; configure again with -DLATENT_CUDA_ARCHITECTURES=", p.major, p.minor));
  }
  return std::make_shared<CudaDevice>(index);
}

}  // namespace LATENT_BACKEND
}  // namespace latent

#endif
