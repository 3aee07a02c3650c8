/*
 * Tries system calls that a container should not have, and prints each with its outcome, a line each: "mount EPERM",
 * or "mount ok". None can do harm where it is let through: arguments are such that the kernel refuses them otherwise,
 * and then the errno is another one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif
#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif

static void report(const char *name, long result) {
  if (result >= 0)
    printf("%s ok\n", name);
  else
    printf("%s %s\n", name, strerrorname_np(errno));
}

/* In a child, so that what is let through changes nothing for the calls after it. */
#define TRY(name, call) \
  do { \
    fflush(stdout); \
    pid_t child = fork(); \
    if (child == 0) { \
      report(name, (call)); \
      fflush(stdout); \
      _exit(0); \
    } \
    waitpid(child, NULL, 0); \
  } while (0)

static long clone_with(unsigned long flags) {
  long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

  if (pid == 0)
    _exit(0);
  if (pid > 0)
    waitpid(pid, NULL, 0);
  return pid;
}

int main(void) {
  static const char nothing[64];

  TRY("keyctl", syscall(SYS_keyctl, 0, -3, 0));
  TRY("add_key", syscall(SYS_add_key, "none", "none", 0, 0, 0));
  TRY("request_key", syscall(SYS_request_key, "none", "none", 0, 0));
  TRY("bpf", syscall(SYS_bpf, -1, nothing, 0));
  TRY("perf_event_open", syscall(SYS_perf_event_open, nothing, -1, -1, -1, 0));
  TRY("userfaultfd", syscall(SYS_userfaultfd, -1));
  TRY("io_uring_setup", syscall(SYS_io_uring_setup, 0, 0));
  TRY("kexec_load", syscall(SYS_kexec_load, 0, 99, 0, -1));
  TRY("init_module", syscall(SYS_init_module, 0, 0, ""));
  TRY("swapon", syscall(SYS_swapon, "/none", -1));
  TRY("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
  TRY("settimeofday", syscall(SYS_settimeofday, 0, -1));
  TRY("open_by_handle_at", syscall(SYS_open_by_handle_at, -1, 0, 0));
  TRY("pivot_root", syscall(SYS_pivot_root, "/none", "/none"));
  TRY("mount", syscall(SYS_mount, "none", "/none", "none", 0, 0));
  TRY("umount2", syscall(SYS_umount2, "/none", 0));
  TRY("fsopen", syscall(SYS_fsopen, "none", 0));
  TRY("unshare", syscall(SYS_unshare, CLONE_NEWNS));
  TRY("unshare-user", syscall(SYS_unshare, CLONE_NEWUSER));
  TRY("setns", syscall(SYS_setns, -1, 0));
  TRY("sethostname", syscall(SYS_sethostname, "x", -1));
  TRY("clone", clone_with(0));
  TRY("clone-newuser", clone_with(CLONE_NEWUSER));
  TRY("clone-newns", clone_with(CLONE_NEWNS));
  TRY("clone3", syscall(SYS_clone3, nothing, 0));
  TRY("socket-inet", socket(AF_INET, SOCK_STREAM, 0));
  TRY("socket-alg", socket(38, SOCK_SEQPACKET, 0));
  TRY("socket-vsock", socket(40, SOCK_STREAM, 0));
  TRY("socket-vsock-high", syscall(SYS_socket, 40UL | 1UL << 32, SOCK_STREAM, 0));
  TRY("personality", syscall(SYS_personality, 0x0040000));
  TRY("ptrace", syscall(SYS_ptrace, 0, 0, 0, 0));
  return 0;
}
