// A team of threads over tasks that call libraries: each library is told that it has one thread, so that its bits
// don't depend on how many there are.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <exception>

namespace latent {

/// While it lives, libraries that ask OpenMP how many threads to take are told one.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;

 private:
  int before_;
};

/// f(task, thread) for each task on a team of up to `threads`; the first exception is thrown at the
/// end.
template <class F>
void parallel_tasks(int64_t tasks, int threads, const F& f) {
  std::exception_ptr error;
  const int team = static_cast<int>(std::min<int64_t>({tasks, threads, omp_get_max_threads()}));
#pragma omp parallel num_threads(team) if (team > 1)
  {
    const OneThread one;
#pragma omp for schedule(static) nowait
    for (int64_t i = 0; i < tasks; ++i) try {
        f(i, omp_get_thread_num());
      } catch (...) {
#pragma omp critical(latent_task_error)
        error = std::current_exception();
      }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace latent
