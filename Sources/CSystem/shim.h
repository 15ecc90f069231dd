// The few calls of Linux's that glibc's headers hide from Swift, because Swift reads them without
// _GNU_SOURCE.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

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
