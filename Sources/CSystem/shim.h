// Linux calls that glibc's headers hide from Swift, because Swift reads them without _GNU_SOURCE.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern int memfd_create(const char *name, unsigned int flags);
extern int pipe2(int ends[2], int flags);
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

// A memory file (MFD_CLOEXEC | MFD_ALLOW_SEALING).
static inline int csystem_memory_file(const char *name) { return memfd_create(name, 3); }

// A counter for poll(2) (EFD_CLOEXEC | EFD_NONBLOCK): one descriptor, where a pipe needs two.
extern int eventfd(unsigned int count, int flags);
static inline int csystem_event_counter(void) { return eventfd(0, O_CLOEXEC | O_NONBLOCK); }

// fcntl() is variadic, which Swift does not import. F_ADD_SEALS: a memory file can no longer be written, grown or
// shrunk.
static inline int csystem_seal(int descriptor) { return fcntl(descriptor, 1033, 0xf); }

// A file without a name (O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC), deleted when its last descriptor is closed.
static inline int csystem_unnamed_file(const char *directory) {
  return open(directory, 020000000 | O_DIRECTORY | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
}

static inline int csystem_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

// Members of a union, which Swift does not import: the child's pid, and its exit status or signal.
static inline int csystem_child(const siginfo_t *information) { return information->si_pid; }
static inline int csystem_child_status(const siginfo_t *information) { return information->si_status; }

// Number of unread bytes in a pipe, or -1. ioctl() is variadic; 0x541b is FIONREAD.
extern int ioctl(int descriptor, unsigned long request, ...);
static inline int csystem_unread(int descriptor) {
  int count = -1;
  return ioctl(descriptor, 0x541b, &count) == 0 ? count : -1;
}

// The device of a terminal, by whatever name it was opened, or -1. 0x80045432 is TIOCGDEV.
static inline long csystem_terminal_device(int descriptor) {
  unsigned int device = 0;
  return ioctl(descriptor, 0x80045432, &device) == 0 ? (long)device : -1;
}

// Sets a terminal to the size of another one.
static inline void csystem_copy_terminal_size(int from, int to) {
  struct { unsigned short rows, columns, width, height; } wanted, present;
  if (ioctl(from, 0x5413, &wanted) != 0 || ioctl(to, 0x5413, &present) != 0) return;  // TIOCGWINSZ
  if (wanted.rows == present.rows && wanted.columns == present.columns) return;
  ioctl(to, 0x5414, &wanted);  // TIOCSWINSZ
}

// A pseudo-terminal: bytes written to its second end are read unchanged from the first, which is non-blocking.
static inline int csystem_pseudo_terminal(int ends[2]) {
  int locked = 0;
  struct termios settings;
  ends[0] = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (ends[0] < 0) return -1;
  ioctl(ends[0], 0x40045431, &locked);                                // TIOCSPTLCK
  ends[1] = ioctl(ends[0], 0x5441, O_RDWR | O_NOCTTY | O_CLOEXEC);    // TIOCGPTPEER
  if (ends[1] < 0 || tcgetattr(ends[1], &settings) != 0) {
    if (ends[1] >= 0) close(ends[1]);
    close(ends[0]);
    return -1;
  }
  settings.c_oflag &= ~(tcflag_t)OPOST;
  settings.c_lflag &= ~(tcflag_t)ECHO;
  tcsetattr(ends[1], TCSANOW, &settings);
  return 0;
}

// The ignored signals: bit N - 1 is signal N. By system calls, because glibc reserves two signals.
static inline unsigned long long csystem_ignored_signals(void) {
  unsigned long long ignored = 0;
  for (long number = 1; number <= 64; number++) {
    unsigned long action[8] = {0};  // the kernel's structure: the handler is first, 1 is SIG_IGN
    if (syscall(SYS_rt_sigaction, number, NULL, action, 8L) == 0 && action[0] == 1) ignored |= 1ULL << (number - 1);
  }
  return ignored;
}

// A program to start, and the errno if it fails.
struct csystem_program {
  const char *path;
  char **arguments, **environment;
  int descriptors[4];          // the child's descriptors 0 to 3
  unsigned long long ignored;  // the signals to set to their defaults
  int error;
};

// The child: it shares our memory and stack, and we are suspended until it has executed the program or exited.
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
  syscall(SYS_close_range, 4L, (long)~0U, 0L);  // if this fails: all our descriptors are close-on-exec
#endif
  syscall(SYS_rt_sigprocmask, (long)SIG_SETMASK, &open, NULL, 8L);
  execve(program->path, program->arguments, program->environment);
failed:
  program->error = errno;
  _exit(127);
}

// Starts a program like posix_spawn(3), with a third of its system calls: CLONE_CLEAR_SIGHAND resets all caught signals
// at once, and the child uses our stack.
//
// Returns its pid; 0 when it cannot be executed (see `error`); -1 if the system call does not exist (before Linux 5.5)
// or is forbidden.
static __attribute__((noinline, unused)) pid_t csystem_start(struct csystem_program *program) {
  struct {
    unsigned long long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
  } arguments = {.flags = 0x100000000ULL | 0x4000 | 0x100, .exit_signal = SIGCHLD};  // CLEAR_SIGHAND, VFORK, VM
  sigset_t all, before;
  long child = -1;
  sigfillset(&all);
  // A handler of ours must not run in the child.
  sigprocmask(SIG_BLOCK, &all, &before);
  // Inline, because the child's calls would overwrite the return address of a function.
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
