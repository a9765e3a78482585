// One op on host tensors, on any device.
#pragma once

#include <vector>

#include "core/device/device.h"
#include "core/graph/op.h"
#include "core/tensor/host_tensor.h"

namespace latent {

inline std::vector<HostTensor> run_op(const AnyOp& op, const std::vector<HostTensor>& in,
                                      Device& device) {
  Signature s;
  std::vector<void*> memory;
  const auto allocate = [&](const Type& type) {
    memory.push_back(device.allocate(std::max<size_t>(1, type.bytes())));
    return memory.back();
  };
  std::vector<const void*> inputs;
  for (const HostTensor& t : in) {
    s.in.push_back(t.type);
    inputs.push_back(allocate(t.type));
    device.upload(memory.back(), t.bytes.data(), t.bytes.size());
  }
  s.out = op.infer(s.in);
  std::vector<void*> outputs;
  for (const Type& type : s.out) outputs.push_back(allocate(type));
  const Kernel kernel = op.prepare(s, device);
  void* workspace = nullptr;
  if (kernel.workspace > 0) workspace = memory.emplace_back(device.allocate(kernel.workspace));
  kernel.run({.in = inputs, .out = outputs, .workspace = workspace, .stream = device.stream()});
  device.synchronize();
  std::vector<HostTensor> result;
  for (size_t i = 0; i < s.out.size(); ++i) {
    HostTensor& t = result.emplace_back(s.out[i]);
    device.download(t.bytes.data(), outputs[i], t.bytes.size());
  }
  for (void* p : memory) device.release(p);
  return result;
}

inline std::vector<HostTensor> run_op(const AnyOp& op, const std::vector<HostTensor>& in) {
  return run_op(op, in, *open_device("cpu"));
}

/// A tensor of shape [1].
template <class T>
HostTensor one(T value) {
  return host_tensor<T>({1}, std::vector<T>{value});
}

}  // namespace latent
