// Products by oneDNN. It builds with 2.x, whose primitives are made from op descriptors, and with 3.x,
// which has none.
#include "kernels/matmul/onednn.h"

#include "kernels/matmul/block.h"
#include "kernels/matmul/team.h"

namespace latent {

#if defined(LATENT_ONEDNN)
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
constexpr auto kF32 = dnnl::memory::data_type::f32;

Desc matrix(int64_t rows, int64_t cols, bool transposed, int64_t stride) {
  return {{rows, cols}, kF32, transposed ? Dims{1, stride} : Dims{stride, 1}};
}

dnnl::matmul::primitive_desc describe(const BlockShape& s, bool bias, const dnnl::engine& engine) {
  const Desc a = matrix(s.m, s.k, s.trans_a, s.lda), b = matrix(s.k, s.n, s.trans_b, s.ldb),
             c = matrix(s.m, s.n, false, s.ldc), row = bias ? matrix(1, s.n, false, s.n) : Desc();
  dnnl::primitive_attr attributes;
  // Scratch memory of the library's own belongs to the thread that made the primitive.
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
#if DNNL_VERSION_MAJOR >= 3
  return {engine, a, b, row, c, attributes};
#else
  return {dnnl::matmul::desc(a, b, row, c), attributes, engine};
#endif
}

class OneDnnBlock final : public BlockProduct<float> {
 public:
  OneDnnBlock(const BlockShape& shape, bool bias, int threads, OneDnn& library)
      : library_(library) {
    const OneThread one;
    const auto described = describe(shape, bias, library.engine);
    product_ = dnnl::matmul(described);
    const Desc descs[] = {described.src_desc(), described.weights_desc(), described.bias_desc(),
                          described.dst_desc(), described.scratchpad_desc()};
    scratch_ = descs[4].get_size();
    for (int thread = 0; thread < threads; ++thread) {
      Operands& team_member = operands_.emplace_back();
      for (int i = 0; i < kOperands; ++i) {
        if (i == 2 && !bias) continue;
        team_member.memory[i] = dnnl::memory(descs[i], library.engine, nullptr);
        team_member.args[team_member.count++] = {kArguments[i], team_member.memory[i].get()};
      }
    }
  }

  size_t scratch() const override { return scratch_; }

  void run(int thread, const float* a, const float* b, const float* bias, float* c,
           void* scratch) const override {
    const Operands& own = operands_[thread];
    const void* const data[] = {a, b, bias, c, scratch};
    for (int i = 0; i < kOperands; ++i)
      if (own.memory[i])
        check(dnnl_memory_set_data_handle(own.memory[i].get(), const_cast<void*>(data[i])),
              "matmul");
    library_.execute(product_, {own.args, own.count}, "matmul");
  }

 private:
  static constexpr int kOperands = 5;
  static constexpr int kArguments[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST,
                                       DNNL_ARG_SCRATCHPAD};
  struct Operands {
    dnnl::memory memory[kOperands];
    dnnl_exec_arg_t args[kOperands];
    size_t count = 0;
  };

  OneDnn& library_;
  dnnl::matmul product_;
  size_t scratch_ = 0;
  std::vector<Operands> operands_;  ///< one a thread
};

}  // namespace

std::unique_ptr<BlockProduct<float>> onednn_block(const BlockShape& shape, bool bias, int threads,
                                                  Device& device) {
  return std::make_unique<OneDnnBlock>(shape, bias, threads, device.slot<OneDnn>());
}

#else

std::unique_ptr<BlockProduct<float>> onednn_block(const BlockShape&, bool, int, Device&) {
  return nullptr;
}

#endif

}  // namespace latent
