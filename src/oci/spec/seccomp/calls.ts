/**
 * System calls by what they are for, as the default profile sorts them. Names of every architecture stand side by side:
 * a runtime leaves out those that the filter's architecture does not have. A call that is nowhere here is denied.
 */

const names = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Allowed to every container. Each acts on what the process owns or may reach already, or checks capabilities itself. */
export const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'files by path': names(`
    open openat openat2 creat close close_range stat stat64 lstat lstat64 fstatat64 newfstatat statx access faccessat
    faccessat2 readlink readlinkat chdir getcwd mkdir mkdirat rmdir mknod mknodat link linkat symlink symlinkat unlink
    unlinkat rename renameat renameat2 chmod fchmodat fchmodat2 chown chown32 lchown lchown32 fchownat utime utimes
    futimesat utimensat utimensat_time64 truncate truncate64 statfs statfs64 umask name_to_handle_at`),
  'extended attributes': names(`
    getxattr lgetxattr fgetxattr getxattrat listxattr llistxattr flistxattr listxattrat setxattr lsetxattr fsetxattr
    setxattrat removexattr lremovexattr fremovexattr removexattrat`),
  'open files': names(`
    read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek readahead sendfile
    sendfile64 copy_file_range splice tee vmsplice fstat fstat64 fstatfs fstatfs64 fchdir fchmod fchown fchown32
    ftruncate ftruncate64 fallocate fadvise64 fadvise64_64 fsync fdatasync sync syncfs sync_file_range cachestat flock
    fcntl fcntl64 ioctl dup dup2 dup3 pipe pipe2 getdents getdents64`),
  waiting: names(`
    select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl
    epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 inotify_init inotify_init1
    inotify_add_watch inotify_rm_watch fanotify_mark io_setup io_submit io_getevents io_pgetevents
    io_pgetevents_time64 io_cancel io_destroy`),
  'sockets, but for their making': names(`
    socketpair socketcall bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt
    send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64`),
  memory: names(`
    brk mmap mmap2 munmap mremap mprotect remap_file_pages madvise mincore msync mlock mlock2 mlockall munlock
    munlockall mseal memfd_create memfd_secret pkey_alloc pkey_free pkey_mprotect map_shadow_stack membarrier`),
  processes: names(`
    fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid getpgid getpgrp setpgid
    getsid setsid prctl getrusage getrlimit ugetrlimit setrlimit prlimit64 pidfd_open pidfd_send_signal
    process_mrelease set_tid_address set_robust_list get_robust_list set_thread_area get_thread_area rseq
    restart_syscall uretprobe`),
  futexes: names(`futex futex_time64 futex_wait futex_waitv futex_wake futex_requeue`),
  signals: names(`
    kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigpending rt_sigqueueinfo rt_tgsigqueueinfo rt_sigreturn
    rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 sigaltstack sigprocmask sigreturn signalfd signalfd4 pause`),
  identity: names(`
    getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32
    getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid
    setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset`),
  scheduling: names(`
    sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam sched_getscheduler
    sched_setscheduler sched_getattr sched_setattr sched_get_priority_max sched_get_priority_min sched_rr_get_interval
    sched_rr_get_interval_time64 getpriority setpriority ioprio_get ioprio_set getcpu`),
  time: names(`
    time times gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
    clock_nanosleep_time64 nanosleep alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime
    timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
    timerfd_settime64 adjtimex clock_adjtime clock_adjtime64`),
  'System V and POSIX IPC': names(`
    ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget mq_open
    mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64`),
  'what the machine is': names(`uname sysinfo getrandom listmount statmount`),
  'confining oneself further': names(`
    seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self lsm_list_modules lsm_get_self_attr
    lsm_set_self_attr`),
};

/** Since 4.8 a tracer cannot make its tracee slip past the filter. */
export const TRACING = { minKernel: '4.8', calls: names('ptrace process_vm_readv process_vm_writev') };

/** Allowed on one architecture, by Go's name of it. */
export const BY_ARCHITECTURE: Readonly<Record<string, readonly string[]>> = {
  amd64: names('arch_prctl modify_ldt'),
  '386': names('modify_ldt'),
  arm: names('arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls'),
  arm64: names('arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls'),
  ppc64le: names('sync_file_range2 swapcontext'),
  riscv64: names('riscv_flush_icache riscv_hwprobe'),
  s390x: names('s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr'),
};

/** Allowed to a container that has the capability, without which the kernel would mostly refuse them anyway. */
export const BY_CAPABILITY: Readonly<Record<string, readonly string[]>> = {
  CAP_BPF: names('bpf'),
  CAP_DAC_READ_SEARCH: names('open_by_handle_at'),
  CAP_PERFMON: names('perf_event_open'),
  CAP_SYSLOG: names('syslog'),
  CAP_SYS_ADMIN: names(`
    mount mount_setattr umount umount2 fsopen fsconfig fsmount fspick move_mount open_tree unshare setns clone clone3
    sethostname setdomainname quotactl quotactl_fd fanotify_init bpf perf_event_open syslog lookup_dcookie`),
  CAP_SYS_BOOT: names('reboot'),
  CAP_SYS_CHROOT: names('chroot'),
  CAP_SYS_MODULE: names('init_module finit_module delete_module'),
  CAP_SYS_NICE: names('get_mempolicy set_mempolicy set_mempolicy_home_node mbind'),
  CAP_SYS_PACCT: names('acct'),
  CAP_SYS_PTRACE: names('kcmp pidfd_getfd process_madvise ptrace process_vm_readv process_vm_writev'),
  CAP_SYS_RAWIO: names('iopl ioperm'),
  CAP_SYS_TIME: names('settimeofday stime clock_settime clock_settime64'),
  CAP_SYS_TTY_CONFIG: names('vhangup'),
};
