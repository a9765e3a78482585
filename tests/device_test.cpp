#include "core/device/device.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/device/cpu_isa.h"
#include "core/device/live_memory.h"
#include "core/device/sanitizer.h"

namespace latent {
namespace {

std::string error_of(const std::string& name) {
  try {
    open_device(name);
  } catch (const UserError& e) {
    return e.what();
  }
  return "none";
}

TEST(OpenDevice, Cpu) {
  const auto device = open_device("cpu");
  EXPECT_EQ(device->name(), "cpu");
  EXPECT_FALSE(device->gpu());
  EXPECT_FALSE(device->stream().gpu);
  EXPECT_EQ(device->stream().device, device.get());
  EXPECT_NE(device->description().find(cpu_isa_name()), std::string::npos);
}

TEST(OpenDevice, NamesThatAreNone) {
  for (const char* name : {"", "gpu", "cud", "cpu:0", "tpu"})
    EXPECT_NE(error_of(name).find("is none of auto, cpu, cuda"), std::string::npos) << name;
}

TEST(OpenDevice, CudaWithoutCuda) {
#if defined(LATENT_GPU_CUDA)
  for (const char* name : {"cuda:", "cuda:x", "cuda:-1", "cuda:1x"})
    EXPECT_NE(error_of(name).find("is none of"), std::string::npos) << name;
  if (gpu_count() > 0) GTEST_SKIP() << "there is a GPU";
  EXPECT_NE(error_of("cuda").find("no CUDA device found"), std::string::npos);
#else
  EXPECT_NE(error_of("cuda:1").find("built without CUDA"), std::string::npos);
  EXPECT_EQ(open_device("auto")->name(), "cpu");
#endif
}

std::vector<std::shared_ptr<Device>> devices() {
  std::vector<std::shared_ptr<Device>> all = {open_device("cpu")};
#if defined(LATENT_GPU_SIMT)
  all.push_back(open_device("simt"));
#elif defined(LATENT_GPU_CUDA)
  if (gpu_count() > 0) all.push_back(open_device("cuda"));
#endif
  return all;
}

TEST(Device, MovesBytes) {
  for (const auto& device : devices()) {
    std::vector<int> in = {1, 2, 3, 4, 5}, out(5);
    void* a = device->allocate(20);
    void* b = device->allocate(20);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a) % 256, 0u);
    device->upload(a, in.data(), 20);
    device->copy(device->stream(), b, a, 20);
    device->download(out.data(), b, 20);
    EXPECT_EQ(in, out);
    device->release(a);
    device->release(b);
    device->release(device->allocate(0));
  }
}

TEST(Device, SaysHowMuchMemoryThereIsNot) {
  if (LATENT_ASAN) GTEST_SKIP() << "AddressSanitizer ends the process instead";
  for (const auto& device : devices()) {
    try {
      device->release(device->allocate(size_t{1} << 60));
      FAIL();
    } catch (const std::bad_alloc& e) {
      EXPECT_EQ(std::string(e.what()),
                device->name() + ": cannot allocate 1152921504606846976 bytes");
    }
  }
}

TEST(Device, LanesAndFences) {
  for (const auto& device : devices()) {
    Stream &a = device->stream(0), &b = device->stream(2);
    EXPECT_EQ(&a, &device->stream(0));
    EXPECT_EQ(a.gpu, device->gpu());
    device->join(b, a);
    const auto fence = device->fence(b);
    fence->wait();
    EXPECT_TRUE(fence->done());
  }
}

struct Handle {
  explicit Handle(Device& d) : device(&d) { ++made; }
  Device* device;
  static inline int made = 0;
};

TEST(Device, ASlotIsMadeOnce) {
  const auto device = open_device("cpu");
  EXPECT_EQ(&device->slot<Handle>(), &device->slot<Handle>());
  EXPECT_EQ(device->slot<Handle>().device, device.get());
  EXPECT_EQ(Handle::made, 1);
}

TEST(LiveMemory, KnowsWhatChanged) {
  std::vector<unsigned char> bytes(20000, 1);
  LiveMemory memory;
  memory.add(bytes.data(), bytes.size());
  memory.save();
  EXPECT_FALSE(memory.difference());
  bytes[9000] = 2;
  EXPECT_EQ(memory.difference()->offset, 9000u);
  EXPECT_EQ(memory.difference()->allocation_bytes, 20000u);
  memory.swap();
  EXPECT_EQ(bytes[9000], 1);
  bytes[9000] = 2;
  EXPECT_FALSE(memory.difference());
  bytes[19999] = 3;
  EXPECT_EQ(memory.difference()->offset, 19999u);
  memory.remove(bytes.data());
}

TEST(LiveMemory, DeadBytesAreNanAndNotCompared) {
  alignas(8) unsigned char bytes[64] = {};
  LiveMemory memory;
  memory.add(bytes, 64);
  memory.poison(bytes + 16, 32);
  memory.poison(bytes + 24, 8);
  EXPECT_FALSE(memory.dead_write());
  memory.save();
  EXPECT_FALSE(memory.difference());
  if (!LATENT_ASAN) {
    bytes[47] = 5;
    EXPECT_FALSE(memory.difference());
    EXPECT_EQ(memory.dead_write()->offset, 47u);
    bytes[47] = 0xFF;
  }
  memory.unpoison(bytes + 20, 20);
  EXPECT_EQ(bytes[20], 0xFF);
  EXPECT_EQ(bytes[39], 0xFF);
  memory.unpoison(bytes, 64);
  memory.save();
  bytes[40] = 9;
  EXPECT_EQ(memory.difference()->offset, 40u);
  EXPECT_FALSE(memory.dead_write());
  EXPECT_THROW(memory.poison(bytes + 60, 5), std::logic_error);
  memory.remove(bytes);
}

}  // namespace
}  // namespace latent
