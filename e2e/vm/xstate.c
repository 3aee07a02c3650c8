/*
 * Preloaded into linux.uml: its 6.1 kernel knows at most AVX-512 and PKRU state, 2696 bytes, and sets no more of its
 * processes' registers. The host's PTRACE_SETREGSET takes NT_X86_XSTATE in full length only, which is 11008 bytes
 * where the processor has AMX. Fixed upstream in later kernels, which ask for the size.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

/* x87, SSE, AVX, MPX, AVX-512 and PKRU: the components that lie in the first 2696 bytes. */
#define KNOWN_COMPONENTS 0x2ffULL
/* Where the header begins in the XSAVE area; its first field says which components are in use. */
#define HEADER 512
#define LARGEST (64 * 1024)

/* UML's kernel runs on one processor, and no signal handler of its own calls this. */
static char area[LARGEST];

static long call(enum __ptrace_request request, pid_t pid, void *address, void *data) {
  static long (*next)(enum __ptrace_request, ...);
  if (!next) next = (long (*)(enum __ptrace_request, ...))dlsym(RTLD_NEXT, "ptrace");
  return next(request, pid, address, data);
}

/* Sets the known part; what lies beyond is in its initial state, as the header then says. */
static long set_known(pid_t pid, void *address, const struct iovec *known) {
  static size_t length;
  struct iovec whole = {area, sizeof area};
  if (!length) {
    if (call(PTRACE_GETREGSET, pid, address, &whole)) return -1;
    length = whole.iov_len;
  }
  if (known->iov_len >= length) return call(PTRACE_SETREGSET, pid, address, (void *)known);
  memset(area, 0, length);
  memcpy(area, known->iov_base, known->iov_len);
  uint64_t used;
  memcpy(&used, area + HEADER, sizeof used);
  used &= KNOWN_COMPONENTS;
  memcpy(area + HEADER, &used, sizeof used);
  whole.iov_len = length;
  return call(PTRACE_SETREGSET, pid, address, &whole);
}

long ptrace(enum __ptrace_request request, ...) {
  va_list arguments;
  va_start(arguments, request);
  pid_t pid = va_arg(arguments, pid_t);
  void *address = va_arg(arguments, void *);
  void *data = va_arg(arguments, void *);
  va_end(arguments);
  if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE) return set_known(pid, address, data);
  return call(request, pid, address, data);
}
