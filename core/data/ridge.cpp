#include "core/data/ridge.h"

#include <Eigen/Dense>
#include <algorithm>

namespace latent {
namespace {

using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr int64_t kBlock = 2048;  ///< rows

/// Rows [first, first + n) in f64.
Rows block(const HostTensor& rows, int64_t first, int64_t n) {
  const int64_t width = rows.type.elements() / rows.type.shape[0];
  return Eigen::Map<const Floats>(rows.as<float>().data() + first * width, n, width).cast<double>();
}

std::vector<double> mean_of(const HostTensor& rows, int64_t n) {
  std::vector<double> mean(static_cast<size_t>(rows.type.elements() / rows.type.shape[0]));
  Eigen::Map<Eigen::RowVectorXd> sum(mean.data(), static_cast<Eigen::Index>(mean.size()));
  for (int64_t first = 0; first < n; first += kBlock)
    sum += block(rows, first, std::min(kBlock, n - first)).colwise().sum();
  sum /= static_cast<double>(n);
  return mean;
}

auto row_vector(const std::vector<double>& v) {
  return Eigen::Map<const Eigen::RowVectorXd>(v.data(), static_cast<Eigen::Index>(v.size()));
}

/// While it lives, Eigen's own products take one thread.
struct OneThread {
  int before = Eigen::nbThreads();
  OneThread() { Eigen::setNbThreads(1); }
  ~OneThread() { Eigen::setNbThreads(before); }
};

}  // namespace

Ridge::Ridge(const HostTensor& x, const HostTensor& y) {
  const OneThread one;
  const int64_t n = std::min(kRows, x.type.shape[0]);
  mean_x_ = mean_of(x, n);
  mean_y_ = mean_of(y, n);
  inputs_ = static_cast<int64_t>(mean_x_.size());
  outputs_ = static_cast<int64_t>(mean_y_.size());
  Eigen::MatrixXd left = Eigen::MatrixXd::Zero(inputs_, inputs_);
  Rows right = Rows::Zero(inputs_, outputs_);
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t count = std::min(kBlock, n - first);
    Rows a = block(x, first, count), b = block(y, first, count);
    a.rowwise() -= row_vector(mean_x_);
    b.rowwise() -= row_vector(mean_y_);
#pragma omp parallel sections
    {
#pragma omp section
      left.selfadjointView<Eigen::Lower>().rankUpdate(a.transpose());
#pragma omp section
      right.noalias() += a.transpose() * b;
    }
  }
  left.diagonal().array() += 1e-6 * left.diagonal().mean() + 1e-12;
  weights_.resize(static_cast<size_t>(inputs_ * outputs_));
  Eigen::Map<Rows>(weights_.data(), inputs_, outputs_) =
      left.selfadjointView<Eigen::Lower>().llt().solve(right);
}

std::vector<float> Ridge::predict(const HostTensor& x) const {
  const OneThread one;
  const Eigen::Map<const Rows> weights(weights_.data(), inputs_, outputs_);
  const int64_t n = x.type.shape[0];
  std::vector<float> out(static_cast<size_t>(n * outputs_));
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t count = std::min(kBlock, n - first);
    Rows a = block(x, first, count);
    a.rowwise() -= row_vector(mean_x_);
    Rows b = a * weights;
    b.rowwise() += row_vector(mean_y_);
    Eigen::Map<Floats>(out.data() + first * outputs_, count, outputs_) = b.cast<float>();
  }
  return out;
}

}  // namespace latent
