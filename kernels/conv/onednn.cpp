// Convolutions by oneDNN. It builds with 2.x, whose primitives are made from op descriptors, and with 3.x, which has
// none.
#include "kernels/matmul/onednn.h"

#include "kernels/conv/block.h"
#include "kernels/matmul/team.h"

namespace latent {

#if defined(LATENT_ONEDNN)
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;
constexpr auto kF32 = dnnl::memory::data_type::f32;
constexpr auto kDirect = dnnl::algorithm::convolution_direct;

/// Everything that describes a convolution but for the pass.
struct Described {
  Desc large, weight, vector, small;
  Dims stride, before, after;
  bool has_vector;
  dnnl::primitive_attr attributes;
  const dnnl::engine& engine;

  Described(const ConvProblem& p, bool with_vector, const dnnl::engine& e)
      : large({p.rows, p.channels, p.window.large[0], p.window.large[1]}, kF32, Tag::nhwc),
        weight(plain_weight(p).dims(), kF32, Tag::any),
        vector(with_vector ? Desc({p.filters}, kF32, Tag::x) : Desc()),
        small({p.rows, p.filters, p.window.small[0], p.window.small[1]}, kF32, Tag::nhwc),
        has_vector(with_vector),
        engine(e) {
    for (int axis = 0; axis < 2; ++axis) {
      const Window& w = p.window;
      stride.push_back(w.stride[axis]);
      before.push_back(w.before[axis]);
      after.push_back(w.after(axis));
    }
    // Scratch memory of the library's own belongs to the thread that made the primitive.
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  }

  static Desc plain_weight(const ConvProblem& p) {
    return {{p.filters, p.channels, p.window.kernel[0], p.window.kernel[1]}, kF32, Tag::ohwi};
  }

  dnnl::convolution_forward::primitive_desc forward() const {
    constexpr auto kTraining = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
    return {engine, kTraining, kDirect, large, weight,    vector,
            small,  stride,    before,  after, attributes};
#else
    using Op = dnnl::convolution_forward::desc;
    return {has_vector ? Op(kTraining, kDirect, large, weight, vector, small, stride, before, after)
                       : Op(kTraining, kDirect, large, weight, small, stride, before, after),
            attributes, engine};
#endif
  }

  dnnl::convolution_backward_data::primitive_desc backward_data() const {
    const auto hint = forward();
#if DNNL_VERSION_MAJOR >= 3
    return {engine, kDirect, large, weight, small, stride, before, after, hint, attributes};
#else
    return {{kDirect, large, weight, small, stride, before, after}, attributes, engine, hint};
#endif
  }

  dnnl::convolution_backward_weights::primitive_desc backward_weights() const {
    const auto hint = forward();
#if DNNL_VERSION_MAJOR >= 3
    return {engine, kDirect, large, weight, vector, small, stride, before, after, hint, attributes};
#else
    using Op = dnnl::convolution_backward_weights::desc;
    return {has_vector ? Op(kDirect, large, weight, vector, small, stride, before, after)
                       : Op(kDirect, large, weight, small, stride, before, after),
            attributes, engine, hint};
#endif
  }
};

/// A primitive, its operands once a thread, and the order that it wants weights in.
class OneDnnConv final : public ConvBlock<float> {
 public:
  OneDnnConv(const ConvProblem& problem, ConvPass pass, bool vector, int threads, OneDnn& library)
      : problem_(problem), pass_(pass), library_(library) {
    const OneThread one;
    const Described described(problem, vector, library.engine);
    if (pass == ConvPass::forward)
      make(described, described.forward(), threads);
    else if (pass == ConvPass::transposed)
      make(described, described.backward_data(), threads);
    else
      make(described, described.backward_weights(), threads);
  }

  /// Whether the library has more for it than a loop that checks results.
  bool fast() const { return fast_; }

  size_t scratch() const override { return scratch_ + (made_in_scratch() ? weight_bytes_ : 0); }
  int64_t reordered() const override {
    return reorder_ && pass_ != ConvPass::weight ? weight_bytes_ / sizeof(float) : 0;
  }

  void reorder(const float* from, float* to) const override {
    const OneThread one;
    reorder_weight(team_[0], from, to);
  }

  void run(int thread, const ConvOperands<float>& o, void* scratch) const override {
    const Operands& own = team_[thread];
    char* const free = static_cast<char*>(scratch);
    float* const weight = made_in_scratch() ? reinterpret_cast<float*>(free + scratch_) : o.weight;
    void* const data[] = {o.large, weight, o.vector, o.small, free};
    for (int i = 0; i < kOperands; ++i)
      if (own.memory[i])
        check(dnnl_memory_set_data_handle(own.memory[i].get(), data[i]), "convolution");
    library_.execute(conv_, {own.args, own.count}, "convolution");
    if (made_in_scratch()) reorder_weight(own, weight, o.weight);
  }

 private:
  static constexpr int kOperands = 5;
  struct Operands {
    dnnl::memory memory[kOperands], from, to;
    dnnl_exec_arg_t args[kOperands];
    size_t count = 0;
  };

  bool made_in_scratch() const { return pass_ == ConvPass::weight && reorder_; }

  template <class Primitive>
  void make(const Described& d, const Primitive& primitive, int threads) {
    fast_ = std::string_view(primitive.impl_info_str()).find("ref") == std::string_view::npos;
    if (!fast_) return;
    const bool backward = pass_ == ConvPass::weight;
    const Desc own =
        primitive.query_md(backward ? dnnl::query::diff_weights_md : dnnl::query::weights_md, 0);
    const Desc plain = Described::plain_weight(problem_);
    const Desc descs[] = {d.large, own, d.vector, d.small, primitive.scratchpad_desc()};
    const int arguments[] = {pass_ == ConvPass::transposed ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC,
                             backward ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS,
                             backward ? DNNL_ARG_DIFF_BIAS : DNNL_ARG_BIAS,
                             pass_ == ConvPass::forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST,
                             DNNL_ARG_SCRATCHPAD};
    if (own != plain) make_reorder(backward ? own : plain, backward ? plain : own);
    if (!fast_) return;
    weight_bytes_ = own.get_size();
    scratch_ = (descs[4].get_size() + 63) / 64 * 64;
    for (int thread = 0; thread < threads; ++thread) {
      Operands& member = team_.emplace_back();
      for (int i = 0; i < kOperands; ++i) {
        if (i == 2 && !d.has_vector) continue;
        member.memory[i] = dnnl::memory(descs[i], library_.engine, nullptr);
        member.args[member.count++] = {arguments[i], member.memory[i].get()};
      }
      member.from = dnnl::memory(backward ? own : plain, library_.engine, nullptr);
      member.to = dnnl::memory(backward ? plain : own, library_.engine, nullptr);
    }
    make_primitive(primitive);
  }

  void make_primitive(const dnnl::convolution_forward::primitive_desc& d) {
    conv_ = dnnl::convolution_forward(d);
  }
  void make_primitive(const dnnl::convolution_backward_data::primitive_desc& d) {
    conv_ = dnnl::convolution_backward_data(d);
  }
  void make_primitive(const dnnl::convolution_backward_weights::primitive_desc& d) {
    conv_ = dnnl::convolution_backward_weights(d);
  }

  void make_reorder(const Desc& from, const Desc& to) {
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::reorder::primitive_desc described(library_.engine, from, library_.engine, to,
                                                  attributes);
    reorder_ = dnnl::reorder(described);
    if (described.scratchpad_desc().get_size() > 0) fast_ = false;  // none of 32 bits needs any
  }

  void reorder_weight(const Operands& own, const float* from, float* to) const {
    check(dnnl_memory_set_data_handle(own.from.get(), const_cast<float*>(from)), "reorder");
    check(dnnl_memory_set_data_handle(own.to.get(), to), "reorder");
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, own.from.get()}, {DNNL_ARG_TO, own.to.get()}};
    library_.execute(reorder_, args, "reorder");
  }

  ConvProblem problem_;
  ConvPass pass_;
  OneDnn& library_;
  dnnl::primitive conv_, reorder_;
  size_t scratch_ = 0, weight_bytes_ = 0;
  bool fast_ = false;
  std::vector<Operands> team_;  ///< one a thread
};

}  // namespace

std::unique_ptr<ConvBlock<float>> onednn_conv(const ConvProblem& problem, ConvPass pass,
                                              bool vector, int threads, Device& device) {
  try {
    auto conv = std::make_unique<OneDnnConv>(problem, pass, vector, threads, device.slot<OneDnn>());
    if (conv->fast()) return conv;
  } catch (const dnnl::error& e) {
    if (e.status != dnnl_unimplemented) throw;
  }
  return nullptr;
}

#else

std::unique_ptr<ConvBlock<float>> onednn_conv(const ConvProblem&, ConvPass, bool, int, Device&) {
  return nullptr;
}

#endif

}  // namespace latent
