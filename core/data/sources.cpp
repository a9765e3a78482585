#include "core/data/sources.h"

#include <algorithm>

#include "core/base/spelling.h"
#include "core/config/files.h"
#include "core/config/sources.h"
#include "core/data/convert.h"
#include "core/data/csv.h"
#include "core/data/idx.h"
#include "core/data/npy.h"
#include "core/data/strokes.h"
#include "core/data/waves.h"
#include "core/io/read_file.h"
#include "core/io/safetensors.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

/// The format of a file by its name, `.gz` left out; IDX has none of its own but "-idx3-ubyte".
std::string format_of(const fs::path& file) {
  fs::path name = file.filename();
  if (name.extension() == ".gz") name = name.stem();
  const std::string extension = name.extension().string();
  for (const char* known : {"npz", "npy", "csv", "safetensors", "idx"})
    if (extension == cat(".", known)) return known;
  if (extension == ".txt" || extension == ".tsv" || extension == ".data") return "csv";
  if (name.string().find("-ubyte") != std::string::npos ||
      name.string().find("idx") != std::string::npos)
    return "idx";
  throw UserError(cat(file.string(),
                      ": its format is not known by its name; .npy, .npz, .csv, .txt, "
                      ".safetensors and .idx are"));
}

/// Is what `data.labels` or `data.target` says a file, and no key or column?
bool is_file(const std::string& name) {
  std::error_code ignored;
  return name.find_first_of("./") != name.npos && fs::is_regular_file(name, ignored);
}

/// The key of the targets inside of a file of rows, "" where there is none.
std::string target_key(const DataOptions& o) { return is_file(o.target) ? "" : o.target; }

/// Rows of values; a vector is rows of one.
HostTensor as_targets(HostTensor targets) {
  if (targets.type.rank() == 1) targets.type.shape.push_back(1);
  return as_stored(std::move(targets));
}

/// Did scipy.sparse.save_npz write it?
bool holds_sparse_matrix(const Npz& archive) {
  return archive.has("format") && archive.has("shape") && archive.has("data");
}

SparseRows read_sparse_matrix(const Npz& archive, const std::string& file) {
  const std::string format = archive.text("format");
  if (format != "csr")
    throw UserError(cat(file, ": holds a sparse matrix as ", format,
                        ", and rows are read from csr: save `matrix.tocsr()`"));
  return make_sparse_rows(archive.at("shape"), archive.at("indptr"), archive.at("indices"),
                          archive.at("data"), file);
}

/// Text: a label a line.
std::vector<std::string> label_lines(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    const auto number = parse_number(line);
    if (!line.empty()) out.push_back(number ? label_text(*number) : line);
    at = end + 1;
  }
  return out;
}

std::vector<std::string> read_labels(const fs::path& file) {
  const std::string format = format_of(file);
  if (format == "npy") return label_texts(read_npy(file));
  if (format == "idx") return label_texts(read_idx(file));
  if (format == "csv") return label_lines(read_gzip_file(file));
  const Npz archive(file);
  return label_texts(archive.at(archive.only_key()));
}

LabelledRows from_npz(const fs::path& file, const DataOptions& o, bool labels) {
  const Npz archive(file);
  const std::string target = target_key(o);
  LabelledRows out;
  if (o.key.empty() && holds_sparse_matrix(archive))
    out.rows = read_sparse_matrix(archive, file.string());
  else
    out.rows = archive.at(o.key.empty() ? archive.only_key({o.labels, target}) : o.key);
  if (labels) out.labels = label_texts(archive.at(o.labels));
  if (!target.empty()) out.targets = as_targets(archive.at(target));
  return out;
}

LabelledRows from_safetensors(const fs::path& file, const DataOptions& o, bool labels) {
  const SafeTensors tensors = read_safetensors(file);
  const std::string target = target_key(o);
  std::vector<std::string> names, others;
  for (const NamedTensor& t : tensors.tensors) {
    names.push_back(t.name);
    if (t.name != o.labels && t.name != target) others.push_back(t.name);
  }
  const auto at = [&](const std::string& name) {
    const HostTensor* found = tensors.find(name);
    if (!found)
      throw UserError(cat(file.string(), ": has no tensor `", name, "`; it has ", join(names, ", "),
                          did_you_mean(name, names)));
    return *found;
  };
  if (o.key.empty() && others.size() != 1)
    throw UserError(
        cat(file.string(), ": has the tensors ", join(names, ", "), ": say which one with `key`"));
  LabelledRows out{at(o.key.empty() ? others.front() : o.key), {}};
  if (labels) out.labels = label_texts(at(o.labels));
  if (!target.empty()) out.targets = as_targets(at(target));
  return out;
}

LabelledRows from_csv(const fs::path& file, const DataOptions& o, bool labels) {
  CsvOptions csv = o.csv;
  csv.labels = labels ? o.labels : "";
  CsvTable table = read_csv(file, csv);
  return {std::move(table.rows), std::move(table.labels)};
}

HostTensor read_pictures(const fs::path& file) {
  HostTensor out = read_idx(file);
  if (out.type.rank() == 3) out.type.shape.push_back(1);  // one channel
  return out;
}

/// `labels`: those inside of the file are wanted.
LabelledRows read_format(const std::string& format, const fs::path& file, const DataOptions& o,
                         bool labels) {
  LabelledRows out;
  if (format == "npz") out = from_npz(file, o, labels);
  if (format == "npy") out = {read_npy(file), {}};
  if (format == "csv") out = from_csv(file, o, labels);
  if (format == "idx") out = {read_pictures(file), {}};
  if (format == "safetensors") out = from_safetensors(file, o, labels);
  const Type type = out.rows.type();
  if (type.rank() < 2)
    throw UserError(
        cat(file.string(), ": is ", to_string(type), "; rows of values have two axes or more"));
  if (type.elements() == 0)
    throw UserError(cat(file.string(), ": is ", to_string(type), ": it has no rows"));
  out.rows = as_stored(std::move(out.rows));
  return out;
}

void check_labels(const LabelledRows& data, const std::string& where) {
  if (!data.labels.empty() && static_cast<int64_t>(data.labels.size()) != data.rows.count())
    throw UserError(
        cat(where, ": has ", data.labels.size(), " labels for ", data.rows.count(), " rows"));
}

/// The rows of a file of targets, those of the source in order, then those of its own test rows.
void read_target_file(const DataOptions& o, RawData& raw) {
  DataOptions plain;
  plain.csv.allow_missing = o.csv.allow_missing;
  const StoredRows targets = read_format(format_of(o.target), o.target, plain, false).rows;
  const int64_t n = raw.all.rows.count(), test = raw.test ? raw.test->rows.count() : 0;
  if (targets.count() != n + test)
    throw UserError(cat("data.target: ", o.target, " has ", targets.count(), " rows, the data ",
                        n + test, test ? cat(" (", test, " of them the source's test rows)") : ""));
  raw.all.targets = slice_rows(targets, 0, n);
  if (raw.test) raw.test->targets = slice_rows(targets, n, test);
}

void check_targets(const LabelledRows& data, const std::string& where) {
  if (data.has_targets() && data.targets.count() != data.rows.count())
    throw UserError(cat("data.target: ", where, ": ", data.targets.count(), " targets for ",
                        data.rows.count(), " rows"));
}

RawData load_files(const DataOptions& o) {
  const bool in_file = !o.labels.empty() && !is_file(o.labels);
  if (in_file && (o.source == "npy" || o.source == "idx"))
    throw UserError(cat("data.labels: `", o.labels, "` is no file, and ", o.source,
                        " files hold one array: name a file of labels"));
  RawData raw;
  for (const fs::path& file : o.paths) {
    LabelledRows part = read_format(o.source, file, o, in_file);
    check_labels(part, file.string());
    check_targets(part, file.string());
    if (raw.all.rows.type().rank() == 0) {
      raw.all = std::move(part);
      continue;
    }
    raw.all.rows = concatenate_rows(raw.all.rows, part.rows, file.string());
    if (part.has_targets())
      raw.all.targets = concatenate_rows(raw.all.targets, part.targets, file.string());
    std::ranges::move(part.labels, std::back_inserter(raw.all.labels));
  }
  if (!o.labels.empty() && !in_file) {
    raw.all.labels = read_labels(o.labels);
    check_labels(raw.all, o.labels);
  }
  // Stored integers are taken for grey values, unless all are 0 or 1.
  if (raw.all.rows.is_bytes() && std::ranges::max(raw.all.rows.array().as<uint8_t>()) <= 1)
    raw.unit = 1;
  return raw;
}

LabelledRows labelled(HostTensor rows, const std::vector<uint8_t>& labels) {
  LabelledRows out{std::move(rows), {}};
  for (uint8_t label : labels) out.labels.push_back(std::to_string(label));
  return out;
}

RawData load_embedded(const DataOptions& o) {
  if (o.source == "waves") {
    Waves waves = make_waves(o.count, o.data_seed);
    return {.all = labelled(std::move(waves.rows), waves.labels), .test = {}};
  }
  Strokes strokes = make_strokes(o.count, o.data_seed);
  return {.all = labelled(std::move(strokes.images), strokes.labels), .test = {}};
}

}  // namespace

RawData load_source(const DataOptions& o) {
  const SourceKind kind = source_kind(o.source);
  RawData raw = kind == SourceKind::file       ? load_files(o)
                : kind == SourceKind::embedded ? load_embedded(o)
                                               : load_known_source(o.source, o.paths.at(0));
  if (kind != SourceKind::file && !o.labels.empty()) {
    if (!is_file(o.labels))
      throw UserError(
          cat("data.labels: `", o.labels, "` is no file; ", o.source, " brings labels of its own"));
    raw.all.labels = read_labels(o.labels);
    check_labels(raw.all, o.labels);
  }
  if (is_file(o.target))
    read_target_file(o, raw);
  else if (!o.target.empty() && !raw.all.has_targets())
    throw UserError(cat("data.target: `", o.target, "` is no file, and only npz and safetensors ",
                        "hold arrays by a key"));
  return raw;
}

LabelledRows load_rows(const fs::path& file, const DataOptions& options) {
  const std::string format = format_of(file);
  const bool same = format == options.source;
  const bool labels = same && (format == "npz" || format == "csv" || format == "safetensors") &&
                      !options.labels.empty() && !is_file(options.labels);
  LabelledRows rows = read_format(format, file, same ? options : DataOptions{}, labels);
  check_targets(rows, file.string());
  return rows;
}

std::optional<fs::path> find_file(const Value& value) {
  try {
    return resolve_paths(value).at(0);
  } catch (const UserError&) {
    return std::nullopt;
  }
}

}  // namespace latent
