// How parameters stand in weights files, where that is not as they lie in memory: PyTorch's names and layouts.
#pragma once

#include <string>
#include <vector>

#include "core/io/safetensors.h"

namespace latent {

/// From memory to the file: cut along the first axis into a tensor for each name, seen with the axes of `view`, these
/// permuted by `order`, then shaped as `shape`. What is empty changes nothing.
struct FileLayout {
  std::vector<std::string>
      names;               ///< of several tensors of equal size; empty: one, the parameter's
  Shape view;              ///< [out, height, width, channels] of a dense weight behind a map
  std::vector<int> order;  ///< axis of the view for each axis in the file: [0, 3, 1, 2]
  Shape shape;             ///< in the file: [out, channels * height * width]
};

struct Parameter;

/// Names and types in the file, in order.
std::vector<std::pair<std::string, Type>> file_tensors(const Parameter& parameter);
/// The parameter's value as it stands in the file.
std::vector<NamedTensor> to_file(const Parameter& parameter, const HostTensor& value);
/// The value in memory, from the tensors of file_tensors, in order.
HostTensor from_file(const Parameter& parameter, const std::vector<const HostTensor*>& tensors);

}  // namespace latent
