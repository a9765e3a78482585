#include "core/plan/store.h"

#include <algorithm>

namespace latent {

Store::~Store() {
  for (void* p : owned_) device_->release(p);
}

void* Store::zeroed(size_t bytes) {
  bytes = std::max<size_t>(bytes, 1);
  void* p = device_->allocate(bytes);
  owned_.push_back(p);
  const std::vector<std::byte> zeros(bytes);
  device_->upload(p, zeros.data(), bytes);
  return p;
}

void Store::declare_group(const Graph& graph, const std::string& group) {
  const FlatLayout layout = graph.layout(group);
  if (flats_.contains(group)) return;
  Flat& flat = flats_[group];
  flat.layout = layout;
  flat.address = zeroed(static_cast<size_t>(layout.size) * size_of(layout.dtype));
}

void Store::declare(const Graph& graph) {
  for (const std::string& name : graph.variable_order()) {
    const Variable& spec = graph.variables().at(name);
    if (auto found = slots_.find(name); found != slots_.end()) {
      if (found->second.spec.type != spec.type)
        throw GraphError(cat("variable ", name, ": the store has ",
                             to_string(found->second.spec.type), ", the graph ",
                             to_string(spec.type)));
      continue;
    }
    Slot made{spec, nullptr};
    if (spec.group.empty()) {
      made.address = zeroed(spec.type.bytes());
    } else {
      declare_group(graph, spec.group);
      const Flat& flat = flats_.at(spec.group);
      const auto at = std::ranges::find(flat.layout.names, name);
      if (at == flat.layout.names.end())
        throw GraphError(cat("variable ", name, ": group '", spec.group,
                             "' was laid out without it by an earlier graph"));
      const int64_t offset = flat.layout.offsets[at - flat.layout.names.begin()];
      made.address = static_cast<std::byte*>(flat.address) + offset * size_of(spec.type.dtype);
    }
    slots_[name] = made;
    order_.push_back(name);
    if (spec.init) {
      HostTensor value(spec.type);
      spec.init(value);
      write(name, value);
    }
  }
}

const Store::Slot& Store::slot(const std::string& name) const {
  auto found = slots_.find(name);
  if (found == slots_.end()) throw GraphError(cat("the store has no variable ", name));
  return found->second;
}

std::vector<std::string> Store::names(Role role) const {
  std::vector<std::string> result;
  std::ranges::copy_if(order_, std::back_inserter(result),
                       [&](const std::string& n) { return slots_.at(n).spec.role == role; });
  return result;
}

void* Store::flat_address(const std::string& group) const {
  auto found = flats_.find(group);
  if (found == flats_.end()) throw GraphError(cat("the store has no group ", group));
  return found->second.address;
}

HostTensor Store::read(const std::string& name) const {
  const Slot& s = slot(name);
  HostTensor value(s.spec.type);
  device_->synchronize();
  device_->download(value.bytes.data(), s.address, value.bytes.size());
  return value;
}

void Store::write(const std::string& name, const HostTensor& value) {
  const Slot& s = slot(name);
  if (value.type != s.spec.type)
    throw GraphError(cat("variable ", name, ": is ", to_string(s.spec.type), ", written with ",
                         to_string(value.type)));
  device_->synchronize();
  device_->upload(s.address, value.bytes.data(), value.bytes.size());
}

}  // namespace latent
