#include "models/file_layout.h"

#include <algorithm>

#include "models/build.h"

namespace latent {
namespace {

/// The type in memory of what becomes one tensor of the file.
Type piece_type(const Parameter& p) {
  Type type = p.type;
  if (!p.file.names.empty()) type.shape[0] /= static_cast<int64_t>(p.file.names.size());
  return type;
}

Shape view_of(const Parameter& p) {
  return p.file.view.empty() ? piece_type(p).shape : p.file.view;
}

/// Copies between `view` order and permuted order: to[permuted index] = from[index], or the other way.
void permute(const Shape& view, const std::vector<int>& order, size_t size, const std::byte* from,
             std::byte* to, bool back) {
  const size_t rank = view.size();
  std::vector<int64_t> stride(rank, 1), index(rank, 0);
  for (size_t axis = rank - 1; axis-- > 0;) stride[axis] = stride[axis + 1] * view[axis + 1];
  const int64_t n = elements(view);
  for (int64_t i = 0; i < n; ++i) {  // in permuted order
    int64_t at = 0;
    for (size_t axis = 0; axis < rank; ++axis) at += index[axis] * stride[order[axis]];
    std::copy_n(from + (back ? i : at) * size, size, to + (back ? at : i) * size);
    for (size_t axis = rank; axis-- > 0;) {
      if (++index[axis] < view[order[axis]]) break;
      index[axis] = 0;
    }
  }
}

}  // namespace

std::vector<std::pair<std::string, Type>> file_tensors(const Parameter& p) {
  Type type = piece_type(p);
  if (!p.file.shape.empty()) {
    type.shape = p.file.shape;
  } else if (!p.file.order.empty()) {
    const Shape view = view_of(p);
    type.shape.clear();
    for (const int axis : p.file.order) type.shape.push_back(view[axis]);
  }
  std::vector<std::pair<std::string, Type>> result;
  for (const std::string& name : p.file.names) result.emplace_back(name, type);
  if (result.empty()) result.emplace_back(p.name, type);
  return result;
}

std::vector<NamedTensor> to_file(const Parameter& p, const HostTensor& value) {
  std::vector<NamedTensor> result;
  const std::byte* from = value.bytes.data();
  for (const auto& [name, type] : file_tensors(p)) {
    HostTensor tensor(Type{value.type.dtype, type.shape});
    if (p.file.order.empty())
      std::copy_n(from, tensor.bytes.size(), tensor.bytes.data());
    else
      permute(view_of(p), p.file.order, size_of(value.type.dtype), from, tensor.bytes.data(),
              false);
    from += tensor.bytes.size();
    result.push_back({name, std::move(tensor)});
  }
  return result;
}

HostTensor from_file(const Parameter& p, const std::vector<const HostTensor*>& tensors) {
  HostTensor value(Type{tensors.front()->type.dtype, p.type.shape});
  std::byte* to = value.bytes.data();
  for (const HostTensor* tensor : tensors) {
    if (p.file.order.empty())
      std::copy_n(tensor->bytes.data(), tensor->bytes.size(), to);
    else
      permute(view_of(p), p.file.order, size_of(tensor->type.dtype), tensor->bytes.data(), to,
              true);
    to += tensor->bytes.size();
  }
  return value;
}

}  // namespace latent
