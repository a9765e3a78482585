#include "bench/op_run.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "core/tensor/host_tensor.h"

namespace latent {
namespace {

template <class T>
void fill(HostTensor& t, Sample::Range range, std::mt19937_64& engine) {
  for (T& v : t.as<T>()) {
    const double unit = static_cast<double>(engine() >> 11) * 0x1p-53;
    if constexpr (std::is_floating_point_v<T>)
      v = static_cast<T>(range.lo + (range.hi - range.lo) * unit);
    else
      v = static_cast<T>(range.lo + (range.hi - range.lo + 1) * unit);
  }
}

/// f16 and bf16: bits of finite, positive numbers that are not denormal.
void fill_halves(HostTensor& t, std::mt19937_64& engine) {
  for (size_t i = 0; i + 1 < t.bytes.size(); i += 2) {
    const auto bits = static_cast<uint16_t>(0x3000 | (engine() & 0x0fff));
    std::memcpy(t.bytes.data() + i, &bits, sizeof(bits));
  }
}

HostTensor drawn(const Type& type, Sample::Range range, std::mt19937_64& engine) {
  HostTensor t(type);
  switch (type.dtype) {
    case DType::f32:
      fill<float>(t, range, engine);
      break;
    case DType::f64:
      fill<double>(t, range, engine);
      break;
    case DType::u8:
      fill<uint8_t>(t, range, engine);
      break;
    case DType::i32:
      fill<int32_t>(t, range, engine);
      break;
    case DType::u64:
      fill<uint64_t>(t, range, engine);
      break;
    case DType::bf16:
    case DType::f16:
      fill_halves(t, engine);
      break;
  }
  return t;
}

Sample::Range default_range(DType dtype) {
  if (dtype == DType::f32 || dtype == DType::f64) return {-1, 1};
  return dtype == DType::u8 ? Sample::Range{0, 255} : Sample::Range{0, 3};
}

}  // namespace

OpRun::OpRun(const Sample& sample, Device& device) : device_(device) {
  signature_.in = sample.in;
  signature_.out = sample.op.infer(sample.in);
  draw(sample);
  place(sample.op);
  cost_ = sample.op.cost(signature_);
  kernel_ = sample.op.prepare(signature_, device);
  if (kernel_.workspace > 0) workspace_ = allocate(kernel_.workspace);
}

OpRun::~OpRun() {
  device_.synchronize();
  for (void* p : owned_) device_.release(p);
}

void* OpRun::allocate(size_t bytes) {
  return owned_.emplace_back(device_.allocate(std::max<size_t>(1, bytes)));
}

void OpRun::draw(const Sample& sample) {
  std::mt19937_64 engine(0);
  for (size_t i = 0; i < sample.in.size(); ++i) {
    const Type& type = sample.in[i];
    const HostTensor t =
        drawn(type, i < sample.range.size() ? sample.range[i] : default_range(type.dtype), engine);
    void* const memory = allocate(t.bytes.size());
    device_.upload(memory, t.bytes.data(), t.bytes.size());
    in_.push_back(memory);
  }
}

void OpRun::place(const AnyOp& op) {
  std::vector<bool> taken(in_.size());
  for (size_t o = 0; o < signature_.out.size(); ++o) {
    const size_t bytes = signature_.out[o].bytes();
    const int i = op.overwrites(static_cast<int>(o));
    if (i < 0 || taken[i] || signature_.in[i].bytes() != bytes) {
      out_.push_back(allocate(bytes));
      continue;
    }
    taken[i] = true;
    out_.push_back(const_cast<void*>(in_[i]));
    overwritten_.push_back({out_.back(), allocate(bytes), bytes});
    device_.copy(device_.stream(), overwritten_.back().original, out_.back(), bytes);
  }
}

void OpRun::restore() {
  for (const Overwritten& o : overwritten_)
    device_.copy(device_.stream(), o.memory, o.original, o.bytes);
}

void OpRun::run() {
  kernel_.run({.in = in_, .out = out_, .workspace = workspace_, .stream = device_.stream()});
}

}  // namespace latent
