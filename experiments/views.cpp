#include "experiments/views.h"

#include <algorithm>
#include <cmath>

#include "core/data/moments.h"

namespace latent {
namespace {

HostTensor counter(uint64_t value) {
  return host_tensor<uint64_t>({1}, std::vector<uint64_t>{value});
}

Shape rows_of(int64_t n, const Shape& row) {
  Shape shape{n};
  shape.insert(shape.end(), row.begin(), row.end());
  return shape;
}

}  // namespace

void RowReader::read(int64_t first, int64_t n, std::span<float> out) const {
  if (scaled_) {
    const size_t width = scaled_->as<float>().size() / static_cast<size_t>(count());
    std::ranges::copy(scaled_->as<float>().subspan(static_cast<size_t>(first) * width,
                                                   static_cast<size_t>(n) * width),
                      out.begin());
    return;
  }
  std::ranges::transform(scaled_rows(*rows_, first, n, *shift_, *scale_), out.begin(),
                         [&](float v) { return filled_ && std::isnan(v) ? 0 : v; });
}

Views::Views(const Model& model, Store& store, bool averaged)
    : model_(model), store_(store), averaged_(averaged) {}

HostTensor Views::run(View view, const RowReader& rows) {
  const Shape& in = view == View::decoder ? model_.code_shape() : model_.row_shape();
  if (rows.type().elements() != rows.count() * elements(in))
    throw UserError(cat("the rows are ", to_string(rows.type()), ", the ",
                        view == View::decoder ? "decoder" : "model", " takes rows of ",
                        to_string(in)));
  const std::string key = cat("view ", static_cast<int>(view));
  if (!programs_.contains(key))
    programs_[key] = std::make_unique<Program>(view_graph(model_, view, kBatch, averaged_), store_);
  return in_batches(key, view_input(view),
                    view == View::encoder ? model_.code_shape() : model_.target_shape(), rows);
}

std::vector<double> Views::scores(const std::string& score, const RowReader& rows, uint64_t seed) {
  if (!programs_.contains(score))
    programs_[score] =
        std::make_unique<Program>(score_graph(model_, score, kBatch, averaged_), store_);
  store_.write(names::kSeed, counter(seed));
  const HostTensor found = in_batches(score, view_input(View::autoencoder), {}, rows);
  return {found.as<float>().begin(), found.as<float>().end()};
}

/// Runs a program on every batch; what it draws differs from one to the next.
HostTensor Views::in_batches(const std::string& key, const std::string& input, const Shape& out,
                             const RowReader& rows) {
  const int64_t n = rows.count();
  HostTensor result(Type{DType::f32, rows_of(n, out)});
  HostTensor batch(store_.variable(input).type);
  const size_t out_bytes = static_cast<size_t>(elements(out)) * sizeof(float);
  for (int64_t first = 0; first < n; first += kBatch) {
    const size_t count = static_cast<size_t>(std::min(kBatch, n - first));
    std::ranges::fill(batch.bytes, std::byte{0});
    rows.read(first, static_cast<int64_t>(count), batch.as<float>());
    store_.write(input, batch);
    if (store_.has(kScoreStep)) store_.write(kScoreStep, counter(first / kBatch));
    programs_.at(key)->run();
    const HostTensor values = programs_.at(key)->output("result");
    std::copy_n(values.bytes.data(), count * out_bytes,
                result.bytes.data() + static_cast<size_t>(first) * out_bytes);
  }
  return result;
}

}  // namespace latent
