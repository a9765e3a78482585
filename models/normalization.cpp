// Layers that normalise: batch_norm, layer_norm, normalize. They keep the shape and belong to the block
// before them, so a mirrored decoder has them where its values have that block's width.
#include "core/config/resolve.h"
#include "kernels/norm/batch_norm.h"
#include "kernels/ops.h"
#include "models/layer.h"

namespace latent {
namespace {

constexpr double kEps = 1e-5, kMomentum = 0.1;  // PyTorch's

Init ones() {
  return [](HostTensor& t) {
    if (t.type.dtype == DType::f64)
      std::ranges::fill(t.as<double>(), 1.0);
    else
      std::ranges::fill(t.as<float>(), 1.0f);
  };
}

class Normalization : public Layer {
 public:
  Normalization(const std::string& path, const Shape& shape, std::string name)
      : Layer(path, std::move(name)), shape_(shape) {}

  Var apply(Build& build, Var x) const override {
    Graph::Scope scope(build.graph, path());
    const Var y = normalized(build, x);
    tap(build, y);
    return y;
  }
  const Shape& output_shape() const override { return shape_; }
  bool begins_block() const override { return false; }

 protected:
  virtual Var normalized(Build& build, Var x) const = 0;
  int64_t channels() const { return shape_.empty() ? 1 : shape_.back(); }
  /// A vector over the channels. Scales and offsets are not in weight_decay.
  Parameter vector(const std::string& name, Init init, bool frozen = false) const {
    return {path() + "." + name, {DType::f32, {channels()}}, std::move(init), true, frozen};
  }
  Parameter weight() const { return vector("weight", ones()); }
  Parameter bias() const { return vector("bias", {}); }

 private:
  Shape shape_;
};

class BatchNormLayer final : public Normalization {
 public:
  using Normalization::Normalization;

  std::vector<Parameter> parameters() const override {
    return {weight(), bias(), running_mean(), running_var()};
  }
  std::string description() const override { return "batch_norm"; }
  std::unique_ptr<Layer> copy(const std::string& path, const Shape& in) const override {
    return std::make_unique<BatchNormLayer>(path, in, "");
  }

 private:
  Parameter running_mean() const { return vector("running_mean", {}, true); }
  Parameter running_var() const { return vector("running_var", ones(), true); }

  Var normalized(Build& build, Var x) const override {
    const Var w = leaf(build, weight()), b = leaf(build, bias());
    const Var mean = leaf(build, running_mean()), var = leaf(build, running_var());
    if (!build.training) return batch_norm(x, w, b, mean, var, kEps);
    if (x.type().elements() < 2 * channels())
      throw UserError(cat("model.", path(),
                          ": batch_norm has one value a channel in a batch, which has no variance; "
                          "train.batch_size: 2 or more"));
    const std::vector<Var> out =
        apply_all(BatchNorm{.eps = kEps, .momentum = kMomentum}, std::vector{x, w, b, mean, var});
    build.updates.emplace_back(mean, out[3]);
    build.updates.emplace_back(var, out[4]);
    return out[0];
  }
};

class LayerNormLayer final : public Normalization {
 public:
  LayerNormLayer(const std::string& path, const Shape& shape, std::string name)
      : Normalization(path, shape, std::move(name)) {
    if (channels() < 2)
      throw UserError(cat("model.", path,
                          ": layer_norm is over the last axis, which has one entry in ",
                          to_string(shape), ": nothing would be left of it"));
  }

  std::vector<Parameter> parameters() const override { return {weight(), bias()}; }
  std::string description() const override { return "layer_norm"; }
  std::unique_ptr<Layer> copy(const std::string& path, const Shape& in) const override {
    return std::make_unique<LayerNormLayer>(path, in, "");
  }

 private:
  Var normalized(Build& build, Var x) const override {
    return layer_norm(x, leaf(build, weight()), leaf(build, bias()), kEps);
  }
};

/// Each example as a whole.
class NormalizeLayer final : public Normalization {
 public:
  using Normalization::Normalization;

  std::string description() const override { return "normalize, l2"; }
  std::unique_ptr<Layer> copy(const std::string& path, const Shape& in) const override {
    return std::make_unique<NormalizeLayer>(path, in, "");
  }

 private:
  Var normalized(Build&, Var x) const override {
    return reshape(normalize(reshape(x, {x.shape()[0], -1})), x.shape());
  }
};

template <class L>
std::unique_ptr<Layer> make(const Choice& choice, const LayerContext& context) {
  return std::make_unique<L>(context.path, context.in, layer_name(choice));
}

using namespace schema;

const RegisterLayer batch_norm_layer{
    {"batch_norm",
     "a channel's mean 0 and variance 1 over the batch, then scaled and shifted (Ioffe and Szegedy "
     "2015); running statistics (momentum 0.1, eps 1e-5) where nothing is trained",
     {},
     {},
     ""},
    make<BatchNormLayer>};
const RegisterLayer layer_norm_layer{{"layer_norm",
                                      "mean 0 and variance 1 over the last axis (eps 1e-5), then "
                                      "scaled and shifted (Ba et al. 2016)",
                                      {},
                                      {},
                                      ""},
                                     make<LayerNormLayer>};
const RegisterLayer normalize_layer{{"normalize",
                                     "each example brought to norm 1",
                                     {option("norm", words({"l2"}), "l2", "which norm")},
                                     {},
                                     ""},
                                    make<NormalizeLayer>};

}  // namespace
}  // namespace latent
