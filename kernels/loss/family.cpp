#include "kernels/loss/family.h"

#include <list>

namespace latent {
namespace {

std::list<LossFamily>& families() {
  static std::list<LossFamily> all;
  return all;
}

}  // namespace

void register_loss(LossFamily family) { families().push_back(std::move(family)); }

const LossFamily* loss_of_forward(const AnyOp& op) {
  for (const LossFamily& family : families())
    if (family.forward == op) return &family;
  return nullptr;
}

void require_loss_types(std::string_view op, Types in, const Type& o, const Type& x) {
  if (o != x || o.rank() == 0)
    throw op_error(op, "prediction and target must be alike, [rows, ...]", in);
}

}  // namespace latent
