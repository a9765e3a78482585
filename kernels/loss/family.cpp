#include "kernels/loss/family.h"

#include <vector>

namespace latent {
namespace {

std::vector<FindLoss>& finders() {
  static std::vector<FindLoss> all;
  return all;
}

}  // namespace

void register_loss(FindLoss find) { finders().push_back(find); }

std::optional<LossOps> loss_ops(const AnyOp& forward) {
  for (const FindLoss find : finders())
    if (auto ops = find(forward)) return ops;
  return std::nullopt;
}

LossRows loss_rows(std::string_view op, Types in, const Type& o, const Type& x, const Type* weight,
                   int64_t values) {
  Shape row = x.shape;
  if (values > 1) row.push_back(values);
  if (x.rank() == 0 || o.rank() != static_cast<int>(row.size()) || o.dtype != x.dtype ||
      !std::equal(row.begin() + 1, row.end(), o.shape.begin() + 1))
    throw op_error(op,
                   values > 1 ? cat("the prediction must be [rows, X..., ", values,
                                    "], the target [rows, X...]")
                              : "prediction and target must be alike, [rows, ...]",
                   in);
  const int64_t targets = row.front(), rows = o.shape.front();
  if (rows != targets && (targets == 0 || rows % targets != 0))
    throw op_error(op, "the prediction must have a multiple of the target's rows", in);
  if (weight && *weight != x) throw op_error(op, "the weight must be alike the target", in);
  LossRows l{.rows = rows, .samples = targets ? rows / targets : 1, .weighted = weight != nullptr};
  l.cols = targets ? x.elements() / targets : 0;
  return l;
}

}  // namespace latent
