#include "core/config/dotted.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>

#include "core/base/spelling.h"
#include "core/config/choice.h"
#include "core/config/parse.h"
#include "core/config/resolve.h"
#include "core/config/schema.h"

namespace latent {
namespace {

using Kind = Domain::Kind;

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts;
  std::istringstream in(path);
  for (std::string part; std::getline(in, part, '.');) parts.push_back(part);
  return parts;
}

std::optional<size_t> as_index(const std::string& part) {
  size_t index = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
  if (error != std::errc() || end != part.data() + part.size()) return std::nullopt;
  return index;
}

bool holds_more(const Domain& domain) {
  return domain.kind == Kind::choice || domain.kind == Kind::list || domain.kind == Kind::tuple ||
         domain.kind == Kind::record || domain.kind == Kind::dictionary;
}

/// The alternative in which the path goes on: the one that the value has, else the first that holds anything.
const Domain* container(const Domain& domain, const Value& node) {
  if (domain.kind != Kind::any_of) return holds_more(domain) ? &domain : nullptr;
  for (const Domain& inner : domain.of)
    if (holds_more(inner) && fits(node, inner)) return &inner;
  for (const Domain& inner : domain.of)
    if (holds_more(inner)) return &inner;
  return nullptr;
}

/// Follows a path along tree and schema together, then sets what it names, or copies it.
class Walker {
 public:
  Walker(const std::string& path, Mark mark, const Value* given)
      : path_(path), parts_(split(path)), mark_(std::move(mark)), given_(given) {
    const bool empty = std::find(parts_.begin(), parts_.end(), "") != parts_.end();
    if (parts_.empty() || empty || path.back() == '.') throw fail("is no dotted path");
  }

  void run(Value& root) { at_keys(root, experiment_keys(), 0, {}); }

  std::string full_path() const { return join(full_, "."); }
  Value take() { return std::move(found_); }

 private:
  UserError fail(std::string_view message) const { return error_at(mark_, path_, message); }
  bool last(size_t i) const { return i == parts_.size(); }
  std::string walked() const { return join(full_, "."); }

  void end(Value& slot) {
    if (given_) {
      slot = *given_;
    } else {
      found_ = slot;
    }
  }

  /// `node` has `domain`; parts_[i] is the next step.
  void at_value(Value& node, const Domain& domain, size_t i) {
    if (last(i)) return end(node);
    const Domain* inner = container(domain, node);
    if (!inner) throw fail(cat("`", walked(), "` holds nothing by a name"));
    // A word in the place of a choice, as `none`, gives way to one.
    if (inner->kind == Kind::choice && inner != &domain && !fits(node, *inner) &&
        fits(node, domain))
      node = Value();
    switch (inner->kind) {
      case Kind::choice:
        return at_choice(node, *inner, i);
      case Kind::record:
        if (!node.is(Value::Kind::map)) node = Value::make_map(mark_);
        return at_keys(node, inner->keys, i, {});
      case Kind::dictionary:
        if (!node.is(Value::Kind::map)) node = Value::make_map(mark_);
        if (!node.find(parts_[i])) node.set(parts_[i], Value());
        full_.push_back(parts_[i]);
        return at_value(node.at(parts_[i]), inner->of[0], i + 1);
      default:
        return at_list(node, *inner, i);
    }
  }

  /// `others`: names that could have been meant besides the keys.
  void at_keys(Value& map, const std::vector<Option>& keys, size_t i,
               std::vector<std::string> others) {
    const auto option = std::find_if(keys.begin(), keys.end(),
                                     [&](const Option& o) { return o.name == parts_[i]; });
    if (option == keys.end()) {
      std::vector<std::string> names;
      for (const Option& o : keys) names.push_back(o.name);
      const std::string allowed = names.empty() ? "none" : join(names, ", ");
      others.insert(others.begin(), names.begin(), names.end());
      throw fail(cat("unknown key `", parts_[i], "`; allowed: ", allowed,
                     did_you_mean(parts_[i], others)));
    }
    Value* slot = map.find(option->name);
    if (!slot) {
      Value fallback =
          option->fallback ? parse_override_text(*option->fallback, mark_.source) : Value();
      fallback.set_mark(mark_);
      slot = &map.set(option->name, std::move(fallback));
    }
    full_.push_back(option->name);
    at_value(*slot, option->domain, i + 1);
  }

  void at_choice(Value& node, const Domain& domain, size_t i) {
    const Family family = domain.family;
    const bool named = find_choice(family, parts_[i]) != nullptr;
    if (named && last(i + 1)) return end_at_name(node, family, parts_[i]);
    if (node.is(Value::Kind::null)) {
      if (!named) throw fail(cat("`", walked(), "` is not set; set `", walked(), "` first"));
      node = Value::make_map(mark_);
      node.set(parts_[i], Value::make_map(mark_));
    }
    node = spell_out(family, node, walked());
    auto& entry = node.entries()[0];
    if (named && entry.key != parts_[i])
      throw fail(cat("`", walked(), "` is `", entry.key, "` here; set `", walked(), "=", parts_[i],
                     "` first"));
    full_.push_back(entry.key);
    at_keys(entry.value, options_of(family, *find_choice(family, entry.key)), i + (named ? 1 : 0),
            names_of(family));
  }

  /// The path ends at the name of a choice.
  void end_at_name(Value& node, Family family, const std::string& name) {
    const ChoiceSpec& spec = *find_choice(family, name);
    const std::string main = main_of(family, spec);
    const bool there = !node.is(Value::Kind::null);
    if (there) node = spell_out(family, node, walked());
    const bool same = there && node.entries()[0].key == name;
    full_.push_back(name);
    if (!given_) {
      if (!same) throw fail(cat("is `", node.entries()[0].key, "` here"));
      Value& options = node.entries()[0].value;
      return end(main.empty() ? options : options.at(main));
    }
    const bool keeps_others = same && !given_->is(Value::Kind::map) && !main.empty();
    if (!given_->is(Value::Kind::map) && !main.empty()) full_.push_back(main);
    if (keeps_others) {
      node.entries()[0].value.set(main, *given_);
    } else {
      node = Value::make_map(mark_);
      node.set(name, *given_);
    }
  }

  void at_list(Value& node, const Domain& domain, size_t i) {
    if (!node.is(Value::Kind::list)) throw fail(cat("`", walked(), "` is not a list"));
    auto& list = node.list();
    if (const auto index = as_index(parts_[i])) {
      if (*index >= list.size())
        throw fail(cat("`", walked(), "` has ", list.size(), " elements, counted from 0"));
      full_.push_back(parts_[i]);
      const bool tuple = domain.kind == Kind::tuple;
      return at_value(list[*index], domain.of[tuple ? *index : 0], i + 1);
    }
    const Domain& element = domain.of[0];
    if (element.kind != Kind::choice)
      throw fail(cat("`", walked(), "` is a list; its elements have numbers, counted from 0"));
    at_list_of_choices(list, element, i);
  }

  void at_list_of_choices(Value::List& list, const Domain& element, size_t i) {
    const std::string& part = parts_[i];
    std::vector<size_t> by_label, by_name;
    std::vector<std::string> known = names_of(element.family);
    for (size_t k = 0; k < list.size(); ++k) {
      const Value spelt = spell_out(element.family, list[k], cat(walked(), ".", k));
      const auto& [name, options, mark] = spelt.entries()[0];
      if (name == part) by_name.push_back(k);
      for (const char* key : {"label", "name"}) {
        const Value* label = options.find(key);
        if (!label || !label->is(Value::Kind::string)) continue;
        known.push_back(label->as_string());
        if (label->is(part)) by_label.push_back(k);
      }
    }
    const std::vector<size_t>& found = by_label.empty() ? by_name : by_label;
    if (found.size() > 1)
      throw fail(cat("`", walked(), "` has ", found.size(), " elements called `", part,
                     "`; say which by its number, counted from 0"));
    if (found.empty()) return append(list, element, i, known);
    full_.push_back(std::to_string(found[0]));
    Value& node = list[found[0]];
    if (by_label.empty()) return at_choice(node, element, i);
    const std::string name = spell_out(element.family, node, walked()).entries()[0].key;
    if (last(i + 1)) return end_at_name(node, element.family, name);
    at_choice(node, element, i + 1);
  }

  void append(Value::List& list, const Domain& element, size_t i,
              const std::vector<std::string>& known) {
    const std::string& part = parts_[i];
    if (!find_choice(element.family, part))
      throw fail(cat("`", walked(), "` has no `", part, "`", did_you_mean(part, known)));
    if (!given_ || !last(i + 1))
      throw fail(
          cat("`", walked(), "` has no `", part, "` yet; set `", walked(), ".", part, "` first"));
    full_.push_back(std::to_string(list.size()));
    list.emplace_back();
    end_at_name(list.back(), element.family, part);
  }

  const std::string& path_;
  std::vector<std::string> parts_;
  Mark mark_;
  const Value* given_;  ///< what is set; nullptr where the path is read
  std::vector<std::string> full_;
  Value found_;
};

}  // namespace

std::string set_path(Value& root, const std::string& path, Value value, const Mark& mark) {
  Walker walker(path, mark, &value);
  walker.run(root);
  return walker.full_path();
}

Override read_override(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == text.npos || equals == 0)
    throw UserError(cat("--set ", text, ": allowed: --set key=value, as train.epochs=5"));
  const std::string path = text.substr(0, equals);
  return {path, parse_override_text(text.substr(equals + 1), "--set " + path)};
}

std::string set_path(Value& root, const std::string& assignment) {
  const Override given = read_override(assignment);
  return set_path(root, given.path, given.value, {"--set " + given.path});
}

Value get_path(const Value& root, const std::string& path) {
  Value copy = root;
  Walker walker(path, {}, nullptr);
  walker.run(copy);
  return walker.take();
}

}  // namespace latent
