// report.html: one run on one page that needs nothing else: no script, no network, no other file.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/figures/figures.h"
#include "core/report/run_files.h"

namespace latent {

struct ReportFigure {
  std::string title, caption;
  Image image;
};

struct RunReport {
  std::string name;
  std::string seed, precision;
  std::optional<std::string> date;
  std::string command;               ///< that repeats the run
  std::string config;                ///< the resolved YAML
  std::string data;                  ///< "mnist, 28 x 28 x 1, scaled to [0, 1]"
  std::optional<ModelFigure> model;  ///< diagram and table of layers
  std::vector<Chart> curves;
  std::vector<ReportFigure> figures;
  RunResult result;
};

/// The page, light or dark as the reader's system is.
std::string render_report(const RunReport& report);

/// Written under a temporary name, synced, renamed. Throws UserError when that fails.
void write_report(const std::filesystem::path& path, const RunReport& report);

}  // namespace latent
