// The few calls of Linux's that glibc's headers hide from Swift, because Swift reads them without
// _GNU_SOURCE.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern int memfd_create(const char *name, unsigned int flags);
extern int pipe2(int ends[2], int flags);
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

// A file in memory (MFD_CLOEXEC | MFD_ALLOW_SEALING).
static inline int csystem_memory_file(const char *name) { return memfd_create(name, 3); }

// A counter that poll(2) can wait for (EFD_CLOEXEC | EFD_NONBLOCK): one descriptor, where a pair takes two.
extern int eventfd(unsigned int count, int flags);
static inline int csystem_event_counter(void) { return eventfd(0, O_CLOEXEC | O_NONBLOCK); }

// fcntl() is variadic, which Swift does not import. F_ADD_SEALS: nobody writes to a memory file, grows
// or shrinks it any more.
static inline int csystem_seal(int descriptor) { return fcntl(descriptor, 1033, 0xf); }

// A file without a name (O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC), gone when the last of its
// descriptors is.
static inline int csystem_unnamed_file(const char *directory) {
  return open(directory, 020000000 | O_DIRECTORY | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
}

static inline int csystem_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

// The members of a union, which Swift does not import: whose SIGCHLD it is, and its exit status or signal.
static inline int csystem_child(const siginfo_t *information) { return information->si_pid; }
static inline int csystem_child_status(const siginfo_t *information) { return information->si_status; }

// How many bytes of a pipe are not read yet, or -1. ioctl() is variadic; 0x541b is FIONREAD.
extern int ioctl(int descriptor, unsigned long request, ...);
static inline int csystem_unread(int descriptor) {
  int count = -1;
  return ioctl(descriptor, 0x541b, &count) == 0 ? count : -1;
}

// The signals that are ignored: bit N - 1 is signal N. By system calls, because glibc keeps two signals to itself.
static inline unsigned long long csystem_ignored_signals(void) {
  unsigned long long ignored = 0;
  for (long number = 1; number <= 64; number++) {
    unsigned long action[8] = {0};  // the kernel's: the handler comes first, 1 is SIG_IGN
    if (syscall(SYS_rt_sigaction, number, NULL, action, 8L) == 0 && action[0] == 1) ignored |= 1ULL << (number - 1);
  }
  return ignored;
}

// What a child is to become, and why it has not.
struct csystem_program {
  const char *path;
  char **arguments, **environment;
  int descriptors[4];          // what become its descriptors 0 to 3
  unsigned long long ignored;  // the signals to be set to their defaults
  int error;
};

// The child: it shares our memory and our stack, and we do not run until it has executed the program or ended.
static __attribute__((noinline, noreturn, unused)) void csystem_become(struct csystem_program *program) {
  unsigned long standard[8] = {0};
  unsigned long long open = 0;
  setpgid(0, 0);
  for (long number = 1; number <= 64; number++)
    if (program->ignored >> (number - 1) & 1) syscall(SYS_rt_sigaction, number, standard, NULL, 8L);
  for (int to = 0; to < 4; to++) {
    int from = program->descriptors[to];
    if (from != to ? dup2(from, to) < 0 : to > 2 && fcntl(from, F_SETFD, 0) < 0) goto failed;
  }
#ifdef SYS_close_range
  syscall(SYS_close_range, 4L, (long)~0U, 0L);  // where it fails, all that we have opened is closed by execve(2)
#endif
  syscall(SYS_rt_sigprocmask, (long)SIG_SETMASK, &open, NULL, 8L);
  execve(program->path, program->arguments, program->environment);
failed:
  program->error = errno;
  _exit(127);
}

// Starts a program as posix_spawn(3) does, with a third of its system calls: CLONE_CLEAR_SIGHAND sets all signals that
// are caught to their defaults at once, and the stack is ours.
//
// Returns its pid; 0 when it cannot be executed, and `error` says why; -1 where there is no such call (Linux 5.5), or
// it is forbidden.
static __attribute__((noinline, unused)) pid_t csystem_start(struct csystem_program *program) {
  struct {
    unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
  } arguments = {.flags = 0x100000000ULL | 0x4000 | 0x100, .exit_signal = SIGCHLD};  // CLEAR_SIGHAND, VFORK, VM
  sigset_t all, before;
  long child = -1;
  sigfillset(&all);
  // A handler of ours must not run in the child.
  sigprocmask(SIG_BLOCK, &all, &before);
  // No function between us and the call: the child's calls would overwrite where it returns to.
#if defined(__x86_64__)
  __asm__ volatile("syscall"
                   : "=a"(child)
                   : "0"(435L), "D"(&arguments), "S"(sizeof arguments)
                   : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long number __asm__("x8") = 435;
  register long first __asm__("x0") = (long)&arguments;
  register long second __asm__("x1") = sizeof arguments;
  __asm__ volatile("svc #0" : "+r"(first) : "r"(number), "r"(second) : "memory");
  child = first;
#endif
  if (child == 0) csystem_become(program);
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (child < 0) return -1;
  if (program->error == 0) return (pid_t)child;
  while (waitpid((pid_t)child, NULL, 0) < 0 && errno == EINTR) {}
  return 0;
}
