#include "experiments/evaluation.h"

#include <algorithm>
#include <map>

#include "core/data/moments.h"

namespace latent {
namespace {

std::map<std::string, EvaluationPart>& parts() {
  static std::map<std::string, EvaluationPart> parts;
  return parts;
}

HostTensor scaled(const StoredRows& rows, const HostTensor& shift, const HostTensor& scale) {
  HostTensor out(Type{DType::f32, rows.type().shape});
  std::ranges::copy(scaled_rows(rows, 0, rows.count(), shift, scale), out.as<float>().begin());
  return out;
}

}  // namespace

RegisterEvaluation::RegisterEvaluation(ChoiceSpec spec, EvaluationPart part) {
  parts()[spec.name] = std::move(part);
  RegisterChoice(Family::evaluation, std::move(spec));
}

const EvaluationPart* find_evaluation(const std::string& name) {
  const auto found = parts().find(name);
  return found == parts().end() ? nullptr : &found->second;
}

RowReader reader_of(const Experiment& e, const std::string& split) {
  return {split_of(e.data, split), e.data.shift, e.data.scale};
}

HostTensor scaled_split(const Experiment& e, const std::string& split) {
  return scaled(split_of(e.data, split), e.data.shift, e.data.scale);
}

HostTensor scaled_targets(const Experiment& e, const std::string& split) {
  if (!e.data.targets) return scaled_split(e, split);
  return scaled(targets_of(e.data, split), e.data.targets->shift, e.data.targets->scale);
}

HostTensor corrupted(const Experiment& e, const Value& corruption, const HostTensor& rows,
                     std::shared_ptr<Device> device) {
  if (!has_corruption(corruption)) return rows;
  Store store(std::move(device));
  Program program(corruption_graph(corruption, split_source(e, "train"), rows.type.shape), store);
  store.write(names::kSeed, host_tensor<uint64_t>({1}, std::vector<uint64_t>{e.seed}));
  store.write("corruption.input", rows);
  program.run();
  return program.output("result");
}

}  // namespace latent
