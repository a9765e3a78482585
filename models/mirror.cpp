#include "models/mirror.h"

#include <algorithm>

#include "models/dense.h"

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

std::unique_ptr<Layer> adjoint(const Block& block, const Mirrored& mirrored) {
  auto layer = block.layer->adjoint(mirrored);
  if (!layer)
    throw UserError(cat("model.decoder: mirror: ", block.layer->path(), " (",
                        block.layer->description(),
                        ") has no adjoint; write the decoder as a list of layers"));
  return layer;
}

}  // namespace

MirroredDecoder mirror(const std::vector<const Layer*>& chain, const Mirroring& with) {
  const std::vector<Block> blocks = blocks_of(chain, with.row);
  if (blocks.empty())
    throw UserError(
        "model.decoder: mirror: neither encoder nor bottleneck has a layer to mirror; write the "
        "decoder as a list of layers");
  if (with.reverse &&
      std::ranges::none_of(blocks, [](const Block& b) { return b.layer->keeps_width(); }))
    throw UserError(
        "model.decoder: mirror: reverse: the encoder has no recurrent layer, whose output could be "
        "made from its end");
  MirroredDecoder decoder;
  Layers& layers = decoder.layers;
  const auto path = [&] { return cat("decoder.", layers.size()); };
  const auto add_pointwise = [&](const Block& block) {
    const Shape shape = layers.back()->output_shape();
    for (const Layer* p : block.pointwise) layers.push_back(p->copy(path(), shape));
  };
  for (size_t i = blocks.size(); i-- > 0;) {
    const Block& block = blocks[i];
    const Block* before = i > 0 ? &blocks[i - 1] : nullptr;
    const Shape out = before ? block.in : with.out;
    Mirrored mirrored{.path = path(),
                      .out = out,
                      .like = before ? before->layer : nullptr,
                      .tie = with.tie,
                      .given = before ? nullptr : with.output,
                      .in = (layers.empty() ? chain.back() : layers.back().get())->output_shape(),
                      .reverse = with.reverse};
    const bool any_width =
        before && before->layer->keeps_width();  // the next layer takes it as it is
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
    if (!before) {
      decoder.output = std::move(layer);
      break;
    }
    layers.push_back(std::move(layer));
    if (!any_width) add_pointwise(*before);
  }
  return decoder;
}

}  // namespace latent
