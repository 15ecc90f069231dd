// The few calls of Linux's that glibc's headers hide from Swift, because Swift reads them without
// _GNU_SOURCE.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <termios.h>
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

// The device of a terminal, whatever name it was opened by, or -1. 0x80045432 is TIOCGDEV.
static inline long csystem_terminal_device(int descriptor) {
  unsigned int device = 0;
  return ioctl(descriptor, 0x80045432, &device) == 0 ? (long)device : -1;
}

// Gives a terminal the size of another one, so that a program on it knows how wide its lines may be.
static inline void csystem_copy_terminal_size(int from, int to) {
  struct { unsigned short rows, columns, width, height; } wanted, present;
  if (ioctl(from, 0x5413, &wanted) != 0 || ioctl(to, 0x5413, &present) != 0) return;  // TIOCGWINSZ
  if (wanted.rows == present.rows && wanted.columns == present.columns) return;
  ioctl(to, 0x5414, &wanted);  // TIOCSWINSZ
}

// A pseudo-terminal: what is written to its second end is read from the first, byte for byte and without a wait.
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
