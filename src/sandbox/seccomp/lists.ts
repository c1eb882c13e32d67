import type { Capability } from '../capabilities.js';

/*
 * Which system calls a sandbox may make. A call that is in no list does not exist there (ENOSYS), and so do calls of
 * future kernels: programs do without, as on an older kernel.
 */

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** What ordinary programs need. Names that one architecture lacks are another's. */
export const allowed: readonly string[] = [
  // Files by path
  ...words(`open openat openat2 creat close close_range access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64
    fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64 readlink readlinkat getcwd chdir fchdir
    mkdir mkdirat rmdir mknod mknodat unlink unlinkat link linkat symlink symlinkat rename renameat renameat2
    chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32
    utime utimes futimesat utimensat utimensat_time64 truncate truncate64 ftruncate ftruncate64 fallocate umask chroot
    getdents getdents64 readdir name_to_handle_at file_getattr file_setattr`),
  // Attributes of files
  ...words(`setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
    removexattr lremovexattr fremovexattr setxattrat getxattrat listxattrat removexattrat`),
  // Input and output
  ...words(`read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek readahead
    copy_file_range sendfile sendfile64 splice tee fcntl fcntl64 flock dup dup2 dup3 pipe pipe2
    sync syncfs fsync fdatasync sync_file_range fadvise64 fadvise64_64 cachestat
    io_setup io_submit io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64`),
  // Waiting for files
  ...words(`poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl
    epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create
    timerfd_settime timerfd_settime64 timerfd_gettime timerfd_gettime64
    inotify_init inotify_init1 inotify_add_watch inotify_rm_watch`),
  // Memory
  ...words(`brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall
    remap_file_pages memfd_create membarrier mseal map_shadow_stack pkey_alloc pkey_free pkey_mprotect process_mrelease
    mbind get_mempolicy set_mempolicy set_mempolicy_home_node`),
  // Processes
  ...words(`fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid getpgid getpgrp
    setpgid getsid setsid prctl arch_prctl set_tid_address set_thread_area get_thread_area
    set_robust_list get_robust_list rseq futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue
    restart_syscall pidfd_open pidfd_send_signal getcpu seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self`),
  // Signals
  ...words(`kill tkill tgkill pause alarm rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
    rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack
    sigaction signal sigpending sigprocmask sigreturn sigsuspend`),
  // Users and their privileges
  ...words(`getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid
    getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32
    setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32
    capget capset getrlimit ugetrlimit setrlimit prlimit64 getrusage getpriority setpriority nice`),
  // Scheduling
  ...words(`sched_yield sched_getparam sched_setparam sched_getscheduler sched_setscheduler sched_getattr sched_setattr
    sched_getaffinity sched_setaffinity sched_get_priority_max sched_get_priority_min
    sched_rr_get_interval sched_rr_get_interval_time64 ioprio_get ioprio_set`),
  // Time; setting it needs a capability that a sandbox lacks; reading its adjustment needs none
  ...words(`time times gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
    clock_nanosleep_time64 nanosleep adjtimex clock_adjtime clock_adjtime64 getitimer setitimer
    timer_create timer_settime timer_settime64 timer_gettime timer_gettime64 timer_getoverrun timer_delete`),
  // Sockets; the filter says which families are allowed
  ...words(`bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt
    sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg recvmmsg_time64`),
  // Messages, semaphores and shared memory of System V and POSIX: the sandbox's own
  ...words(`ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
    mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64`),
  // The system
  ...words(`uname sysinfo getrandom`),
];

/** Needed by debuggers: refused to procedures, allowed to what a user runs in a container. */
export const tracing = words('ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise');

/** Refused with EPERM and not as missing: programs then report why, or do without what only root may do. */
export const refused: readonly string[] = [
  ...tracing,
  ...words(
    `mount umount umount2 pivot_root open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick mount_setattr setns`,
  ),
  ...words(`sethostname setdomainname quotactl quotactl_fd acct swapon swapoff reboot kexec_load kexec_file_load`),
  ...words(`create_module init_module finit_module delete_module query_module get_kernel_syms`),
  ...words(`settimeofday stime clock_settime clock_settime64 iopl ioperm vhangup syslog lookup_dcookie`),
  ...words(`add_key request_key keyctl bpf perf_event_open fanotify_init userfaultfd open_by_handle_at`),
  ...words(`io_uring_setup io_uring_enter io_uring_register migrate_pages move_pages vmsplice ustat sysfs uselib`),
];

const mounting =
  words(`mount umount umount2 pivot_root open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick
  mount_setattr setns sethostname setdomainname quotactl quotactl_fd fanotify_init fanotify_mark lookup_dcookie`);

/**
 * The calls that an added capability allows. open_by_handle_at is never among them, although DAC_READ_SEARCH is a
 * common capability: it leads out of any root.
 */
export const byCapability: Readonly<Partial<Record<Capability, readonly string[]>>> = {
  SYS_ADMIN: mounting,
  BPF: ['bpf'],
  PERFMON: ['perf_event_open'],
  SYS_MODULE: words('create_module init_module finit_module delete_module query_module get_kernel_syms'),
  SYS_PTRACE: tracing,
  SYS_BOOT: words('reboot kexec_load kexec_file_load'),
  SYS_TIME: words('settimeofday stime clock_settime clock_settime64'),
  SYS_PACCT: ['acct'],
  SYS_RAWIO: words('iopl ioperm'),
  SYS_TTY_CONFIG: ['vhangup'],
  SYSLOG: ['syslog'],
};
