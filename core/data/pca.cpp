#include "core/data/pca.h"

#include <Eigen/Dense>
#include <algorithm>
#include <numeric>

#include "core/data/convert.h"
#include "core/data/moments.h"

namespace latent {
namespace {

using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Map = Eigen::Map<const Rows>;

/// Upper triangle of the sum of (x - mean)' (x - mean). Cut into stripes of columns: a thread has a whole one, so the
/// order of every sum is fixed.
Eigen::MatrixXd scatter(const DataSet& data, const Eigen::RowVectorXd& mean) {
  constexpr int64_t kRows = 2048, kStripe = 64;
  const int64_t d = mean.size(), n = data.train.count(), stripes = (d + kStripe - 1) / kStripe;
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(d, d);
  for (int64_t first = 0; first < n; first += kRows) {
    const int64_t count = std::min(kRows, n - first);
    const std::vector<float> scaled = scaled_rows(data.train, first, count, data.shift, data.scale);
    Rows x =
        Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
            scaled.data(), count, d)
            .cast<double>();
    x.rowwise() -= mean;
#pragma omp parallel for schedule(dynamic)
    for (int64_t s = stripes - 1; s >= 0; --s) {  // the longest first
      const int64_t column = s * kStripe, width = std::min(kStripe, d - column);
      sum.block(0, column, column + width, width).noalias() +=
          x.leftCols(column + width).transpose() * x.middleCols(column, width);
    }
  }
  return sum;
}

}  // namespace

void require_whole_rows(const DataSet& data, const std::string& who) {
  if (data.targets)
    throw UserError(cat(who, ": reconstructs the rows, and data.target asks for something else"));
  if (!data.masked) return;
  for (const StoredRows* part : {&data.train, &data.validation, &data.test})
    if (has_nan(*part))
      throw UserError(cat(who, ": takes whole rows, and data.missing leaves cells out"));
}

Pca::Pca(const DataSet& data) : width_(elements(data.shape)) {
  require_whole_rows(data, "pca");
  const int threads = Eigen::nbThreads();
  Eigen::setNbThreads(1);
  mean_ = moments_of(data.train, data.shift, data.scale).mean;
  const double n = static_cast<double>(data.train.count());
  const Eigen::MatrixXd covariance =
      scatter(data, Eigen::Map<const Eigen::RowVectorXd>(mean_.data(), width_)) / n;
  // The solver reads the lower triangle.
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance.transpose());
  Eigen::setNbThreads(threads);
  if (solver.info() != Eigen::Success)
    throw std::runtime_error("pca: the eigenvalues did not converge");
  axes_.resize(static_cast<size_t>(width_ * width_));
  for (int64_t k = 0; k < width_; ++k) {
    const Eigen::VectorXd axis = solver.eigenvectors().col(width_ - 1 - k);
    Eigen::Index largest = 0;
    axis.cwiseAbs().maxCoeff(&largest);
    Eigen::Map<Eigen::VectorXd>(axes_.data() + k * width_, width_) =
        axis(largest) < 0 ? (-axis).eval() : axis;
    variances_.push_back(std::max(solver.eigenvalues()(width_ - 1 - k), 0.0));
  }
}

std::vector<double> Pca::residuals(const DataSet& data, const std::string& split,
                                   int64_t rank) const {
  if (rank < 1 || rank > width_)
    throw UserError(cat("pca: rank ", rank, ", and a row has ", width_, " elements"));
  const StoredRows& rows = split_of(data, split);
  const Map axes(axes_.data(), rank, width_);
  const Eigen::Map<const Eigen::RowVectorXd> mean(mean_.data(), width_);
  std::vector<double> out(static_cast<size_t>(rows.count()));
  const int threads = Eigen::nbThreads();
  Eigen::setNbThreads(1);
  for_each_block(rows, data.shift, data.scale, [&](size_t block, const float* scaled, int64_t n) {
    Rows x =
        Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
            scaled, n, width_)
            .cast<double>();
    x.rowwise() -= mean;
    const Rows codes = x * axes.transpose();
    x.noalias() -= codes * axes;
    Eigen::Map<Eigen::VectorXd>(out.data() + static_cast<int64_t>(block) * kMomentRows, n) =
        x.rowwise().squaredNorm();
  });
  Eigen::setNbThreads(threads);
  return out;
}

PcaErrors Pca::errors(const DataSet& data, const std::string& split, int64_t rank) const {
  const std::vector<double> squared = residuals(data, split, rank);
  const double sum = std::accumulate(squared.begin(), squared.end(), 0.0);
  const double sse = sum / static_cast<double>(std::max<size_t>(squared.size(), 1));
  return {.mse = sse / static_cast<double>(width_),
          .sse = sse,
          .explained_variance = 1 - sum / statistics_of(data, split).sum_of_squares};
}

PcaErrors pca_errors(const DataSet& data, const std::string& split, int64_t rank) {
  return Pca(data).errors(data, split, rank);
}

std::vector<double> pca_spectrum(const DataSet& data) { return Pca(data).variances(); }

}  // namespace latent
