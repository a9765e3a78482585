// Element types of arrays: what files hold, what a data set keeps, and their values as f32.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/tensor/host_tensor.h"

namespace latent {

/// Values of any element type as f32, to nearest.
HostTensor to_f32(const HostTensor& tensor);
/// Elements [first, first + out.size()) of it.
void to_f32(const HostTensor& tensor, int64_t first, std::span<float> out);

/// The form in which a data set keeps rows: u8, f16, bf16 and f32 stay, i32, u64 and f64 become f32.
HostTensor as_stored(HostTensor rows);

/// Integers of one type, little endian, as i32 where all of them fit, else as f64. `bytes` may be unaligned.
template <class T>
HostTensor integers(Shape shape, std::span<const std::byte> bytes);

/// The values of a vector of labels as text; whole numbers without a point.
std::vector<std::string> label_texts(const HostTensor& labels);
std::string label_text(double label);

}  // namespace latent
