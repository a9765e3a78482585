#include "models/output.h"

#include "models/convolution.h"
#include "models/dense.h"

namespace latent {

std::unique_ptr<Layer> automatic_output(const LayerContext& context, const Shape& row) {
  const Shape& in = context.in;
  if (in.size() != 3 || row.size() != 3)
    return std::make_unique<Dense>(context, plain_options(row, context));
  if (in[0] != row[0] || in[1] != row[1])
    throw UserError(
        cat("model.output: auto is a conv 3x3, which keeps height and width, but the "
            "decoder ends at ",
            to_string(in), " and the data are ", to_string(row), "; let the decoder end at ",
            row[0], "x", row[1], ", or write another output layer"));
  return plain_convolution(context, row[2]);
}

std::unique_ptr<Layer> given_output(const Choice& choice, const LayerContext& context,
                                    const Shape& out) {
  if (choice.name == "dense")
    return std::make_unique<Dense>(context, dense_options(choice, out, context),
                                   layer_name(choice));
  if (out.size() != 3)
    throw error_at(choice.option("padding").mark(), "model.output",
                   cat(choice.name, " makes a map, the data are ", to_string(out)));
  auto layer = make_convolution(choice, context, out[2]);
  if (layer->output_shape() != out)
    throw error_at(choice.option("padding").mark(), "model.output",
                   cat(layer->description(), " makes ", to_string(layer->output_shape()), " of ",
                       to_string(context.in), ", the data are ", to_string(out)));
  return layer;
}

}  // namespace latent
