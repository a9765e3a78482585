// Dotted paths: how --set, sweeps and tables name a place in an experiment.
//   data.path                     a key
//   model.encoder.0.units         an element of a list by its index, its `name` or `label`, or its choice's name
//   train.optimizer.lr            a choice's name may be left out: train.optimizer.adam.lr
//   model.bottleneck.dense = 16   a value at a choice's name is its MAIN; another choice is replaced by this one
//   model.penalties.l1 = 1e-4     in a list of choices the one of that name, appended where there is none
#pragma once

#include <string>

#include "core/config/value.h"

namespace latent {

/// Sets a place of an unresolved tree (extends spelt out, defaults absent); keys on the way are made with their
/// defaults. Returns the path in full, with indices and options' names ("model.penalties.0.l1.weight").
/// `mark` is where the path was written. Throws UserError on a path that the schema does not know.
std::string set_path(Value& root, const std::string& path, Value value, const Mark& mark);

/// "a.b=c", the text of --set, where c is YAML. The mark is "--set a.b".
struct Override {
  std::string path;
  Value value;
};
Override read_override(const std::string& text);
/// The same in one: `assignment` is "a.b=c".
std::string set_path(Value& root, const std::string& assignment);

/// What a path names in a resolved tree; of a choice's name: its MAIN. Throws UserError.
Value get_path(const Value& root, const std::string& path);

}  // namespace latent
