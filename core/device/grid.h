// The shape of a launch.
#pragma once

#include <cstdint>

namespace latent {

struct Grid {
  int64_t blocks = 0;                  ///< a launch of no blocks does nothing
  int threads = 256;                   ///< of a block: a multiple of 32, at most 1024
  int64_t blocks_y = 1, blocks_z = 1;  ///< at most 65535 each
};

/// Throws std::logic_error when CUDA would refuse the grid.
void check_grid(const Grid& grid);

inline bool empty(const Grid& g) { return g.blocks == 0 || g.blocks_y == 0 || g.blocks_z == 0; }

}  // namespace latent
