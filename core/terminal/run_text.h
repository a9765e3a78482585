// What a run prints before it trains and when it is done.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/report/layer_row.h"
#include "core/report/metrics.h"

namespace latent {

struct RunHeader {
  std::string name, seed, device, precision, data, objective;
  std::vector<LayerRow> layers;
  int64_t trainable = -1;                             ///< parameters; -1: all
  std::vector<std::pair<std::string, int64_t>> rows;  ///< of each split
  int64_t batch_size = 0, steps = 0;
  double epochs = 0;
};
/// The table of layers (part, layer, kind, output shape, parameters) with its total, then data,
/// rows of each split, training, device, seed. At most 100 columns.
std::string run_header(const RunHeader& header);

struct RunFooter {
  std::string name;
  std::span<const SplitMetrics> metrics;
  double seconds = 0;  ///< of training; 0 where nothing was trained
  std::string report;  ///< path of report.html; empty: none was written
};
/// Metrics by split with their trivial rows beside them, the time, the report's path.
std::string run_footer(const RunFooter& footer);

}  // namespace latent
