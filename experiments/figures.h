// The figures of a finished run: which apply, and their data from the trained model.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/report/report.h"
#include "experiments/experiment.h"
#include "experiments/runner.h"

namespace latent {

struct RunFigures {
  std::vector<ReportFigure> images;  ///< also written to figures/<name>.png
  std::vector<Chart> curves;
  ModelFigure model;
};

/// Draws `figures:` into folder/figures and gives them for the report. `lines` are those of metrics.jsonl.
RunFigures draw_figures(const Experiment& experiment, Runner& runner,
                        const std::vector<MetricsLine>& lines, const std::filesystem::path& folder);

/// The layers, likelihood and penalties of a model for its diagram.
ModelFigure model_figure(const Model& model);

}  // namespace latent
