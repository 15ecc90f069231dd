// getopt_long(3), which Swift's module of the C library leaves out, and its variables as functions.
#include <getopt.h>

static inline void getopt_restart(void) {
  optind = 0; // glibc: forget the last command line
  opterr = 0;
}

static inline int getopt_index(void) { return optind; }

static inline char *getopt_value(void) { return optarg; }
