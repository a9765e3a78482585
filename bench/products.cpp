#include "bench/products.h"

#if defined(LATENT_ONEDNN)
#include <cstring>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>
#endif

namespace latent {

#if defined(LATENT_ONEDNN)
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

/// A matrix as a product wants it, and how it lies: row-major, or transposed.
Desc matrix(int64_t rows, int64_t cols, bool transposed = false) {
  return {{rows, cols}, dnnl::memory::data_type::f32, transposed ? Dims{1, rows} : Dims{cols, 1}};
}

class Products {
 public:
  Products(std::span<const int64_t> widths, int64_t batch)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    const size_t layers = widths.size() - 1;
    std::vector<dnnl::memory> x, g, w;
    for (const int64_t width : widths) {
      x.push_back(zeros(matrix(batch, width)));
      g.push_back(zeros(matrix(batch, width)));
    }
    for (size_t i = 0; i < layers; ++i) {
      const int64_t in = widths[i], out = widths[i + 1];
      w.push_back(zeros(matrix(out, in)));
      add(x[i], matrix(batch, in), w[i], matrix(in, out, true), x[i + 1]);
    }
    for (size_t i = layers; i-- > 0;) {
      const int64_t in = widths[i], out = widths[i + 1];
      add(g[i + 1], matrix(out, batch, true), x[i], matrix(batch, in), zeros(matrix(out, in)));
      if (i > 0) add(g[i + 1], matrix(batch, out), w[i], matrix(out, in), g[i]);
    }
  }

  // The C interface: the C++ one builds a vector at each call.
  void run() {
    for (const Product& p : products_)
      if (dnnl_primitive_execute(p.primitive.get(), stream_.get(), 3, p.args) != dnnl_success)
        throw std::runtime_error("oneDNN: a product failed");
  }

 private:
  struct Product {
    dnnl::matmul primitive;
    dnnl_exec_arg_t args[3];
  };

  dnnl::memory zeros(const Desc& desc) {
    dnnl::memory memory(desc, engine_);
    std::memset(memory.get_data_handle(), 0, desc.get_size());
    return memory;
  }

  dnnl::memory view(const dnnl::memory& of, const Desc& desc) {
    return memory_.emplace_back(desc, engine_, of.get_data_handle());
  }

  void add(const dnnl::memory& a, const Desc& as_a, const dnnl::memory& b, const Desc& as_b,
           const dnnl::memory& c) {
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc described(engine_, as_a, as_b, c.get_desc());
#else
    const dnnl::matmul::primitive_desc described(dnnl::matmul::desc(as_a, as_b, c.get_desc()),
                                                 engine_);
#endif
    memory_.insert(memory_.end(), {a, b, c});  // what the views look at
    products_.push_back({dnnl::matmul(described),
                         {{DNNL_ARG_SRC, view(a, as_a).get()},
                          {DNNL_ARG_WEIGHTS, view(b, as_b).get()},
                          {DNNL_ARG_DST, view(c, c.get_desc()).get()}}});
  }

  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<dnnl::memory> memory_;
  std::vector<Product> products_;
};

}  // namespace

std::function<void()> onednn_products(std::span<const int64_t> widths, int64_t batch) {
  return [products = std::make_shared<Products>(widths, batch)] { products->run(); };
}

#else

std::function<void()> onednn_products(std::span<const int64_t>, int64_t) { return {}; }

#endif

}  // namespace latent
