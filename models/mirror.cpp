#include "models/mirror.h"

#include <algorithm>

#include "models/dense.h"
#include "models/reshape.h"

namespace latent {
namespace {

using namespace schema;

const RegisterChoice mirror_choice{
    Family::decoder,
    {"mirror",
     "the encoder's blocks backwards, then the output layer",
     {option("weights", words({"untied", "tied", "tied_at_start"}), "untied",
             "tied: the encoder's weights, transposed; tied_at_start: they only begin so"),
      option("reverse", boolean(), "false",
             "recurrent layers make their series from its end (Srivastava et al. 2015)")},
     {},
     ""}};

struct Block {
  const Layer* layer = nullptr;
  std::vector<const Layer*> pointwise;
  Shape in;
};

std::vector<Block> blocks_of(const std::vector<const Layer*>& chain, Shape shape) {
  std::vector<Block> blocks;
  for (const Layer* layer : chain) {
    if (layer->begins_block())
      blocks.push_back({layer, {}, shape});
    else if (!blocks.empty())  // what acts on the input alone is not mirrored
      blocks.back().pointwise.push_back(layer);
    shape = layer->output_shape();
  }
  return blocks;
}

bool weighted(const Block& block) { return !block.layer->parameters().empty(); }

/// The last block before `i` that has weights; -1: none.
int weighted_before(const std::vector<Block>& blocks, int i) {
  do --i;
  while (i >= 0 && !weighted(blocks[i]));
  return i;
}

std::unique_ptr<Layer> adjoint(const Block& block, const Mirrored& mirrored) {
  const std::string what =
      cat("model.decoder: mirror: ", block.layer->path(), " (", block.layer->description(), ")");
  auto layer = block.layer->adjoint(mirrored);
  if (!layer) throw UserError(cat(what, " has no adjoint; write the decoder as a list of layers"));
  if (layer->output_shape() != mirrored.out)
    throw UserError(cat(what, " makes ", to_string(block.layer->output_shape()), " of ",
                        to_string(block.in), ", but its mirror (", layer->description(),
                        ") comes back to ", to_string(layer->output_shape()),
                        "; choose sizes that divide, or write the decoder as a list of layers"));
  return layer;
}

/// Whether what stands before the first weights only reshapes the data: the output layer sees to that.
bool only_reshapes(const std::vector<Block>& blocks, int first) {
  for (int i = 0; i < first; ++i) {
    auto* reshape = dynamic_cast<const ReshapeLayer*>(blocks[i].layer);
    if (!reshape) return false;
    if (!reshape->keeps_order())
      throw UserError(
          cat("model.decoder: mirror: ", reshape->path(), " (", reshape->description(),
              ") changes the order of the data alone, which is not mirrored; leave it "
              "out (a dense layer flattens by itself), or write the decoder as a list"));
  }
  return true;
}

}  // namespace

MirroredDecoder mirror(const std::vector<const Layer*>& chain, const Mirroring& with) {
  const std::vector<Block> blocks = blocks_of(chain, with.row);
  const int count = static_cast<int>(blocks.size());
  int first = 0;  // with weights
  while (first < count && !weighted(blocks[first])) ++first;
  if (first == count)
    throw UserError(
        "model.decoder: mirror: neither encoder nor bottleneck has a layer with weights to mirror; "
        "write the decoder as a list of layers");
  if (with.reverse &&
      std::ranges::none_of(blocks, [](const Block& b) { return b.layer->keeps_width(); }))
    throw UserError(
        "model.decoder: mirror: reverse: the encoder has no recurrent layer, whose output could be "
        "made from its end");
  const bool has_output = only_reshapes(blocks, first);
  MirroredDecoder decoder;
  Layers& layers = decoder.layers;
  const auto path = [&] { return cat("decoder.", layers.size()); };
  const auto add_pointwise = [&](const Block& block) {
    const Shape shape = layers.back()->output_shape();
    for (const Layer* p : block.pointwise) layers.push_back(p->copy(path(), shape));
  };
  for (int i = count - 1; i >= 0; --i) {
    const Block& block = blocks[i];
    const bool is_output = has_output && i == first;
    const int before = weighted(block) && !is_output ? weighted_before(blocks, i) : -1;
    Shape out =
        block.in;  // the output layer gives several values an element, where that is asked for
    if (is_output) out.back() *= elements(with.out) / elements(with.row);
    const Mirrored mirrored{
        .path = path(),
        .out = out,
        .like = before >= 0 ? blocks[before].layer : nullptr,
        .tie = with.tie,
        .given = is_output ? with.output : nullptr,
        .in = (layers.empty() ? chain.back() : layers.back().get())->output_shape(),
        .reverse = with.reverse};
    // A recurrent layer takes what it is given as it is.
    const bool any_width = !is_output && i > 0 && blocks[i - 1].layer->keeps_width();
    std::unique_ptr<Layer> layer;
    if (block.layer->keeps_width()) {
      for (auto& own : block.layer->same_width(mirrored)) layers.push_back(std::move(own));
      add_pointwise(block);
      if (any_width) continue;
      LayerContext own = with.context;
      own.path = path();
      own.in = layers.back()->output_shape();
      layer = dense_per_step(own, out.back(), mirrored.given);
    } else {
      layer = adjoint(block, mirrored);
    }
    if (is_output) {
      decoder.output = std::move(layer);
      break;
    }
    layers.push_back(std::move(layer));
    // What stood behind that width, pools and the like between included.
    for (int j = before; before >= 0 && !any_width && j < i; ++j) add_pointwise(blocks[j]);
  }
  return decoder;
}

}  // namespace latent
