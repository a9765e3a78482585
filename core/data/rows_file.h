// Arrays of rows in files of any format that `data.source` reads, for commands that take and give rows.
#pragma once

#include <filesystem>

#include "core/data/convert.h"
#include "core/data/stored_rows.h"
#include "core/tensor/host_tensor.h"

namespace latent {

/// .npy .npz .csv .safetensors, IDX by its name (all .gz too): as stored. Throws UserError.
StoredRows read_rows(const std::filesystem::path& file);

/// f32 rows as .npy, .csv (two axes: the others are flattened) or .safetensors (tensor "rows"). Atomic. Throws UserError.
void write_rows(const std::filesystem::path& file, const HostTensor& rows);

}  // namespace latent
