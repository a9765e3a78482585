// Device memory of variables, by name. Graphs (training, evaluation, encoding) share it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/device/device.h"
#include "core/graph/graph.h"

namespace latent {

class Store {
 public:
  explicit Store(std::shared_ptr<Device> device) : device_(std::move(device)) {}
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// Makes and initialises what the graph names and the store lacks. The first graph that names a
  /// group fixes its layout: throws GraphError when a later one has other members, types or shapes.
  void declare(const Graph& graph);

  bool has(const std::string& name) const { return slots_.contains(name); }
  const Variable& variable(const std::string& name) const { return slot(name).spec; }
  /// Names in the order declared.
  const std::vector<std::string>& names() const { return order_; }
  std::vector<std::string> names(Role role) const;

  void* address(const std::string& name) const { return slot(name).address; }
  void* flat_address(const std::string& group) const;

  HostTensor read(const std::string& name) const;
  /// Throws GraphError when the type differs.
  void write(const std::string& name, const HostTensor& value);

  Device& device() const { return *device_; }
  std::shared_ptr<Device> shared_device() const { return device_; }

 private:
  struct Slot {
    Variable spec;
    void* address = nullptr;
  };
  struct Flat {
    FlatLayout layout;
    void* address = nullptr;
  };
  const Slot& slot(const std::string& name) const;
  void declare_group(const Graph& graph, const std::string& group);
  void* zeroed(size_t bytes);

  std::shared_ptr<Device> device_;
  std::map<std::string, Slot> slots_;
  std::map<std::string, Flat> flats_;
  std::vector<std::string> order_;
  std::vector<void*> owned_;
};

}  // namespace latent
