// Which functors have a GPU body: f64, which tests alone use, is computed on the CPU only, and nvcc
// shall not instantiate it.
#pragma once

#include <type_traits>

namespace latent {

namespace cpu {

template <class F>
struct MentionsDouble : std::is_same<F, double> {};
template <template <class...> class F, class... Ts>
struct MentionsDouble<F<Ts...>> : std::disjunction<MentionsDouble<Ts>...> {};
template <template <class, auto...> class F, class T, auto V, auto... Vs>
struct MentionsDouble<F<T, V, Vs...>> : MentionsDouble<T> {};
template <template <class, class, auto...> class F, class T, class U, auto V, auto... Vs>
struct MentionsDouble<F<T, U, V, Vs...>> : std::disjunction<MentionsDouble<T>, MentionsDouble<U>> {
};
template <template <auto, class...> class F, auto V, class T, class... Ts>
struct MentionsDouble<F<V, T, Ts...>> : std::disjunction<MentionsDouble<T>, MentionsDouble<Ts>...> {
};

template <class F>
constexpr bool cpu_only() {
  if constexpr (requires { F::cpu_only; }) {
    return F::cpu_only;
  } else {
    return MentionsDouble<F>::value;
  }
}

}  // namespace cpu

/// True where F has no GPU body: it says so with `static constexpr bool cpu_only`, or is a template
/// one of whose type arguments is double. An f32 functor may still return double: running sums in
/// f64 are for both.
template <class... Fs>
inline constexpr bool cpu_only_v = (cpu::cpu_only<Fs>() || ...);

}  // namespace latent
