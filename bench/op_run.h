// One op on a device with drawn inputs, ready to be timed.
#pragma once

#include <memory>
#include <vector>

#include "core/device/device.h"
#include "core/graph/samples.h"

namespace latent {

class OpRun {
 public:
  /// For ops with a kernel: not for views. Inputs are drawn from the sample's ranges. An output takes the memory of an input where the op allows it, as in a
  /// planned graph.
  OpRun(const Sample& sample, Device& device);
  ~OpRun();
  OpRun(const OpRun&) = delete;

  /// Brings back the inputs that run() overwrote.
  void restore();
  void run();
  Cost cost() const { return cost_; }

 private:
  struct Overwritten {
    void* memory;
    void* original;
    size_t bytes;
  };
  void* allocate(size_t bytes);
  void draw(const Sample& sample);
  void place(const AnyOp& op);

  Device& device_;
  Signature signature_;
  Kernel kernel_;
  Cost cost_;
  std::vector<void*> owned_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
  std::vector<Overwritten> overwritten_;
  void* workspace_ = nullptr;
};

}  // namespace latent
