#include "core/data/options.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/config/files.h"
#include "core/config/sources.h"
#include "core/data/sources.h"

namespace latent {
namespace {

std::string text_of(const Value& value) {
  return value.is(Value::Kind::integer) ? std::to_string(value.as_int()) : value.as_string();
}

std::vector<std::string> texts_of(const Value& value) {
  if (!value.is(Value::Kind::list)) return {text_of(value)};
  std::vector<std::string> out;
  for (const Value& v : value.list()) out.push_back(text_of(v));
  return out;
}

std::string text_or_empty(const Value& value, std::string_view word) {
  return value.is(word) ? "" : text_of(value);
}

/// A file lies beside the experiment or in $LATENT_DATA, like all files.
std::string key_or_file(const Value& value) {
  const std::string text = text_or_empty(value, "none");
  if (text.find_first_of("./") == text.npos) return text;
  const auto found = find_file(value);
  return found ? found->string() : text;
}

Part part_of(const Value& value) {
  if (value.is(Value::Kind::integer)) return {.rows = value.as_int(), .share = {}};
  if (value.is(Value::Kind::real)) return {.rows = {}, .share = value.as_real()};
  return {};
}

template <class Enum>
Enum word_of(const Value& value, std::initializer_list<std::pair<const char*, Enum>> words) {
  for (const auto& [word, meaning] : words)
    if (value.is(word)) return meaning;
  throw std::logic_error("data: " + to_flow(value) + " passed the schema");
}

CsvOptions csv_options(const Value& data) {
  CsvOptions csv;
  const Value &header = data.at("header"), &delimiter = data.at("delimiter");
  if (!header.is("auto")) csv.header = header.as_bool();
  if (!delimiter.is("auto")) csv.delimiter = delimiter.as_string().at(0);
  if (!data.at("columns").is("all")) csv.columns = texts_of(data.at("columns"));
  csv.drop = texts_of(data.at("drop"));
  csv.allow_missing = !data.at("missing").is("refuse");
  return csv;
}

void read_splits(const Value& data, uint64_t seed, DataOptions& o) {
  const Value &validation = data.at("validation"), &test = data.at("test"),
              &split = data.at("split_seed");
  o.train = part_of(data.at("train"));
  o.validation = part_of(validation);
  if (validation.is("none")) o.validation_rows = ValidationRows::none;
  if (validation.is("test")) o.validation_rows = ValidationRows::test;
  o.test = part_of(test);
  if (!o.test.rest())
    o.test_rows = TestRows::part;
  else if (test.is("own") || test.is("train") || test.is("none"))
    o.test_rows = word_of<TestRows>(
        test, {{"own", TestRows::own}, {"train", TestRows::train}, {"none", TestRows::none}});
  else {
    o.test_rows = TestRows::file;
    o.test_path = resolve_paths(test).at(0);
  }
  o.split = word_of<SplitOrder>(data.at("split"), {{"random", SplitOrder::random},
                                                   {"stratified", SplitOrder::stratified},
                                                   {"ordered", SplitOrder::ordered}});
  o.split_seed = split.is("seed") ? seed : static_cast<uint64_t>(split.as_int());
  const Value& train_on = data.at("train_on");
  o.normal = texts_of(data.at("normal"));
  if (train_on.is("normal"))
    o.train_on = o.normal;
  else if (!train_on.is("all"))
    o.train_on = texts_of(train_on);
}

}  // namespace

int64_t Part::of(int64_t n) const {
  if (rows) return *rows;
  return std::max<int64_t>(1, std::llround(share.value() * static_cast<double>(n)));
}

DataOptions read_data_options(const Value& data, uint64_t seed) {
  DataOptions o;
  o.source = data.at("source").as_string();
  if (source_kind(o.source) == SourceKind::fetched)
    o.paths = {find_source_folder(o.source, data.at("path"))};
  else if (!data.at("path").is("none"))
    o.paths = resolve_paths(data.at("path"));
  o.key = text_or_empty(data.at("key"), "auto");
  o.csv = csv_options(data);
  o.labels = key_or_file(data.at("labels"));
  o.target = key_or_file(data.at("target"));
  if (!data.at("shape").is("auto")) o.shape = data.at("shape").as_ints();
  o.nchw = data.at("layout").is("nchw");
  o.zero_missing = data.at("missing").is("zero");
  o.mask_missing = data.at("missing").is("mask");
  read_splits(data, seed, o);
  o.scale = word_of<Scale>(data.at("scale"), {{"auto", Scale::automatic},
                                              {"unit", Scale::unit},
                                              {"standard", Scale::standard},
                                              {"minmax", Scale::minmax},
                                              {"rms", Scale::rms},
                                              {"none", Scale::none}});
  o.binarize = word_of<Binarize>(data.at("binarize"), {{"none", Binarize::none},
                                                       {"threshold", Binarize::threshold},
                                                       {"static", Binarize::fixed},
                                                       {"dynamic", Binarize::dynamic}});
  o.count = data.at("count").as_int();
  o.data_seed = static_cast<uint64_t>(data.at("data_seed").as_int());
  return o;
}

}  // namespace latent
