#include "core/report/report.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/figures/svg.h"
#include "core/io/atomic_file.h"
#include "core/report/html.h"
#include "core/report/number.h"

namespace latent {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

std::string cell(const std::optional<double>& value) {
  return value ? format_number(*value) : std::string("&ndash;");
}

/// The numbers a reader looks for first: those of the last split, the objective left out, at most
/// four.
std::string cards(const RunResult& result) {
  constexpr size_t kMost = 4;
  constexpr std::string_view kWanted[] = {
      "auroc", "rmse", "ndcg@100",           "bce",  "mse", "nll_is",
      "elbo",  "psnr", "explained_variance", "dead", "l0"};
  if (result.metrics.empty()) return {};
  const SplitMetrics& split = result.metrics.back();
  const MetricsTable table = metrics_table({&split, 1});
  std::string out;
  size_t count = 0;
  for (auto wanted : kWanted) {
    const auto row = std::ranges::find(table.rows, wanted, &MetricsTable::Row::metric);
    if (row == table.rows.end() || !row->cells[0] || count == kMost) continue;
    const Metric* metric = find_metric(wanted);
    out += cat("<div class=\"card\"><span>", split.split, " ", wanted, "</span><b>",
               format_number(*row->cells[0]), "</b>");
    std::string beside;
    for (size_t i = 1; i < row->cells.size(); ++i)
      if (row->cells[i])
        beside +=
            cat(beside.empty() ? "" : " &middot; ", table.columns[i], " ", cell(row->cells[i]));
    if (beside.empty() && metric) beside = escape_xml(metric->unit);
    out += cat("<small>", beside, "</small></div>\n");
    ++count;
  }
  return out.empty() ? out : "<div class=\"cards\">\n" + out + "</div>\n";
}

std::string definitions(const Pairs& pairs) {
  std::string out = "<dl>\n";
  for (const auto& [name, value] : pairs)
    if (!value.empty()) out += cat("<dt>", name, "</dt><dd>", value, "</dd>\n");
  return out + "</dl>\n";
}

/// "bce", its better direction and unit, and below what it is.
std::string metric_cell(const std::string& name) {
  constexpr const char* kArrows[] = {" &darr;", " &uarr;", ""};
  const Metric* metric = find_metric(name);
  std::string out = escape_xml(name);
  if (!metric) return out;
  out += kArrows[static_cast<size_t>(metric->better)];
  if (!metric->unit.empty()) out += cat(" <i>", escape_xml(metric->unit), "</i>");
  return out + cat("<small>", escape_xml(metric->definition), "</small>");
}

std::string metrics_section(const RunResult& result) {
  if (result.metrics.empty()) return {};
  const MetricsTable table = metrics_table(result.metrics);
  std::vector<std::string> head{"metric"};
  for (const auto& column : table.columns) head.push_back(escape_xml(column));
  std::vector<std::vector<std::string>> rows;
  for (const auto& row : table.rows) {
    rows.push_back({metric_cell(row.metric)});
    for (const auto& value : row.cells) rows.back().push_back(cell(value));
  }
  Pairs trivial;
  for (const TrivialRow& row : trivial_rows())
    if (std::ranges::find(table.columns, row.name) != table.columns.end())
      trivial.emplace_back(row.name, escape_xml(row.definition));
  return cat("<h2>Metrics</h2>\n<p class=\"muted\">Of the ", escape_xml(result.weights),
             " weights. An arrow shows the better direction.</p>\n", html::table(head, rows, 1),
             trivial.empty() ? "" : "<div class=\"below\">" + definitions(trivial) + "</div>\n");
}

std::string model_section(const ModelFigure& model) {
  std::vector<std::vector<std::string>> rows;
  int64_t total = 0;
  for (const LayerRow& layer : model.layers) {
    total += layer.parameters;
    rows.push_back({escape_xml(layer.part), "<code>" + escape_xml(layer.name) + "</code>",
                    escape_xml(layer.kind), shape_text(layer.shape),
                    layer.parameters ? format_count(layer.parameters) : "&ndash;"});
  }
  rows.push_back({"<b>total</b>", "", "", "", "<b>" + format_count(total) + "</b>"});
  return "<h2>Model</h2>\n<figure><div class=\"scroll\">" + draw_model_svg(model) +
         "</div></figure>\n" +
         html::table({"part", "layer", "kind", "output shape", "parameters"}, rows, 3);
}

std::string curves_section(const std::vector<Chart>& curves) {
  if (curves.empty()) return {};
  std::string out = "<h2>Training</h2>\n";
  for (const Chart& chart : curves)
    out += "<figure><div class=\"scroll\">" + draw_chart_svg(chart, 820, 380) + "</div></figure>\n";
  return out;
}

std::string figures_section(const std::vector<ReportFigure>& figures) {
  if (figures.empty()) return {};
  std::string out = "<h2>Figures</h2>\n";
  for (const ReportFigure& f : figures) {
    out += cat("<figure><h3>", escape_xml(f.title), "</h3>", html::image(f.image, f.title));
    if (!f.caption.empty()) out += cat("<figcaption>", escape_xml(f.caption), "</figcaption>");
    out += "</figure>\n";
  }
  return out;
}

std::string facts_section(const RunReport& report) {
  const RunResult& r = report.result;
  std::string rows, versions;
  for (const auto& [split, count] : r.rows)
    rows += cat(rows.empty() ? "" : ", ", escape_xml(split), " ", format_count(count));
  for (const auto& [name, version] : r.versions)
    versions += cat(versions.empty() ? "" : ", ", escape_xml(name), " ", escape_xml(version));
  const auto code = [](const std::string& s) {
    return s.empty() ? s : "<code>" + escape_xml(s) + "</code>";
  };
  return "<h2>Data</h2>\n" +
         definitions({{"source", escape_xml(report.data)},
                      {"rows", rows},
                      {"sha256", code(r.data_sha256)}}) +
         "<h2>Time and place</h2>\n" +
         definitions({{"training", cat(format_duration(r.seconds), ", ", format_count(r.steps),
                                       " steps, ", format_number(r.epochs), " epochs")},
                      {"speed", r.examples_per_second > 0
                                    ? format_number(r.examples_per_second, 3) + " examples a second"
                                    : std::string()},
                      {"device", escape_xml(r.device)},
                      {"precision", escape_xml(report.precision)},
                      {"commit", code(r.commit)},
                      {"versions", versions}}) +
         "<h2>Configuration</h2>\n<p>Every default is spelt out; this file repeats the run.</p>\n"
         "<pre>" +
         escape_xml(report.config) + "</pre>\n<h2>To repeat it</h2>\n<pre>" +
         escape_xml(report.command) + "</pre>\n";
}

}  // namespace

std::string render_report(const RunReport& report) {
  std::string line;
  const auto add = [&line](const std::string& text) {
    if (!text.empty()) line += cat(line.empty() ? "" : " &middot; ", escape_xml(text));
  };
  if (!report.seed.empty()) add("seed " + report.seed);
  add(report.data);
  if (report.result.parameters > 0) add(format_count(report.result.parameters) + " parameters");
  add(report.result.device);
  if (report.result.seconds > 0) add(format_duration(report.result.seconds));
  if (report.date) add(*report.date);
  return cat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
      escape_xml(report.name), "</title>\n", html::style(), "</head>\n<body>\n<main>\n<h1>",
      escape_xml(report.name), "</h1>\n<p class=\"muted\">", line, "</p>\n", cards(report.result),
      report.model ? model_section(*report.model) : "", figures_section(report.figures),
      curves_section(report.curves), metrics_section(report.result), facts_section(report),
      "</main>\n</body>\n</html>\n");
}

void write_report(const std::filesystem::path& path, const RunReport& report) {
  write_file_atomically(path, render_report(report));
}

}  // namespace latent
