#include "core/plan/plan.h"

#include <algorithm>
#include <map>
#include <set>

namespace latent {
namespace {

using Key = std::pair<int, int>;  // (node, output)

size_t aligned(size_t bytes) {
  return (std::max<size_t>(bytes, 1) + kBlockAlign - 1) / kBlockAlign * kBlockAlign;
}

class Planner {
 public:
  Planner(const Graph& graph, Device& device, const PlanOptions& options)
      : graph_(graph), device_(device), options_(options) {}

  Plan make() {
    find_live();
    find_uses();
    place_packed();
    for (int id : constants_) add_constant(id);
    for (int at = 0; at < static_cast<int>(live_.size()); ++at) add_step(at);
    add_outputs();
    add_copies();
    for (auto& [root, location] : where_)
      if (location.block >= 0) {
        ArenaBlock& block = plan_.blocks[location.block];
        block.last = std::max(block.last, last_use_.at(root));
      }
    lay_out();
    return std::move(plan_);
  }

 private:
  const Node& node(int id) const { return graph_.nodes()[id]; }

  /// The tensor whose memory v is: through views.
  Key root(Var v) const {
    while (!node(v.node).leaf() && node(v.node).op.is_view()) v = node(v.node).inputs[0];
    return {v.node, v.output};
  }

  void find_live() {
    std::set<int> seen;
    std::vector<int> todo;
    for (const Assignment& a : graph_.assignments()) todo.push_back(a.value.node);
    for (const auto& [name, v] : graph_.outputs()) todo.push_back(v.node);
    while (!todo.empty()) {
      const int id = todo.back();
      todo.pop_back();
      if (!seen.insert(id).second) continue;
      for (const Var& in : node(id).inputs) todo.push_back(in.node);
    }
    std::set<int> packed;  // their memory is a part of what changes
    for (int id : seen)
      if (!node(id).leaf() && !node(id).op.packs(signature(id)).empty())
        for (const Var& in : node(id).inputs) packed.insert(root(in).first);
    std::set<int> constant;
    for (int id : seen) {
      if (node(id).leaf()) continue;
      const bool fixed =
          !packed.contains(id) && std::ranges::all_of(node(id).inputs, [&](const Var& in) {
            return constant.contains(in.node);
          });
      if (fixed) constant.insert(id);
      (fixed ? constants_ : live_).push_back(id);
    }
  }

  /// The memory that a leaf shares with others: its group's, or its own.
  std::string storage(const Location& leaf) const {
    if (!leaf.group.empty()) return "group " + leaf.group;
    const std::string& group = graph_.variables().at(leaf.variable).group;
    return group.empty() ? leaf.variable : "group " + group;
  }
  std::string storage(int leaf) const { return storage(where({nullptr, leaf, 0})); }

  void use(Var v, int at) {
    const Key r = root(v);
    auto [slot, fresh] = last_use_.try_emplace(r, at);
    slot->second = std::max(slot->second, at);
    if (node(r.first).leaf()) {
      int& last = last_read_[storage(r.first)];
      last = std::max(last, at);
    }
  }

  void find_uses() {
    const int end = static_cast<int>(live_.size());
    for (int id : constants_)
      for (int o = 0; o < static_cast<int>(node(id).types.size()); ++o)
        last_use_.try_emplace(Key{id, o}, 0);
    for (int at = 0; at < end; ++at) {
      for (const Var& in : node(live_[at]).inputs) use(in, at);
      for (int o = 0; o < static_cast<int>(node(live_[at]).types.size()); ++o)
        last_use_.try_emplace(Key{live_[at], o}, at);
    }
    for (const auto& [name, v] : graph_.outputs()) use(v, end), kept_.insert(root(v));
    for (const Assignment& a : graph_.assignments()) use(a.value, end);
  }

  /// Inputs of a packing op are produced where the packed buffer wants them.
  void place_packed() {
    for (int id : live_) {
      const std::vector<size_t> offsets = node(id).op.packs(signature(id));
      if (offsets.empty()) continue;
      const int block = new_persistent(node(id).types[0].bytes());
      where_[{id, 0}] = {.variable = {}, .group = {}, .block = block, .offset = 0};
      for (size_t i = 0; i < offsets.size(); ++i) {
        const Key r = root(node(id).inputs[i]);
        if (node(r.first).leaf() || where_.contains(r) || kept_.contains(r)) continue;
        where_[r] = {.variable = {}, .group = {}, .block = block, .offset = offsets[i]};
        pinned_.insert(r);
      }
    }
  }

  Signature signature(int id) const {
    Signature s;
    for (const Var& in : node(id).inputs) s.in.push_back(in.type());
    s.out = node(id).types;
    return s;
  }

  int new_block(size_t bytes, int first) {
    plan_.blocks.push_back({.bytes = bytes, .first = first, .last = first});
    return static_cast<int>(plan_.blocks.size()) - 1;
  }

  Location where(Var v) const {
    const Key r = root(v);
    const Node& n = node(r.first);
    if (n.leaf()) return {.variable = n.variable, .group = n.flat};
    return where_.at(r);
  }

  bool assigned(Key leaf, Key value) const {
    return std::ranges::any_of(graph_.assignments(), [&](const Assignment& a) {
      return Key{a.leaf.node, a.leaf.output} == leaf && Key{a.value.node, a.value.output} == value;
    });
  }

  /// Does `value` end in the leaf's memory: assigned to it, or read by one step alone that turns it,
  /// in place, into what does?
  bool ends_in(Key leaf, Key value) const {
    if (assigned(leaf, value)) return true;
    const int at = last_use_.at(value);
    if (at >= static_cast<int>(live_.size()) || kept_.contains(value)) return false;
    const auto reads = [&](const Var& v) { return root(v) == value; };
    if (std::ranges::count_if(
            live_, [&](int id) { return std::ranges::any_of(node(id).inputs, reads); }) != 1)
      return false;
    const Node& next = node(live_[at]);
    if (next.op.is_view() || std::ranges::count_if(next.inputs, reads) != 1) return false;
    for (int o = 0; o < static_cast<int>(next.types.size()); ++o) {
      const int i = next.op.overwrites(o);
      if (i >= 0 && reads(next.inputs[i]) && next.inputs[i].type() == next.types[o] &&
          ends_in(leaf, {live_[at], o}))
        return true;
    }
    return false;
  }

  /// May output o of the step at `at` take the memory of its input i?
  bool in_place(int at, int o, int i) const {
    const int id = live_[at];
    const Key r = root(node(id).inputs[i]);
    if (node(id).inputs[i].type().bytes() != node(id).types[o].bytes()) return false;
    const auto shares = [&](const Var& v) { return root(v) == r; };
    if (std::ranges::count_if(node(id).inputs, shares) != 1) return false;
    if (node(r.first).leaf()) return ends_in(r, {id, o}) && last_read_.at(storage(r.first)) == at;
    if (last_use_.at(r) != at || kept_.contains(r) || pinned_.contains(r)) return false;
    const Location& l = where_.at(r);
    if (l.block < 0) return true;  // already in the memory of the variable that the output becomes
    return options_.reuse && !plan_.blocks[l.block].persistent && l.offset == 0;
  }

  Location place(int at, int o) {
    const Key key{live_[at], o};
    if (auto found = where_.find(key); found != where_.end()) return found->second;
    const Node& n = node(live_[at]);
    const int i = n.op.overwrites(o);
    if (i >= 0 && in_place(at, o, i)) return where(n.inputs[i]);
    return {.variable = {}, .group = {}, .block = new_block(n.types[o].bytes(), at), .offset = 0};
  }

  int new_persistent(size_t bytes) {
    const int block = new_block(bytes, 0);
    plan_.blocks[block].persistent = true;
    return block;
  }

  void add_constant(int id) {
    const Node& n = node(id);
    if (n.op.is_view()) return;
    Step step;
    step.node = id;
    step.signature = signature(id);
    for (const Var& in : n.inputs) step.in.push_back(where(in));
    for (int o = 0; o < static_cast<int>(n.types.size()); ++o) {
      const Location l{.variable = {}, .group = {}, .block = new_persistent(n.types[o].bytes())};
      where_[{id, o}] = l;
      step.out.push_back(l);
    }
    step.cost = n.op.cost(step.signature);
    if (options_.prepare) {
      step.kernel = n.op.prepare(step.signature, device_);
      if (step.kernel.workspace > 0) step.workspace = new_persistent(step.kernel.workspace);
    }
    plan_.constants.push_back(std::move(step));
  }

  void add_step(int at) {
    const Node& n = node(live_[at]);
    if (n.op.is_view()) {
      Step step{.node = live_[at],
                .signature = signature(live_[at]),
                .kernel = {},
                .cost = {0, 0, 0},
                .in = {where(n.inputs[0])},
                .out = {where(n.inputs[0])}};
      plan_.steps.push_back(std::move(step));
      return;
    }
    Step step;
    step.node = live_[at];
    step.signature = signature(step.node);
    for (const Var& in : n.inputs) step.in.push_back(where(in));
    for (int o = 0; o < static_cast<int>(n.types.size()); ++o) {
      const Location l = place(at, o);
      where_[{step.node, o}] = l;
      step.out.push_back(l);
    }
    step.cost = n.op.cost(step.signature);
    const std::vector<size_t> packs = n.op.packs(step.signature);
    if (!packs.empty()) {
      step.cost = {};
      step.cost.launches = 0;
      for (size_t i = 0; i < packs.size(); ++i) {
        if (step.in[i] == Location{{}, {}, step.out[0].block, packs[i]}) continue;
        step.cost.launches += 1;
        step.cost.bytes += 2.0 * step.signature.in[i].bytes();
      }
    }
    if (options_.prepare) {
      step.kernel = n.op.prepare(step.signature, device_);
      if (step.kernel.workspace > 0) step.workspace = new_block(step.kernel.workspace, at);
    }
    plan_.steps.push_back(std::move(step));
  }

  /// A variable that this step changes is read out as it was before.
  void add_outputs() {
    for (const auto& [name, v] : graph_.outputs()) {
      Location place = where(v);
      const auto changes = [&](const Assignment& a) { return overlap(where(a.leaf), place); };
      if (node(root(v).first).leaf() && std::ranges::any_of(graph_.assignments(), changes)) {
        const size_t bytes = v.type().bytes();
        const Location kept{.variable = {}, .group = {}, .block = new_persistent(bytes)};
        plan_.copies.push_back({place, kept, bytes});
        place = kept;
      }
      plan_.outputs.emplace_back(name, place);
    }
  }

  void add_copies() {
    for (const Assignment& a : graph_.assignments())
      if (where(a.leaf) != where(a.value))
        plan_.copies.push_back({where(a.value), where(a.leaf), a.leaf.type().bytes()});
    // Old values leave before anything is written over them.
    std::vector<Copy> left = std::move(plan_.copies);
    plan_.copies.clear();
    while (!left.empty()) {
      const auto waits = [&](const Copy& c) {
        return std::ranges::any_of(
            left, [&](const Copy& other) { return &other != &c && overlap(other.from, c.to); });
      };
      const auto next = std::ranges::find_if_not(left, waits);
      if (next == left.end())
        throw GraphError("assign: variables are exchanged in one step, which needs a copy of one");
      plan_.copies.push_back(*next);
      left.erase(next);
    }
  }

  /// Do two places, of variables or blocks, have memory in common?
  bool overlap(const Location& a, const Location& b) const {
    if (a.block >= 0 || b.block >= 0 || (a.group.empty() && b.group.empty())) return a == b;
    return storage(a) == storage(b);
  }

  /// Largest first; each at the lowest offset that is free over its whole life.
  void lay_out() {
    std::vector<int> order;
    for (int b = 0; b < static_cast<int>(plan_.blocks.size()); ++b) {
      if (plan_.blocks[b].persistent)
        plan_.persistent_bytes += aligned(plan_.blocks[b].bytes);
      else
        order.push_back(b);
    }
    std::ranges::stable_sort(
        order, [&](int a, int b) { return plan_.blocks[a].bytes > plan_.blocks[b].bytes; });
    std::vector<int> placed;
    for (int b : order) {
      ArenaBlock& block = plan_.blocks[b];
      const size_t bytes = aligned(block.bytes) + options_.red_zone;
      plan_.arena_bytes_without_reuse += bytes;
      size_t offset = 0;
      if (options_.reuse) {
        std::vector<std::pair<size_t, size_t>> taken;  // [begin, end) of blocks alive together
        for (int p : placed) {
          const ArenaBlock& other = plan_.blocks[p];
          if (other.first <= block.last && block.first <= other.last)
            taken.emplace_back(other.offset,
                               other.offset + aligned(other.bytes) + options_.red_zone);
        }
        std::ranges::sort(taken);
        for (const auto& [begin, end] : taken) {
          if (offset + bytes <= begin) break;
          offset = std::max(offset, end);
        }
      } else {
        offset = plan_.arena_bytes;
      }
      block.offset = offset;
      plan_.arena_bytes = std::max(plan_.arena_bytes, offset + bytes);
      placed.push_back(b);
    }
  }

  const Graph& graph_;
  Device& device_;
  PlanOptions options_;
  Plan plan_;
  std::vector<int> constants_;            ///< ids of op nodes that depend on no variable
  std::vector<int> live_;                 ///< ids of the other op nodes, ascending
  std::map<Key, int> last_use_;           ///< by root
  std::map<std::string, int> last_read_;  ///< by storage of leaves
  std::map<Key, Location> where_;         ///< by root
  std::set<Key> kept_, pinned_;
};

}  // namespace

Cost Plan::total() const {
  Cost sum{0, 0, 0};
  for (const Step& s : steps) {
    sum.flops += s.cost.flops;
    sum.bytes += s.cost.bytes;
    sum.launches += s.cost.launches;
  }
  for (const Copy& c : copies) {
    sum.bytes += 2.0 * static_cast<double>(c.bytes);
    sum.launches += 1;
  }
  return sum;
}

Plan make_plan(const Graph& graph, Device& device, const PlanOptions& options) {
  return Planner(graph, device, options).make();
}

}  // namespace latent
