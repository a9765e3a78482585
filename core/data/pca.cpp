#include "core/data/pca.h"

#include <Eigen/Dense>
#include <algorithm>

#include "core/data/rows_file.h"

namespace latent {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr int64_t kBlock = 2048;  ///< rows in f64 at a time

const HostTensor& rows_of(const DataSet& data, const std::string& split) {
  if (split == "train") return data.train;
  return split == "validation" ? data.validation : data.test;
}

/// Calls f with blocks of the scaled rows [rows, elements].
template <class F>
void for_each_block(const DataSet& data, const HostTensor& rows, F f) {
  const int64_t d = elements(data.shape), n = rows.type.shape[0];
  const auto shift = data.shift.as<float>(), scale = data.scale.as<float>();
  const size_t row_bytes = static_cast<size_t>(d) * size_of(rows.type.dtype);
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t count = std::min(kBlock, n - first);
    HostTensor part(Type{rows.type.dtype, {count, d}});
    std::copy_n(rows.bytes.data() + static_cast<size_t>(first) * row_bytes, part.bytes.size(),
                part.bytes.data());
    const HostTensor values = to_f32(part);
    const auto v = values.as<float>();
    Matrix block(count, d);
    for (int64_t i = 0; i < count * d; ++i) {
      const size_t at = shift.size() == 1 ? 0 : static_cast<size_t>(i % d);
      block.data()[i] = (static_cast<double>(v[i]) - shift[at]) * scale[at];
    }
    f(block);
  }
}

struct Axes {
  Eigen::RowVectorXd mean;
  Eigen::VectorXd variances;  ///< ascending
  Eigen::MatrixXd axes;       ///< columns, in the same order
};

Axes fit(const DataSet& data) {
  const int64_t d = elements(data.shape);
  const double n = static_cast<double>(data.train.type.shape[0]);
  Axes result;
  result.mean = Eigen::RowVectorXd::Zero(d);
  for_each_block(data, data.train, [&](const Matrix& x) { result.mean += x.colwise().sum() / n; });
  Eigen::MatrixXd covariance = Eigen::MatrixXd::Zero(d, d);
  for_each_block(data, data.train, [&](Matrix& x) {
    x.rowwise() -= result.mean;
    covariance.noalias() += x.transpose() * x / n;
  });
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);
  if (solver.info() != Eigen::Success)
    throw std::runtime_error("pca: the eigenvalues did not converge");
  result.variances = solver.eigenvalues();
  result.axes = solver.eigenvectors();
  return result;
}

}  // namespace

PcaErrors pca_errors(const DataSet& data, const std::string& split, int64_t rank) {
  const int64_t d = elements(data.shape);
  if (rank < 1 || rank > d)
    throw UserError(cat("evaluate.pca.rank: is ", rank, ", a row has ", d, " elements"));
  const Axes axes = fit(data);
  const Eigen::MatrixXd kept = axes.axes.rightCols(rank);
  const HostTensor& rows = rows_of(data, split);
  const double n = static_cast<double>(rows.type.shape[0]);
  double sse = 0;
  for_each_block(data, rows, [&](Matrix& x) {
    x.rowwise() -= axes.mean;
    const Matrix codes = x * kept;
    sse += (x - codes * kept.transpose()).squaredNorm() / n;
  });
  return {.mse = sse / static_cast<double>(d),
          .sse = sse,
          .explained_variance = 1 - sse * n / statistics_of(data, split).sum_of_squares};
}

std::vector<double> pca_spectrum(const DataSet& data) {
  const Axes axes = fit(data);
  std::vector<double> variances(axes.variances.data(),
                                axes.variances.data() + axes.variances.size());
  std::ranges::reverse(variances);
  for (double& v : variances) v = std::max(v, 0.0);
  return variances;
}

}  // namespace latent
