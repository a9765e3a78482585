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

void require_csr_batch(std::string_view op, Types in, size_t others, DType real,
                       const CsrNoise& noise) {
  const Type counter{DType::u64, {1}};
  const size_t count = 4 + others + (noise ? 2 : 0);
  if (in.size() != count) throw op_error(op, cat("takes ", count, " inputs"), in);
  require_csr(op, in, 0, real);
  if (!noise) return;
  if (in[count - 2] != counter || in[count - 1] != counter)
    throw op_error(op, "noise takes seed u64[1] and step u64[1]", in);
  if (noise.corruptions.size() > CorruptedGather::kMaxCorruptions)
    throw op_error(op, cat("takes at most ", CorruptedGather::kMaxCorruptions, " corruptions"), in);
  for (const Corruption& c : noise.corruptions) {
    if (c.kind != Corruption::Kind::masking && c.kind != Corruption::Kind::dropout)
      throw op_error(op, "entries take masking and dropout, which leave zeros zero", in);
    if (!(c.amount >= 0 && c.amount <= 1)) throw op_error(op, cat("an amount of ", c.amount), in);
  }
}

std::vector<Var> CsrBatch::inputs(Var other) const {
  std::vector<Var> in{ids, starts, columns, values};
  if (other) in.push_back(other);
  if (noise) in.insert(in.end(), {seed, step});
  return in;
}

CsrBatch csr_batch(std::span<const Var> in, const CsrNoise& noise) {
  const CsrRows rows{in[0], in[1], in[2], in[3]};
  if (!noise) return rows;
  return {rows, noise, in[in.size() - 2], in[in.size() - 1]};
}

CsrNoise sample_noise(bool fixed) {
  const Schedule falling{.kind = Schedule::Kind::cosine, .span = 10, .to = 0.5f};
  return {.corruptions = {{.amount = 0.3f, .schedule = falling},
                          {.kind = Corruption::Kind::dropout,
                           .amount = 0.25f,
                           .stream = stream_of("corruption.1")}},
          .fixed = fixed};
}

}  // namespace latent
