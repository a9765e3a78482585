#include "core/data/rows_file.h"

#include <charconv>

#include "core/data/convert.h"
#include "core/data/npy.h"
#include "core/data/sources.h"
#include "core/io/atomic_file.h"
#include "core/io/safetensors.h"

namespace latent {
namespace {

std::string csv_text(const HostTensor& rows) {
  const auto values = rows.as<float>();
  const size_t n = rows.type.rank() ? static_cast<size_t>(rows.type.shape[0]) : 1;
  const size_t width = n ? values.size() / n : 0;
  std::string out;
  char text[32];
  for (size_t i = 0; i < values.size(); ++i) {
    // The shortest text that reads back as the same number.
    out.append(text, std::to_chars(text, text + sizeof text, values[i]).ptr);
    out += (i + 1) % width ? ',' : '\n';
  }
  return out;
}

}  // namespace

StoredRows read_rows(const std::filesystem::path& file) { return load_rows(file, {}).rows; }

void write_rows(const std::filesystem::path& file, const HostTensor& rows) {
  const std::string extension = file.extension().string();
  if (extension == ".npy") return write_file_atomically(file, npy_bytes(rows));
  if (extension == ".csv") return write_file_atomically(file, csv_text(rows));
  if (extension == ".safetensors")
    return write_safetensors(file, {.tensors = {{"rows", rows}}, .metadata = {}});
  throw UserError(cat(file.string(), ": rows are written as .npy, .csv or .safetensors"));
}

}  // namespace latent
