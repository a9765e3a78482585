#include "core/terminal/run_text.h"

#include "core/base/error.h"
#include "core/report/number.h"
#include "core/terminal/text_table.h"

namespace latent {
namespace {

std::string fact(const std::string& name, const std::string& text) {
  return text.empty() ? "" : name + std::string(12 - name.size(), ' ') + text + "\n";
}

}  // namespace

std::string run_header(const RunHeader& header) {
  TextTable table("lllrr");
  table.row({"part", "layer", "kind", "output shape", "parameters"});
  table.rule();
  int64_t total = 0;
  for (const LayerRow& layer : header.layers) {
    total += layer.parameters;
    table.row({layer.part, layer.name, layer.kind, shape_text(layer.shape),
               layer.parameters ? format_count(layer.parameters) : "-"});
  }
  table.rule();
  table.row({"total", "", "", "", format_count(total)});
  if (header.trainable >= 0 && header.trainable != total)
    table.row({"trainable", "", "", "", format_count(header.trainable)});

  std::string rows, training;
  for (const auto& [split, count] : header.rows)
    rows += cat(rows.empty() ? "" : ", ", split, " ", format_count(count));
  if (header.steps > 0)
    training = cat(format_number(header.epochs), " epochs, ", format_count(header.steps),
                   " steps of ", format_count(header.batch_size), " rows");
  return header.name + "\n\n" + table.str() + "\n" + fact("objective", header.objective) +
         fact("data", header.data) + fact("rows", rows) + fact("training", training) +
         fact("device",
              cat(header.device, header.precision.empty() ? "" : ", ", header.precision)) +
         fact("seed", header.seed);
}

std::string run_footer(const RunFooter& footer) {
  const MetricsTable metrics = metrics_table(footer.metrics);
  TextTable table("l" + std::string(metrics.columns.size(), 'r'));
  std::vector<std::string> line{"metric"};
  line.insert(line.end(), metrics.columns.begin(), metrics.columns.end());
  table.row(line);
  table.rule();
  for (const auto& row : metrics.rows) {
    line = {row.metric};
    for (const auto& value : row.cells) line.push_back(value ? format_number(*value) : "-");
    table.row(line);
  }
  const std::string took =
      footer.seconds > 0 ? ": done in " + format_duration(footer.seconds) : std::string();
  return footer.name + took + "\n\n" + (metrics.rows.empty() ? "" : table.str() + "\n") +
         fact("report", footer.report);
}

}  // namespace latent
