// `latent plan`: every kernel of a training step, its cost and memory, and the least time a GPU would need. Needs no GPU.
#pragma once

#include <string>
#include <vector>

namespace latent {

/// The text; `gpu` names the GPU of the floor ("H200"). Throws UserError for a name it does not know.
std::string plan_text(const std::string& file, const std::vector<std::string>& overrides,
                      const std::string& gpu);

/// `latent profile`: the time of every kernel of a training step on the experiment's device, as text.
std::string profile_text(const std::string& file, const std::vector<std::string>& overrides);

}  // namespace latent
