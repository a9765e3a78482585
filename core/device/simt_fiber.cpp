#include "core/device/simt_fiber.h"

#if defined(LATENT_GPU_SIMT)

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#include "core/device/sanitizer.h"
#if LATENT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
// Saves the registers that a call preserves on this stack, and takes up those on the other.
extern "C" void latent_simt_switch(void** save, void* load);
asm(R"(
.text
.local latent_simt_switch
.type latent_simt_switch, @function
latent_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size latent_simt_switch, .-latent_simt_switch
)");
#endif

namespace latent {
inline namespace LATENT_BACKEND {
namespace simt {

namespace {

// Instrumented frames are large. Below the stack lies a page that nobody may touch.
constexpr size_t kStack = LATENT_ASAN ? 256 << 10 : 64 << 10;
constexpr size_t kGuard = 16 << 10;

thread_local Fiber* starting = nullptr;

void announce_switch([[maybe_unused]] void** fake_stack, [[maybe_unused]] const void* bottom,
                     [[maybe_unused]] size_t size) {
#if LATENT_ASAN
  __sanitizer_start_switch_fiber(fake_stack, bottom, size);
#endif
}

void announce_arrival([[maybe_unused]] void* fake_stack, [[maybe_unused]] const void** bottom,
                      [[maybe_unused]] size_t* size) {
#if LATENT_ASAN
  __sanitizer_finish_switch_fiber(fake_stack, bottom, size);
#endif
}

}  // namespace

Fiber::Fiber() {
  void* p = mmap(nullptr, kGuard + kStack, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  mprotect(p, kGuard, PROT_NONE);
  stack_ = static_cast<std::byte*>(p) + kGuard;
}

Fiber::~Fiber() {
  asan::unpoison(stack_, kStack);
  munmap(stack_ - kGuard, kGuard + kStack);
}

void Fiber::start(void (*entry)(void*), void* argument) {
  if (alive_) asan::unpoison(stack_, kStack);  // frames that were never left
  entry_ = entry;
  argument_ = argument;
  alive_ = true;
#if defined(__x86_64__)
  // As latent_simt_switch leaves a stack: six registers, the return address; then main's missing
  // caller, which aligns the stack as a call does.
  auto* top = reinterpret_cast<uint64_t*>(stack_ + kStack);
  *--top = 0;
  *--top = reinterpret_cast<uint64_t>(&Fiber::main);
  for (int i = 0; i < 6; ++i) *--top = 0;
  self_ = top;
#else
  getcontext(&self_);
  self_.uc_stack.ss_sp = stack_;
  self_.uc_stack.ss_size = kStack;
  self_.uc_link = nullptr;
  makecontext(&self_, &Fiber::main, 0);
#endif
}

bool Fiber::resume() {
  starting = this;
  announce_switch(&caller_fake_stack_, stack_, kStack);
#if defined(__x86_64__)
  latent_simt_switch(&caller_, self_);
#else
  swapcontext(&caller_, &self_);
#endif
  announce_arrival(caller_fake_stack_, nullptr, nullptr);
  return alive_;
}

void Fiber::suspend() {
  switch_to_caller(false);
  announce_arrival(fake_stack_, &caller_bottom_, &caller_size_);
}

void Fiber::switch_to_caller(bool for_good) {
  announce_switch(for_good ? nullptr : &fake_stack_, caller_bottom_, caller_size_);
#if defined(__x86_64__)
  latent_simt_switch(&self_, caller_);
#else
  swapcontext(&self_, &caller_);
#endif
}

void Fiber::main() {
  Fiber* self = starting;
  announce_arrival(nullptr, &self->caller_bottom_, &self->caller_size_);
  self->entry_(self->argument_);
  self->alive_ = false;
  self->switch_to_caller(true);
  std::abort();  // nobody resumes a fiber that has ended
}

}  // namespace simt
}  // namespace LATENT_BACKEND
}  // namespace latent

#endif
