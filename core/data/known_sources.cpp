// The data sets that are known by name: their files, what they are, and where people get them.
#include <algorithm>
#include <array>

#include "core/base/spelling.h"
#include "core/config/files.h"
#include "core/config/registry.h"
#include "core/config/sources.h"
#include "core/data/convert.h"
#include "core/data/csv.h"
#include "core/data/idx.h"
#include "core/data/sources.h"

namespace latent {
namespace {

namespace fs = std::filesystem;

const RegisterSource binarized{SourceKind::fetched, "binarized-mnist",
                               "70,000 28x28 digits of 0 and 1 (Larochelle)"};

struct KnownSource {
  const char* name;
  std::vector<std::string> folders;  ///< its names in $LATENT_DATA
  /// The files, each under one of several names.
  std::vector<std::vector<std::string>> files;
  const char* rows;
  const char* origin;
  const char* licence;
  RawData (*load)(const std::vector<fs::path>& files);
  const char* instead = "strokes";  ///< the embedded source whose rows are alike
};

/// [rows, height, width] gets its channel.
HostTensor as_images(HostTensor rows) {
  rows.type.shape.push_back(1);
  return rows;
}

LabelledRows images(const fs::path& file, const fs::path& labels) {
  LabelledRows out{as_images(read_idx(file)), label_texts(read_idx(labels))};
  if (out.rows.type().rank() != 4 || !out.rows.is_bytes())
    throw UserError(cat(file.string(), ": holds no images"));
  if (static_cast<int64_t>(out.labels.size()) != out.rows.count())
    throw UserError(cat(labels.string(), ": has ", out.labels.size(), " labels for the ",
                        out.rows.count(), " images of ", file.string()));
  return out;
}

RawData load_mnist(const std::vector<fs::path>& files) {
  return {.all = images(files[0], files[1]), .test = images(files[2], files[3])};
}

RawData load_binarized_mnist(const std::vector<fs::path>& files) {
  const HostTensor train = as_images(read_idx(files[0])),
                   validation = as_images(read_idx(files[1]));
  return {.all = {concatenate_rows(train, validation, files[1].string()), {}},
          .test = LabelledRows{as_images(read_idx(files[2])), {}},
          .unit = 1};
}

/// 64 counts of 0 to 16, then the digit.
LabelledRows optdigits(const fs::path& file) {
  CsvTable table = read_csv(
      file, {.header = false, .delimiter = ',', .columns = {}, .drop = {}, .labels = "64"});
  const int64_t n = table.rows.type.shape[0];
  HostTensor counts(Type{DType::u8, {n, 8, 8, 1}});
  if (table.rows.type.shape[1] != 64)
    throw UserError(cat(file.string(), ": a line has not 65 numbers"));
  std::ranges::transform(table.rows.as<float>(), counts.as<uint8_t>().begin(), [&](float v) {
    if (!(v >= 0 && v <= 16))
      throw UserError(cat(file.string(), ": has ", v, " among its counts of 0 to 16"));
    return static_cast<uint8_t>(v);
  });
  return {std::move(counts), std::move(table.labels)};
}

RawData load_optdigits(const std::vector<fs::path>& files) {
  return {.all = optdigits(files[0]), .test = optdigits(files[1]), .unit = 16};
}

/// The class, then 140 values. Class 1 is the normal beat: label 0; the others are label 1.
LabelledRows heartbeats(const fs::path& file) {
  CsvTable table =
      read_csv(file, {.header = {}, .delimiter = 0, .columns = {}, .drop = {}, .labels = "0"});
  if (table.rows.type.shape[1] != 140)
    throw UserError(cat(file.string(), ": a line has not 141 numbers"));
  table.rows.type.shape.push_back(1);
  for (std::string& label : table.labels) label = label == "1" ? "0" : "1";
  return {std::move(table.rows), std::move(table.labels)};
}

RawData load_ecg5000(const std::vector<fs::path>& files) {
  return {.all = heartbeats(files[0]), .test = heartbeats(files[1])};
}

std::vector<std::string> plain_or_gz(const std::string& name) { return {name + ".gz", name}; }

const std::vector<KnownSource>& known_sources() {
  static const std::vector<std::vector<std::string>> mnist_files = {
      plain_or_gz("train-images-idx3-ubyte"), plain_or_gz("train-labels-idx1-ubyte"),
      plain_or_gz("t10k-images-idx3-ubyte"), plain_or_gz("t10k-labels-idx1-ubyte")};
  static const std::vector<KnownSource> all = {
      {"mnist",
       {"mnist"},
       mnist_files,
       "60,000 and 10,000 test, 28 x 28 x 1, 10 classes",
       "the MNIST database of handwritten digits (LeCun, Cortes, Burges)",
       "none stated",
       load_mnist},
      {"fashion-mnist",
       {"fashion-mnist"},
       mnist_files,
       "60,000 and 10,000 test, 28 x 28 x 1, 10 classes",
       "the project zalandoresearch/fashion-mnist, folder data/fashion",
       "MIT",
       load_mnist},
      {"digits",
       {"digits", "optdigits"},
       {{"optdigits.tra"}, {"optdigits.tes"}},
       "3,823 and 1,797 test, 8 x 8 x 1, counts of 0 to 16, 10 classes",
       "the UCI machine learning repository, `Optical Recognition of Handwritten Digits`",
       "none stated",
       load_optdigits},
      {"ecg5000",
       {"ecg5000"},
       {{"ECG5000_TRAIN.txt"}, {"ECG5000_TEST.txt", "ECG5000_TEST_binary_recovered.csv.gz"}},
       "500 and 4,500 test, 140 x 1, normal (0) or not (1)",
       "the UCR time series archive, `ECG5000`",
       "none stated",
       load_ecg5000,
       "waves"},
      {"binarized-mnist",
       {"binarized-mnist"},
       {plain_or_gz("train-images-idx3-ubyte"), plain_or_gz("valid-images-idx3-ubyte"),
        plain_or_gz("test-images-idx3-ubyte")},
       "50,000, then 10,000 for validation, and 10,000 test, 28 x 28 x 1 of 0 and 1",
       "Larochelle's statically binarized MNIST, its three .amat files written as IDX",
       "none stated",
       load_binarized_mnist},
  };
  return all;
}

const KnownSource& known_source(const std::string& name) {
  const auto& all = known_sources();
  const auto found = std::ranges::find(all, name, &KnownSource::name);
  if (found == all.end()) throw std::logic_error("no loader for the source " + name);
  return *found;
}

/// Paths of a source's files in a folder; "" for one that is not there.
std::vector<fs::path> files_in(const KnownSource& source, const fs::path& folder) {
  std::vector<fs::path> out;
  for (const auto& names : source.files) {
    const auto found = std::ranges::find_if(names, [&](const std::string& name) {
      std::error_code ignored;
      return fs::is_regular_file(folder / name, ignored);
    });
    out.push_back(found == names.end() ? fs::path() : folder / *found);
  }
  return out;
}

/// Where to look for a source: the path given, or the source's names in $LATENT_DATA.
std::vector<fs::path> places(const KnownSource& source, const Value& path) {
  std::vector<fs::path> out;
  if (!path.is(source.name)) {
    for (const fs::path& place : resolve_paths(path)) out.push_back(place);
    return out;
  }
  for (const std::string& name : source.folders) out.push_back(data_folder() / name);
  return out;
}

}  // namespace

fs::path find_source_folder(const std::string& name, const Value& path) {
  const KnownSource& source = known_source(name);
  std::vector<std::string> tried;
  for (const fs::path& folder : places(source, path)) {
    if (!std::ranges::count(files_in(source, folder), fs::path())) return folder;
    tried.push_back(folder.string());
  }
  std::vector<std::string> wanted;
  for (const auto& names : source.files) wanted.push_back(names.front());
  throw error_at(
      path.mark(), "data.source",
      cat(name, " is not there: looked in ", join(tried, " and "), " for ", join(wanted, ", "),
          ". Put these files of ", source.origin, " into $LATENT_DATA/", source.folders.front(),
          " (LATENT_DATA is now ", data_folder().string(),
          "), or run on embedded data: --set data.source=", source.instead));
}

RawData load_known_source(const std::string& name, const fs::path& folder) {
  const KnownSource& source = known_source(name);
  const auto files = files_in(source, folder);
  for (size_t i = 0; i < files.size(); ++i)
    if (files[i].empty())
      throw UserError(cat((folder / source.files[i].front()).string(), ": is not there"));
  return source.load(files);
}

std::string describe_sources() {
  std::string out;
  for (const std::string& name : names_of(Family::source)) {
    const ChoiceSpec& spec = *find_choice(Family::source, name);
    if (!spec.unbuilt.empty()) continue;
    std::string line = name;
    line.resize(std::max<size_t>(17, name.size() + 1), ' ');
    out += line + spec.doc + "\n";
    const std::string indent(17, ' ');
    if (source_kind(name) == SourceKind::embedded)
      out += indent + "embedded: data.count rows of data.data_seed; nothing to download\n";
    if (source_kind(name) != SourceKind::fetched) continue;
    const KnownSource& source = known_source(name);
    out += indent + source.rows + "; licence: " + source.licence + "\n";
    std::string where = cat("not there; from ", source.origin);
    for (const fs::path& folder : places(source, Value(name)))
      if (!std::ranges::count(files_in(source, folder), fs::path()))
        where = "in " + folder.string();
    out += indent + where + "\n";
  }
  return out;
}

}  // namespace latent
