#include "models/mirror.h"

namespace latent {
namespace {

using namespace schema;

const RegisterChoice mirror_choice{
    Family::decoder,
    {"mirror",
     "the encoder's blocks backwards, then the output layer",
     {option("weights", words({"untied", "tied", "tied_at_start"}), "untied",
             "tied: the encoder's weights, transposed; tied_at_start: they only begin so"),
      option("reverse", unbuilt("recurrent layers", {"true"}) | boolean(), "false",
             "recurrent: whether the output is in reversed order")},
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

MirroredDecoder mirror(const std::vector<const Layer*>& chain, const Shape& row, const Shape& out,
                       Tie tie, const Choice* output) {
  const std::vector<Block> blocks = blocks_of(chain, row);
  if (blocks.empty())
    throw UserError(
        "model.decoder: mirror: neither encoder nor bottleneck has a layer to mirror; write the "
        "decoder as a list of layers");
  MirroredDecoder decoder;
  const auto path = [&] { return cat("decoder.", decoder.layers.size()); };
  for (size_t i = blocks.size() - 1; i > 0; --i) {
    const Block& before = blocks[i - 1];
    decoder.layers.push_back(adjoint(
        blocks[i], {.path = path(), .out = blocks[i].in, .like = before.layer, .tie = tie}));
    for (const Layer* p : before.pointwise) decoder.layers.push_back(p->copy(path(), blocks[i].in));
  }
  decoder.output = adjoint(
      blocks[0], {.path = path(), .out = out, .like = nullptr, .tie = tie, .given = output});
  return decoder;
}

}  // namespace latent
