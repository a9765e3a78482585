#include "kernels/sparse/csr.h"

namespace latent {

void require_csr(std::string_view op, Types in, size_t first, DType real) {
  const bool fits = in.size() >= first + 4 && in[first].dtype == DType::i32 &&
                    in[first].rank() == 1 && in[first + 1].dtype == DType::u64 &&
                    in[first + 1].rank() == 1 && in[first + 2].dtype == DType::i32 &&
                    in[first + 2].rank() == 1 && in[first + 3].dtype == real &&
                    in[first + 3].shape == in[first + 2].shape;
  if (!fits)
    throw op_error(op, "takes ids i32[rows], starts u64[n + 1], columns i32[entries], values alike",
                   in);
}

}  // namespace latent
