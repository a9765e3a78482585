// A device: memory, one or more streams (lanes), and typed slots for library handles that kernels
// fill. A binary has the CPU and at most one GPU backend, chosen when configuring (LATENT_GPU =
// cuda | simt | none).
#pragma once

#include <any>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <typeindex>
#include <unordered_map>

namespace latent {

class Device;

/// Where work is queued, in order. On the CPU work is done when the call returns.
struct Stream {
  Device* device = nullptr;
  void* native = nullptr;  ///< cudaStream_t on CUDA
  bool gpu = false;
  /// Kernel launches so far on a GPU backend (library calls counted by their op as its cost says).
  int64_t launches = 0;
};

/// A recorded sequence of work that can be queued again as a whole.
class CapturedGraph {
 public:
  virtual ~CapturedGraph() = default;
  virtual void launch(Stream& stream) = 0;
};

/// A point of a stream.
class Fence {
 public:
  virtual ~Fence() = default;
  virtual bool done() = 0;
  virtual void wait() = 0;
};

class Device {
 public:
  virtual ~Device() = default;
  /// "cpu", "cuda:0" or "simt".
  virtual std::string name() const = 0;
  /// For people: "2 threads, AVX-512, oneDNN 2.6.3" or "NVIDIA H200, 141 GB".
  virtual std::string description() const = 0;
  virtual bool gpu() const = 0;

  /// 256-byte aligned, uninitialised. Throws std::bad_alloc with a message naming the bytes asked
  /// for.
  virtual void* allocate(size_t bytes) = 0;
  virtual void release(void* p) noexcept = 0;
  /// upload and download return when the bytes are there, after all work queued before on lane 0.
  virtual void upload(void* to, const void* from, size_t bytes) = 0;
  virtual void download(void* to, const void* from, size_t bytes) = 0;
  virtual void copy(Stream& stream, void* to, const void* from, size_t bytes) = 0;
  /// Lane 0 is where upload and download wait; other lanes are made when first asked for.
  virtual Stream& stream(int lane = 0) = 0;
  virtual void synchronize() = 0;

  /// `waiter` goes on only after what `on` has been given so far.
  virtual void join(Stream& waiter, Stream& on);
  virtual std::unique_ptr<Fence> fence(Stream& stream);

  /// Whether begin_capture and end_capture work: on CUDA. Between them `stream` and the lanes
  /// joined to it record instead of running, and nothing may be allocated, uploaded or downloaded.
  virtual bool can_capture() const { return false; }
  virtual void begin_capture(Stream& stream);
  virtual std::unique_ptr<CapturedGraph> end_capture(Stream& stream);

  /// Tells tests that nobody may read or write these bytes of an allocation until unpoison: dead
  /// tensors and the gaps between tensors. Does nothing but under simt and, on the CPU, under
  /// AddressSanitizer.
  virtual void poison(void*, size_t) {}
  virtual void unpoison(void*, size_t) {}

  /// The one object of type T of this device, made as T(*this) at first use: library handles,
  /// tuning tables.
  template <class T>
  T& slot() {
    auto& entry = slots_[std::type_index(typeid(T))];
    if (!entry) entry = std::make_shared<T>(*this);
    return *static_cast<T*>(entry.get());
  }

 protected:
  std::unordered_map<std::type_index, std::shared_ptr<void>> slots_;
};

/// `auto`, `cpu`, `cuda`, `cuda:N`. `auto` takes a GPU where there is one. In a build with the simt
/// backend `simt` names it. Throws UserError where the device does not exist, with the reason (no
/// GPU, or a build without CUDA).
std::shared_ptr<Device> open_device(const std::string& name);
/// How many GPUs of this build's backend there are; 0 without one.
int gpu_count();

}  // namespace latent
