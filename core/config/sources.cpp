#include "core/config/sources.h"

#include <map>
#include <stdexcept>

#include "core/config/registry.h"

namespace latent {
namespace {

std::map<std::string, SourceKind, std::less<>>& kinds() {
  static std::map<std::string, SourceKind, std::less<>> all;
  return all;
}

const RegisterSource strokes{SourceKind::embedded, "strokes", "28x28 grey digits drawn by code"};
const RegisterSource waves{SourceKind::embedded, "waves", "140-step series drawn by code"};
const RegisterSource spiral{SourceKind::embedded, "spiral", "", "the contractive part"};
const RegisterSource toy{SourceKind::embedded, "ratings-toy", "", "ratings"};

const RegisterSource mnist{SourceKind::fetched, "mnist", "70,000 28x28 grey digits"};
const RegisterSource fashion{SourceKind::fetched, "fashion-mnist",
                             "70,000 28x28 grey pictures of clothes"};
const RegisterSource digits{SourceKind::fetched, "digits", "8x8 grey digits (optdigits)"};
const RegisterSource ecg{SourceKind::fetched, "ecg5000", "5,000 heartbeats of 140 values"};

const RegisterSource npz{SourceKind::file, "npz",
                         "NumPy archive, or sparse rows: scipy.sparse.save_npz of a csr matrix"};
const RegisterSource npy{SourceKind::file, "npy", "NumPy array"};
const RegisterSource csv{SourceKind::file, "csv", "text, a row a line"};
const RegisterSource idx{SourceKind::file, "idx", "MNIST's format, .gz too"};
const RegisterSource safetensors{SourceKind::file, "safetensors", "named tensors"};
const RegisterSource png{SourceKind::file, "png", "", "image folders"};
const RegisterSource ratings{SourceKind::file, "ratings", "", "ratings"};

}  // namespace

RegisterSource::RegisterSource(SourceKind kind, std::string name, std::string doc,
                               std::string unbuilt) {
  kinds()[name] = kind;
  RegisterChoice(Family::source, {std::move(name), std::move(doc), {}, {}, std::move(unbuilt)});
}

SourceKind source_kind(std::string_view name) {
  const auto found = kinds().find(name);
  if (found == kinds().end()) throw std::logic_error("source: not registered");
  return found->second;
}

}  // namespace latent
