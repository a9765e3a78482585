// The commands that use a trained model, and those that tell what there is.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace latent {

struct ModelCommand {
  std::filesystem::path run;     ///< a run folder or a weights file
  std::string data;              ///< file of rows; "" takes the run's test rows
  std::filesystem::path output;  ///< .npy, .csv or .safetensors
  std::string weights;           ///< last | best | "" for what the run keeps
  std::string device = "auto";
};

/// Prints the test metrics of a run, computed anew. With `data` that file's rows are the test rows.
void evaluate_command(const ModelCommand& command, const std::vector<std::string>& overrides);
/// Codes of rows.
void encode_command(const ModelCommand& command);
/// What the decoder makes of codes, in the data's units.
void decode_command(const ModelCommand& command);
/// What the model makes of rows, in the data's units.
void reconstruct_command(const ModelCommand& command);

/// `latent info [data|parts|devices|metrics]`.
std::string info_text(const std::string& topic);

}  // namespace latent
